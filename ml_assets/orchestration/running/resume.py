"""Re-execution of runs from their failure: what a run goes on from."""

import dagster as dg

from ml_assets.dagster_names import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
    RESUME_RETRY_TAG,
)
from ml_assets.orchestration.recorded.facts import asset_key


def resumed_runs(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    """The runs whose work a run goes on with, the latest first; none when it was not re-executed from a failure.

    A re-execution of all steps begins anew, so that nothing of before it counts.
    """
    found: list[str] = []
    resuming: dg.DagsterRun | None = run
    while resuming and resuming.parent_run_id and resuming.tags.get(RESUME_RETRY_TAG) == "true":
        found.append(resuming.parent_run_id)
        resuming = instance.get_run_by_id(resuming.parent_run_id)
    return found


def made_before(
    instance: dg.DagsterInstance, run: dg.DagsterRun, asset: str, partition: str, *, retried: bool = False
) -> str | None:
    """The run that made a partition, of those that a run goes on with; None where it is to do.

    Args: `retried`: the step has begun before in this run, which may have made it, too.
    """
    earlier = [*([run.run_id] if retried else []), *resumed_runs(instance, run)]
    if not earlier:
        return None
    filters = dg.AssetRecordsFilter(asset_key=asset_key(asset), asset_partitions=[partition])
    records = instance.fetch_materializations(filters, limit=100).records
    return next((record.run_id for record in records if record.run_id in earlier), None)


def partition_tags(run: dg.DagsterRun) -> dict[str, str]:
    """The tags of a run that say which partitions it holds."""
    names = (PARTITION_NAME_TAG, ASSET_PARTITION_RANGE_START_TAG, ASSET_PARTITION_RANGE_END_TAG)
    return {name: run.tags[name] for name in names if name in run.tags}
