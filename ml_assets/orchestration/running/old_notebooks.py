"""Removes executed notebooks once they are older than they are kept, at the end of a step."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from ml_assets.notebooks.running.executed import remove_old
from ml_assets.orchestration.recorded.lineage import current_runs


def remove_old_notebooks(context: dg.AssetExecutionContext, asset: str) -> None:
    """Remove those of one asset, but for the ones of current versions."""
    executed, instance = context.resources.executed_notebooks, context.instance
    if executed.keep_days is None:
        return
    before = datetime.now(UTC) - timedelta(days=executed.keep_days)
    try:
        removed = remove_old(executed.path(instance), asset, current_runs(instance, asset), before=before)
    except OSError as error:
        # That an old file stays is no reason to fail what was made.
        context.log.warning(f"{asset}: executed notebooks of before {before.isoformat()} are not removed: {error}")
        return
    if removed:
        context.log.info(f"{asset}: removed {len(removed)} executed notebooks of before {before.isoformat()}")
