"""A tick on a real instance: arrivals are reported once, what is due is launched, and what waits is told in words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from ml_assets.domain.owed.facts import model_inputs
from ml_assets.domain.windows import training_windows
from ml_assets.orchestration import sensors
from ml_assets.orchestration.recorded.facts import (
    FAILED,
    STOPPED,
    asset_key,
    attempt,
    read_facts,
)
from ml_assets.orchestration.sensors import look, run_request
from tests.orchestration.conftest import AS_OF, ASSETS, STORAGES, Service, event_inputs
from tests.orchestration.sensed import launch, make

pytestmark = pytest.mark.parametrize("storage", STORAGES)


TRAINING = ("shop/order/training_data", "shop/order/model")


def test_what_is_due_is_launched_as_one_run_over_contiguous_partitions(service: Service) -> None:
    service.arrive(1, 2, 3, 4)
    (launched,) = service.look().launches
    assert launched.request.assets == TRAINING
    assert launched.request.partitions == ("2026-05-02", "2026-05-03", "2026-05-04")
    tags = run_request(launched).tags
    assert tags["dagster/asset_partition_range_start"] == "2026-05-02"
    assert tags["dagster/asset_partition_range_end"] == "2026-05-04"


def test_a_hole_in_the_arrivals_splits_the_runs(service: Service) -> None:
    service.arrive(1, 2, 4, 5)
    assert [launch.request.partitions for launch in service.look().launches] == [("2026-05-02",), ("2026-05-05",)]


def test_what_runs_is_not_launched_again(service: Service) -> None:
    service.arrive(1, 2)
    (launched,) = service.look().launches
    launch(service, launched, dg.DagsterRunStatus.STARTED)
    tick = service.look()
    assert tick.launches == []
    assert "shop/order/model: 2026-05-02 running" in tick.message


def test_a_killed_run_is_launched_again_with_a_new_key_but_not_for_ever(service: Service) -> None:
    service.arrive(1, 2)
    keys = []
    for _ in range(sensors.TRIES):
        (launched,) = service.look().launches
        keys.append(run_request(launched).run_key)
        launch(service, launched, dg.DagsterRunStatus.FAILURE)
    assert len(set(keys)) == sensors.TRIES
    tick = service.look()
    assert tick.launches == []
    assert "2026-05-02 ended 3 times without a verdict; it is tried again after" in tick.message


def test_what_was_given_a_rest_is_tried_again(service: Service) -> None:
    service.arrive(1, 2)
    for _ in range(sensors.TRIES):
        (launched,) = service.look().launches
        launch(service, launched, dg.DagsterRunStatus.FAILURE)
    assert service.look().launches == []
    later = datetime.now(UTC) + sensors.SHORTEST_PAUSE + timedelta(minutes=1)
    (launched,) = service.look(later).launches
    assert launched.tries == sensors.TRIES
    launch(service, launched, dg.DagsterRunStatus.FAILURE)
    assert service.look(later).launches == []


def test_a_partition_that_kills_its_run_does_not_keep_back_the_others(service: Service) -> None:
    service.arrive(1, 2, 3, 4)
    (launched,) = service.look().launches
    assert len(launched.request.partitions) == 3
    launch(service, launched, dg.DagsterRunStatus.FAILURE)
    tick = service.look()
    assert [one.request.partitions for one in tick.launches] == [("2026-05-02",), ("2026-05-03",), ("2026-05-04",)]
    assert len({one.request.key for one in tick.launches} | {launched.request.key}) == 4


def test_a_marker_of_a_partition_that_is_not_over_tells_nothing(service: Service) -> None:
    # It is noon of 10 May.
    service.arrive(*range(1, 13))
    tick = service.look()
    assert max(arrival[1] for arrival in tick.arrivals) == "2026-05-09"
    _train(service, "2026-05-08")
    evaluation = service.look().found["shop/order"]["shop/order/evaluation_data_1d"]["2026-05-08"]
    assert evaluation.why == "for shop/orders 2026-05-10"


def test_a_run_that_a_person_canceled_is_not_launched_again(service: Service) -> None:
    service.arrive(1, 2)
    (launched,) = service.look().launches
    run = launch(service, launched, dg.DagsterRunStatus.CANCELED)
    tick = service.look()
    assert tick.launches == []
    assert f"was canceled in run {run.run_id}" in tick.message


@pytest.mark.parametrize("verdict", [STOPPED, "begun"], ids=["recorded now", "as older runs left it"])
def test_a_partition_that_a_person_stopped_counts_as_failed(service: Service, verdict: str) -> None:
    service.arrive(1, 2, 3)
    (launched,) = service.look().launches
    run = launch(service, launched, dg.DagsterRunStatus.CANCELED)
    service.instance.report_runless_asset_event(
        attempt(TRAINING[0], "2026-05-02", _inputs(service), "code", run.run_id, verdict)
    )
    tick = service.look()
    assert [launch.request.partitions for launch in tick.launches] == [("2026-05-03",)]
    assert f"2026-05-02 failed (on its present inputs, in run {run.run_id})" in tick.message


@pytest.mark.parametrize(
    ("selection", "tags"),
    [
        (None, {"dagster/partition": "2026-05-02"}),
        (frozenset({dg.AssetKey(["other", "asset"])}), {"dagster/partition": "2026-05-02"}),
        (frozenset({asset_key(TRAINING[0])}), {"dagster/partition": "eu"}),
        (
            frozenset({asset_key(TRAINING[0])}),
            {"dagster/asset_partition_range_start": "eu", "dagster/asset_partition_range_end": "us"},
        ),
    ],
)
def test_a_run_of_something_else_hinders_nothing(service: Service, selection: frozenset | None, tags: dict) -> None:
    service.arrive(1, 2)
    run = dg.DagsterRun(job_name="other", asset_selection=selection, tags=tags, status=dg.DagsterRunStatus.STARTED)
    service.instance.add_run(run)
    assert [launch.request.partitions for launch in service.look().launches] == [("2026-05-02",)]


def test_a_partition_that_the_source_lost_waits(service: Service) -> None:
    service.arrive(1, 2)
    service.look()
    (service.root / "shop/orders/date=2026-05-02/_SUCCESS").unlink()
    tick = service.look()
    assert tick.launches == []
    assert "2026-05-02 for shop/orders 2026-05-02" in tick.message


def test_a_failed_partition_is_launched_again_when_its_inputs_change_and_not_before(service: Service) -> None:
    service.arrive(1, 2)
    (launched,) = service.look().launches
    inputs = _inputs(service)
    service.instance.report_runless_asset_event(attempt(TRAINING[0], "2026-05-02", inputs, "code", "run-7", FAILED))
    launch(service, launched, dg.DagsterRunStatus.FAILURE)
    tick = service.look()
    assert tick.launches == []
    assert "2026-05-02 failed (on its present inputs, in run run-7)" in tick.message
    service.arrive(2, log="shop/visits", content=b"mended rows")
    assert [launch.request.partitions for launch in service.look().launches] == [("2026-05-02",)]


def test_an_evaluation_is_launched_when_its_outcomes_and_its_model_are_there(service: Service) -> None:
    service.arrive(1, 2, 3)
    service.look()
    _train(service, "2026-05-02", "2026-05-03")
    tick = service.look()
    assert tick.launches == []
    assert "metrics_1d: 2026-05-02..2026-05-09 waiting (2026-05-02 for shop/orders 2026-05-04)" in tick.message
    service.arrive(4, log="shop/orders")
    (launched,) = service.look().launches
    assert launched.request.assets == ("shop/order/evaluation_data_1d", "shop/order/metrics_1d")
    assert launched.request.partitions == ("2026-05-02",)


def _inputs(service: Service) -> str:
    return event_inputs(service, training_windows(service.model, 1))


def _train(service: Service, *partitions: str) -> None:
    for partition in partitions:
        windows = training_windows(service.model, service.model.partitions.index_of(partition))
        make(service, TRAINING[0], partition, inputs=event_inputs(service, windows))
        made = read_facts(service.instance, [service.model], code={}).made[TRAINING[0]][partition]
        make(service, TRAINING[1], partition, inputs=model_inputs(made))


def test_training_waits_for_rows_that_may_still_become_known(service: Service) -> None:
    logs = {log.key: replace(log, known_delay=timedelta(hours=13)) for log in service.model.logs}
    service.model = replace(service.model, exposures=logs["shop/visits"], outcomes=logs["shop/orders"])
    # It is noon of 10 May: rows of before the end of 9 May may become known until 13:00.
    service.arrive(*range(1, 10))
    tick = service.look()
    assert [launch.request.partitions[-1] for launch in tick.launches] == ["2026-05-08"]
    assert "2026-05-09 waiting (for rows that become known before 2026-05-10T13:00:00+00:00)" in tick.message


def test_logs_of_other_services_are_asked_as_well(service: Service) -> None:
    """What is decided on is what a run will read, whether the log's own sensor has reported it or not."""
    foreign = replace(service.model.outcomes, key="web/orders", location="web/orders")
    (service.root / "web/orders").mkdir(parents=True)
    service.model = replace(service.model, outcomes=foreign)
    service.arrive(1, 2)
    tick = look(
        service.instance,
        [service.model.exposures],
        [service.model],
        code=dict.fromkeys(ASSETS, "code"),
        events_root=service.root,
        as_of=AS_OF,
    )
    assert [launch.request.partitions for launch in tick.launches] == [("2026-05-02",)]
    assert ("web/orders", "2026-05-02") in [arrival[:2] for arrival in tick.arrivals]
