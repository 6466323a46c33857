"""A tick on a real instance: arrivals are reported once, what is due is launched, and what waits is told in words."""

import platform
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.storage.tags import WILL_RETRY_TAG

from ml_assets.data.logs.databases import SourceError
from ml_assets.domain.owed.facts import model_inputs
from ml_assets.domain.windows import training_windows
from ml_assets.orchestration import sensors
from ml_assets.orchestration.launcher import WORKER_TAG
from ml_assets.orchestration.recorded.facts import (
    FAILED,
    STOPPED,
    asset_key,
    attempt,
    materialization,
    note_begun,
    read_facts,
)
from ml_assets.orchestration.resources import Storage
from ml_assets.orchestration.sensors import Launch, look, run_request
from tests.orchestration.conftest import AS_OF, ASSETS, STORAGES, Service, event_inputs

pytestmark = pytest.mark.parametrize("storage", STORAGES)

TRAINING = ("shop/order/training_data", "shop/order/model")


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


def test_what_arrived_is_reported_once_and_again_when_it_changes(service: Service) -> None:
    service.arrive(1, 2)
    first = service.look()
    assert [arrival[:2] for arrival in first.arrivals] == [
        ("shop/visits", "2026-05-01"),
        ("shop/orders", "2026-05-01"),
        ("shop/visits", "2026-05-02"),
        ("shop/orders", "2026-05-02"),
    ]
    assert service.look().arrivals == []
    service.arrive(2, log="shop/orders", content=b"other rows")
    assert [arrival[:2] for arrival in service.look().arrivals] == [("shop/orders", "2026-05-02")]


def test_a_partition_without_its_marker_has_not_arrived(service: Service) -> None:
    service.arrive(1)
    (service.root / "shop/visits/date=2026-05-01/_SUCCESS").unlink()
    assert [arrival[0] for arrival in service.look().arrivals] == ["shop/orders"]


def test_a_log_that_nobody_has_written_yet_is_told_and_the_others_go_on(service: Service) -> None:
    (service.root / "shop/orders").rmdir()
    service.arrive(1, log="shop/visits")
    found = service.look()
    assert found.arrivals[0][:2] == ("shop/visits", "2026-05-01")
    expected = "its partitions are expected below it, such as date=2026-05-01/*.parquet, with _SUCCESS beside it"
    folder = service.root / "shop/orders"
    assert found.absent == {"shop/orders": f"event log shop/orders: there is no folder {folder}; {expected}"}
    assert "shop/orders 2026-05-01" in found.message
    assert service.look().absent, "it is told until it is there"
    service.arrive(1, 2)
    assert service.look().absent == {}


@pytest.mark.parametrize("root_goes", [True, False])
def test_a_log_whose_folder_is_gone_makes_the_tick_fail(service: Service, root_goes: bool) -> None:
    service.arrive(1, 2)
    service.look()
    gone = service.root if root_goes else service.root / "shop/orders"
    gone.rename(service.root.with_name("elsewhere"))
    # Nothing says that there is no news.
    with pytest.raises(SourceError, match=r"event log shop/\w+: there is no folder .*; 2 had arrived, and are"):
        service.look()


def tick_of(service: Service, hint: str) -> dg.SensorResult | dg.SkipReason:
    """A tick of the sensor itself."""
    model = service.model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sensors, "code_versions", lambda *_: dict.fromkeys(ASSETS, "code"))
        sensor = sensors.service_sensor("shop", model.logs, [model], service.root, hint=hint)
    context = dg.build_sensor_context(service.instance, resources={"events": Storage(root=str(service.root))})
    return sensor(context)  # type: ignore[return-value]


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
def test_what_a_run_holds_whose_process_was_killed_is_not_blocked_after_the_next_tick(
    service: Service, status: dg.DagsterRunStatus
) -> None:
    service.arrive(1, 2)
    (wanted,) = service.look().launches
    killed = launch(service, wanted, status)
    service.instance.add_run_tags(killed.run_id, {WORKER_TAG: f"{platform.node()} 1 ended"})
    assert service.look().launches == []
    tick_of(service, "")
    ended = service.instance.get_run_by_id(killed.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.FAILURE
    if service.instance.run_retries_enabled:
        # Dagster repeats it, and the sensor leaves it to that.
        assert ended.tags[WILL_RETRY_TAG] == "true"
    else:
        assert [one.tries for one in service.look().launches] == [1]


def test_a_tick_without_any_event_says_on_a_line_each_where_they_are_expected_and_how_to_get_them(
    service: Service,
) -> None:
    for log in ("visits", "orders"):
        (service.root / "shop" / log).rmdir()
    result = tick_of(service, "`make demo` writes those of the demo")
    assert isinstance(result, dg.SensorResult)
    first, second, *_ = str(result.skip_reason and result.skip_reason.skip_message).splitlines()
    for line, log in ((first, "visits"), (second, "orders")):
        assert line.startswith(f"nothing has arrived yet: event log shop/{log}: there is no folder {service.root}/")
        assert line.endswith("with _SUCCESS beside it; `make demo` writes those of the demo")


def test_at_most_so_many_arrivals_are_reported_in_a_tick_and_the_rest_follow(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "REPORTS_PER_TICK", 3)
    service.arrive(1, 2)
    assert len(service.look().arrivals) == 3
    assert len(service.look().arrivals) == 1


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
