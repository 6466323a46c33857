"""A run that was killed is repeated by Dagster or by the sensor, never by both."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.tags import (
    AUTO_RETRY_RUN_ID_TAG,
    MAX_RETRIES_TAG,
    PARENT_RUN_ID_TAG,
    RETRY_NUMBER_TAG,
    ROOT_RUN_ID_TAG,
    RUN_FAILURE_REASON_TAG,
    WILL_RETRY_TAG,
)

from ml_assets.orchestration.recorded.facts import asset_key
from ml_assets.orchestration.recorded.retries import being_retried
from ml_assets.orchestration.sensors import Launch, run_request
from ml_assets.project.home import open_instance
from tests.orchestration.conftest import Service, model
from tests.support.postgres import PRODUCTION

KILLED = "its process ended"


@pytest.fixture
def retrying(service: Service, tmp_path: Path) -> Service:
    """A service with one partition due, on an instance that repeats killed runs as the production one does."""
    config = tmp_path / "home" / "dagster.yaml"
    (section,) = re.findall(r"^run_retries:\n(?:  .*\n)+", PRODUCTION.read_text(encoding="utf-8"), re.MULTILINE)
    config.write_text(config.read_text(encoding="utf-8") + section, encoding="utf-8")
    retrying = Service(open_instance(tmp_path / "home"), service.root, model())
    retrying.arrive(1, 2)
    return retrying


def start(service: Service, launch: Launch, **tags: str) -> dg.DagsterRun:
    asked = run_request(launch)
    run = dg.DagsterRun(
        job_name="__ASSET_JOB",
        asset_selection=frozenset(asset_key(asset) for asset in launch.request.assets),
        tags={**asked.tags, "dagster/run_key": str(asked.run_key), **tags},
        status=dg.DagsterRunStatus.STARTED,
    )
    return service.instance.add_run(run)


def repeat(service: Service, killed: dg.DagsterRun) -> dg.DagsterRun:
    """What the daemon does with a run that will be retried, up to the repetition's being queued."""
    repetition = dg.DagsterRun(
        job_name=killed.job_name,
        asset_selection=killed.asset_selection,
        tags={**killed.tags, RETRY_NUMBER_TAG: "1", PARENT_RUN_ID_TAG: killed.run_id, ROOT_RUN_ID_TAG: killed.run_id},
        status=dg.DagsterRunStatus.NOT_STARTED,
        parent_run_id=killed.run_id,
        root_run_id=killed.run_id,
    )
    repetition = service.instance.add_run(repetition)
    service.instance.add_run_tags(killed.run_id, {AUTO_RETRY_RUN_ID_TAG: repetition.run_id})
    return repetition


def status(service: Service) -> str:
    return str(service.look().found["shop/order"]["shop/order/model"]["2026-05-02"].state)


def test_the_sensor_leaves_a_killed_run_to_dagster_until_its_repetition_has_ended(retrying: Service) -> None:
    (launch,) = retrying.look().launches
    killed = start(retrying, launch)
    retrying.instance.report_run_failed(killed, KILLED)
    assert retrying.instance.get_run_by_id(killed.run_id).tags[WILL_RETRY_TAG] == "true"  # type: ignore[union-attr]
    assert (retrying.look().launches, status(retrying)) == ([], "running")

    repetition = repeat(retrying, killed)
    assert (retrying.look().launches, status(retrying)) == ([], "running")

    retrying.instance.report_run_failed(repetition, KILLED)
    # Dagster repeats it once, and then the sensor does.
    (again,) = retrying.look().launches
    assert again.tries == 2
    assert run_request(again).run_key != run_request(launch).run_key


def test_what_dagster_does_not_repeat_the_sensor_repeats_at_once(retrying: Service) -> None:
    (launch,) = retrying.look().launches
    killed = start(retrying, launch, **{MAX_RETRIES_TAG: "0"})
    retrying.instance.report_run_failed(killed, KILLED)
    assert [launch.tries for launch in retrying.look().launches] == [1]


def test_a_run_of_which_a_step_failed_is_not_repeated_by_dagster(retrying: Service) -> None:
    (launch,) = retrying.look().launches
    failed = start(retrying, launch, **{RUN_FAILURE_REASON_TAG: "STEP_FAILURE"})
    retrying.instance.report_run_failed(failed, KILLED)
    assert being_retried(retrying.instance, now=datetime.now(UTC)) == []


def test_a_run_that_failed_this_moment_is_left_alone_until_dagster_has_said_whether_it_repeats_it(
    retrying: Service,
) -> None:
    (launch,) = retrying.look().launches
    failed = start(retrying, launch)
    event = dg.DagsterEvent("PIPELINE_FAILURE", failed.job_name)
    retrying.instance.run_storage.handle_run_event(failed.run_id, event, datetime.now(UTC))
    assert retrying.look().launches == []
    assert being_retried(retrying.instance, now=datetime.now(UTC) + timedelta(minutes=2)) == []


def test_a_run_that_dagster_forgot_is_given_up_after_an_hour(retrying: Service) -> None:
    (launch,) = retrying.look().launches
    retrying.instance.report_run_failed(start(retrying, launch), KILLED)
    now = datetime.now(UTC)
    assert len(being_retried(retrying.instance, now=now + timedelta(minutes=59))) == 1
    assert being_retried(retrying.instance, now=now + timedelta(minutes=61)) == []


def test_where_dagster_repeats_nothing_nothing_waits_for_it(service: Service) -> None:
    service.arrive(1, 2)
    (launch,) = service.look().launches
    service.instance.report_run_failed(start(service, launch), KILLED)
    assert len(service.look().launches) == 1
