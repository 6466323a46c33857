"""Of the tests of sensors: what a run does to a service, and what is made."""

import dagster as dg

from ml_assets.orchestration.recorded.facts import (
    asset_key,
    materialization,
    note_begun,
)
from ml_assets.orchestration.sensors import Launch, run_request
from tests.orchestration.conftest import Service


def launch(service: Service, launched: Launch, status: dg.DagsterRunStatus) -> dg.DagsterRun:
    """A run as the daemon makes it of what a tick launches, without running it."""
    asked = run_request(launched)
    run = dg.DagsterRun(
        job_name="__ASSET_JOB",
        asset_selection=frozenset(asset_key(asset) for asset in launched.request.assets),
        # Which of both repeats a killed run is a matter of test_retries.
        tags={**asked.tags, "dagster/run_key": str(asked.run_key), "dagster/will_retry": "false"},
        status=status,
    )
    return service.instance.add_run(run)


def make(service: Service, asset: str, partition: str, inputs: str) -> None:
    """Record that a partition was made, in no run."""
    note_begun(service.instance, asset, partition, inputs, "code", "")
    service.instance.report_runless_asset_event(materialization(asset, partition, "v1"))
