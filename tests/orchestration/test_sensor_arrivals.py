"""What a sensor reports of the sources: what arrived, what changed, what is absent."""

import platform

import dagster as dg
import pytest
from dagster._core.storage.tags import WILL_RETRY_TAG

from ml_assets.data.logs.databases import SourceError
from ml_assets.orchestration import sensors
from ml_assets.orchestration.launcher import WORKER_TAG
from ml_assets.orchestration.resources import Storage
from tests.orchestration.conftest import ASSETS, STORAGES, Service
from tests.orchestration.sensed import launch

pytestmark = pytest.mark.parametrize("storage", STORAGES)


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
