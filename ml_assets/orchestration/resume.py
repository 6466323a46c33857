"""Re-execution of runs: from which versions a run goes on that repeats another one."""

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    ASSET_RESUME_RETRY_TAG,
    PARTITION_NAME_TAG,
    RESUME_RETRY_TAG,
)

from ml_assets.orchestration.facts import asset_key


def repeated_runs(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    """The runs that a run repeats, the latest first, and itself before them; itself alone when it repeats none."""
    found, parent = [run.run_id], run.parent_run_id
    while parent is not None and parent not in found:
        found.append(parent)
        before = instance.get_run_by_id(parent)
        parent = before.parent_run_id if before else None
    return found


def made_before(instance: dg.DagsterInstance, run: dg.DagsterRun, asset: str, partition: str) -> str | None:
    """The run that made a partition, of those that a re-execution from failure goes on from; None where it is to do."""
    if not {RESUME_RETRY_TAG, ASSET_RESUME_RETRY_TAG} & run.tags.keys():
        return None
    filters = dg.AssetRecordsFilter(asset_key=asset_key(asset), asset_partitions=[partition])
    earlier = repeated_runs(instance, run)[1:]
    records = instance.fetch_materializations(filters, limit=100).records
    return next((record.run_id for record in records if record.run_id in earlier), None)


def partition_tags(run: dg.DagsterRun) -> dict[str, str]:
    """The tags of a run that say which partitions it holds."""
    names = (PARTITION_NAME_TAG, ASSET_PARTITION_RANGE_START_TAG, ASSET_PARTITION_RANGE_END_TAG)
    return {name: run.tags[name] for name in names if name in run.tags}
