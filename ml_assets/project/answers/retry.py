"""Repeats a failed run from where it failed, in this process, as *Re-execute from failure* does in the UI."""

import dagster as dg

from ml_assets.dagster_names import RESUME_RETRY_TAG, ReconstructableRepository
from ml_assets.orchestration.running.resume import partition_tags
from ml_assets.project.project import Project


class RetryError(Exception):
    """A run that cannot be repeated from its failure."""


def retry(project: Project, run_id: str) -> dg.DagsterRun:
    """Repeat the steps that failed or were left out; the versions that the run had made before are used as they are.

    Returns: the new run, ended.
    Raises: RetryError for a run that there is not, or that did not fail.
    """
    instance = project.instance
    failed = instance.get_run_by_id(run_id)
    if failed is None:
        raise RetryError(f"there is no run {run_id}")
    if failed.status is not dg.DagsterRunStatus.FAILURE:
        raise RetryError(f"run {run_id} did not fail, it is {failed.status.value}: only a failed run is repeated")
    repository = ReconstructableRepository.for_module(project.definitions_module, "defs", project.imports)
    job = repository.get_reconstructable_job(failed.job_name)
    result = dg.execute_job(
        job.get_subset(asset_selection=failed.asset_selection) if failed.asset_selection else job,
        instance,
        tags={**partition_tags(failed), RESUME_RETRY_TAG: "true"},
        reexecution_options=dg.ReexecutionOptions.from_failure(run_id, instance),
    )
    run = instance.get_run_by_id(result.run_id)
    if run is None:
        raise RetryError(f"run {result.run_id} was deleted while it ran")
    return run
