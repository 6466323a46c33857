"""The schedule of a model on a real instance: what it asks for at a tick, and when it ticks."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from ml_assets.domain.calendar import Calendar
from ml_assets.domain.owed.repair import Repair
from ml_assets.domain.windows import training_windows
from ml_assets.orchestration.assets import code_versions
from ml_assets.orchestration.launching.runs import REPAIR_TAG
from ml_assets.orchestration.recorded.facts import FAILED, attempt, materialization
from ml_assets.orchestration.repair import repair_schedule
from ml_assets.orchestration.resources import Storage
from tests.orchestration.conftest import ASSETS, Service, event_inputs
from tests.support import shop
from tests.support.projects import REPOSITORY, TeamProject

DATA, MODEL, EVALUATION_DATA, METRICS = ASSETS
AT = datetime(2026, 5, 6, 3, tzinfo=UTC)
TOMORROW = AT + timedelta(days=1)


def schedule_of(service: Service, lookback: str = "30d", budget: str = "50 runs") -> dg.ScheduleDefinition:
    return repair_schedule(service.model, Repair.parse("03:00", lookback, budget), REPOSITORY)


def tick(service: Service, at: datetime = AT, **repair: str) -> ScheduleExecutionData:
    resources = {"events": Storage(root=str(service.root))}
    # The context opens the instance anew, and one that stays open is the instance of every test that follows.
    with dg.build_schedule_context(service.instance, at, resources=resources) as context:
        return schedule_of(service, **repair).evaluate_tick(context)


def fail(service: Service, asset: str, partition: str, inputs: str) -> None:
    code = code_versions([service.model], REPOSITORY)[asset]
    service.instance.report_runless_asset_event(attempt(asset, partition, inputs, code, "run-7", FAILED))


def fail_training(service: Service, *partitions: str) -> None:
    """Record of some partitions that their training data failed on what there is now."""
    service.look()
    for partition in partitions:
        windows = training_windows(service.model, service.model.partitions.index_of(partition))
        fail(service, DATA, partition, event_inputs(service, windows))


def made(service: Service, asset: str, *partitions: str) -> None:
    for partition in partitions:
        service.instance.report_runless_asset_event(materialization(asset, partition, "v1"))


def test_partitions_that_failed_are_asked_for_as_one_run_over_them(service: Service) -> None:
    service.arrive(1, 2, 3)
    fail_training(service, "2026-05-02", "2026-05-03")
    (asked,) = tick(service).run_requests
    assert asked.asset_selection == [dg.AssetKey(asset.split("/")) for asset in (DATA, MODEL)]
    assert asked.tags["dagster/asset_partition_range_start"] == "2026-05-02"
    assert asked.tags["dagster/asset_partition_range_end"] == "2026-05-03"
    assert asked.tags[REPAIR_TAG] == AT.isoformat()


def test_what_failed_is_asked_for_once_a_day_and_again_the_next(service: Service) -> None:
    service.arrive(1, 2)
    fail_training(service, "2026-05-02")
    keys = [one.run_key for at in (AT, AT, TOMORROW) for one in tick(service, at).run_requests]
    assert len(keys) == 3
    assert keys[0] == keys[1] != keys[2]
    assert None not in keys


def test_the_runs_of_one_tick_have_keys_of_their_own_and_come_oldest_first(service: Service) -> None:
    service.arrive(1, 2, 4, 5)
    fail_training(service, "2026-05-02", "2026-05-05")
    asked = tick(service).run_requests
    assert [one.tags["dagster/asset_partition_range_start"] for one in asked] == ["2026-05-02", "2026-05-05"]
    assert len({one.run_key for one in asked}) == 2


def test_an_evaluation_that_is_missing_is_asked_for_beside_a_training_of_the_same_day(service: Service) -> None:
    service.arrive(1, 2, 3, 4)
    made(service, DATA, "2026-05-02", "2026-05-03")
    made(service, MODEL, "2026-05-02", "2026-05-03")
    (evaluation, training) = tick(service).run_requests
    assert [key.path[-1] for key in evaluation.asset_selection] == ["evaluation_data_1d", "metrics_1d"]
    assert evaluation.tags["dagster/asset_partition_range_end"] == "2026-05-02"
    assert training.tags["dagster/asset_partition_range_start"] == "2026-05-04"


def test_a_run_is_bounded_by_the_models_partitions_per_run(service: Service) -> None:
    service.model = replace(service.model, partitions_per_run=2)
    service.arrive(1, 2, 3, 4, 5)
    firsts = [one.tags["dagster/asset_partition_range_start"] for one in tick(service).run_requests]
    assert firsts == ["2026-05-02", "2026-05-04"]


def test_nothing_before_the_lookback_and_beyond_the_budget_is_asked_for(service: Service) -> None:
    service.arrive(1, 2, 4, 5)
    # It is three o'clock of 6 May, and the partition of 2 May ended on 3 May at midnight.
    assert [one.tags["dagster/asset_partition_range_start"] for one in tick(service, lookback="3d").run_requests] == [
        "2026-05-05"
    ]
    assert [one.tags["dagster/asset_partition_range_start"] for one in tick(service, budget="1 run").run_requests] == [
        "2026-05-02"
    ]


def test_the_budget_of_time_is_measured_by_what_partitions_have_taken(service: Service) -> None:
    service.arrive(1, 2, 4, 5)
    took = materialization(DATA, "2026-05-01", "v1", {"seconds": 40.0})
    service.instance.report_runless_asset_event(took)
    assert len(tick(service, budget="1m").run_requests) == 1
    assert len(tick(service, budget="2m").run_requests) == 2


def test_a_budget_that_is_too_small_for_any_run_says_so(service: Service) -> None:
    service.arrive(1, 2)
    service.instance.report_runless_asset_event(materialization(DATA, "2026-05-01", "v1", {"seconds": 90.0}))
    asked = tick(service, budget="1m")
    assert not asked.run_requests
    assert "budget" in str(asked.skip_message)


def test_where_nothing_is_to_repair_the_tick_says_so_in_words(service: Service) -> None:
    asked = tick(service)
    assert not asked.run_requests
    assert asked.skip_message == "nothing of the last 30d is missing or failed that could be made"


def test_what_runs_is_not_asked_for(service: Service) -> None:
    service.arrive(1, 2)
    (asked,) = tick(service).run_requests
    service.instance.add_run(
        dg.DagsterRun(
            job_name="__ASSET_JOB",
            asset_selection=frozenset(asked.asset_selection),
            tags=dict(asked.tags),
            status=dg.DagsterRunStatus.STARTED,
        )
    )
    assert not tick(service).run_requests


def test_it_ticks_at_the_models_time_of_day_in_the_models_time_zone(service: Service) -> None:
    own = Calendar("day", date(2026, 5, 1), "Europe/Berlin", date(2026, 5, 20))
    logs = [replace(log, partitions=own) for log in service.model.logs]
    service.model = replace(service.model, exposures=logs[0], outcomes=logs[1])
    schedule = repair_schedule(service.model, Repair.parse("23:05", "30d", "50 runs"), REPOSITORY)
    assert schedule.name == "shop__order__repair"
    selection = schedule.job.selection if isinstance(schedule.job, UnresolvedAssetJobDefinition) else None
    assert selection == dg.AssetSelection.groups("shop/order")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert schedule.cron_schedule == "5 23 * * *"
    assert schedule.execution_timezone == "Europe/Berlin"


@pytest.mark.slow
def test_the_schedule_of_a_declaration_is_listed_as_running_with_its_cron(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    repair = '  repair: {at: "03:00", lookback: 30d, budget: 50 runs}\n'
    defs = {**shop.DEFS, "shop/order": shop.DEFS["shop/order"] + repair}
    team = TeamProject.make(tmp_path_factory.mktemp("repair"), "repaired_shop", defs)
    listed = team.command("dagster", "schedule", "list", *team.location)
    assert listed.returncode == 0, listed.stderr
    assert "Schedule: shop__order__repair [RUNNING]" in listed.stdout
    assert "Cron Schedule: 0 3 * * *" in listed.stdout
