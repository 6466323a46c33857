"""Why a step is interrupted: by a person, or by what becomes of its pod."""

import dagster as dg


def loses_its_pod(context: dg.AssetExecutionContext) -> bool:
    """Whether a step is interrupted that runs apart from its run, and nobody has canceled the run.

    Then its pod was deleted, or its node is drained.
    """
    run = context.instance.get_run_by_id(context.run.run_id)
    apart = context.get_step_execution_context().retry_mode.deferred
    return apart and run is not None and run.status is dg.DagsterRunStatus.STARTED


def is_canceled(context: dg.AssetExecutionContext) -> bool:
    """Whether a person has canceled the run."""
    run = context.instance.get_run_by_id(context.run.run_id)
    return run is not None and run.status in {dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED}
