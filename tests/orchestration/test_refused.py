"""What is launched before it is due: alone it fails, in a range it is skipped, and nothing of it stays behind."""

from collections.abc import Mapping
from typing import NoReturn

import dagster as dg
import pytest
from dagster._core.storage.tags import BACKFILL_ID_TAG
from sqlalchemy.exc import OperationalError

from ml_assets.domain.owed.due import State, statuses
from ml_assets.notebooks.running.run import NotebookError
from ml_assets.orchestration.assets import code_versions, model_definitions
from ml_assets.orchestration.checks import NO_LEAK
from ml_assets.orchestration.launching.runs import REQUEST_TAG, range_tags
from ml_assets.orchestration.recorded.facts import asset_key, materialization, read_facts
from ml_assets.orchestration.resources import Storage, default_resources
from ml_assets.orchestration.running import planned, runner
from tests.orchestration.conftest import AS_OF, STORAGES, Service
from tests.support.projects import REPOSITORY

pytestmark = pytest.mark.parametrize("storage", STORAGES)

ASSET = "shop/order/training_data"
#: The service has events of 1 to 3 May: a training of two days can be made for 2 and 3 May.
DUE, NEVER_DUE = "2026-05-03", ["2026-05-05", "2026-05-06"]


def launch(
    service: Service, partitions: list[str], tags: Mapping[str, str] | None = None, *, steps: tuple[str, ...] = (ASSET,)
) -> dg.ExecuteInProcessResult:
    """Launch a run over some partitions, as a person does."""
    service.arrive(1, 2, 3)
    service.look()
    keys = {asset_key(one) for one in steps}
    assets = [one for one in model_definitions(service.model, REPOSITORY).assets or () if one.key in keys]
    which = {"dagster/partition": partitions[0]} if len(partitions) == 1 else range_tags(partitions)
    return dg.materialize(
        assets,
        instance=service.instance,
        resources={**default_resources(), "events": Storage(root=str(service.root))},
        tags={**which, **(tags or {})},
        raise_on_error=False,
    )


def left_behind(service: Service, asset: str = ASSET) -> list[object]:
    """What Dagster has of an asset that was never made: what it calls failed, and results of its check."""
    storage = service.instance.event_log_storage
    failed = storage.get_latest_asset_partition_materialization_attempts_without_materializations(asset_key(asset))
    check = dg.AssetCheckKey(asset_key(asset), NO_LEAK)
    return [*failed, *storage.get_asset_check_execution_history(check, limit=10)]


def failures(service: Service) -> object:
    """What would be debt."""
    return {asset: of for asset, of in read_facts(service.instance, [service.model], code={}).failed.items() if of}


def test_alone_its_run_fails_and_says_what_has_not_arrived(service: Service) -> None:
    result = launch(service, NEVER_DUE[:1])
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "2026-05-05 is immature: shop/visits 2026-05-04..2026-05-05" in str(failure.step_failure_data.error)
    assert left_behind(service) == []
    assert failures(service) == {}


@pytest.mark.parametrize("partitions", [NEVER_DUE, NEVER_DUE[:1]], ids=["a range", "the last of a backfill"])
def test_in_a_range_it_is_skipped_the_run_succeeds_and_says_how_many(service: Service, partitions: list[str]) -> None:
    result = launch(service, partitions, {BACKFILL_ID_TAG: "backfill"} if len(partitions) == 1 else {})
    assert result.success
    run = service.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags["ml_assets/skipped/training_data"] == f"{len(partitions)} of {len(partitions)} partitions"
    said = [
        entry.user_message for entry in service.instance.all_logs(result.run_id) if "skipped:" in entry.user_message
    ]
    assert f"{ASSET} 2026-05-05 is skipped: {ASSET} 2026-05-05 is immature" in said[0]
    assert left_behind(service) == []
    assert failures(service) == {}


def test_what_its_own_run_skipped_upstream_is_skipped_too(service: Service) -> None:
    model = "shop/order/model"
    assert launch(service, NEVER_DUE, steps=(ASSET, model)).success
    assert left_behind(service, model) == []


def test_what_lacks_an_upstream_partition_that_its_run_was_not_to_make_fails(service: Service) -> None:
    model = "shop/order/model"
    result = launch(service, ["2026-05-02", DUE], steps=(model,))
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert f"{ASSET} {DUE} does not exist; materialize it first" in str(failure.step_failure_data.error)
    assert left_behind(service, model) == []


def test_a_run_that_goes_on_from_one_that_skipped_does_not_say_what_that_skipped(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "made_before", lambda *_, **__: "the run before")
    result = launch(service, NEVER_DUE, {"ml_assets/skipped/training_data": "2 of 2 partitions"})
    run = service.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags["ml_assets/skipped/training_data"] == "0 of 2 partitions"


def test_a_storage_that_cannot_forget_just_now_fails_no_partition(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> NoReturn:
        raise OperationalError("DELETE", {}, Exception("database is locked"))

    monkeypatch.setattr(planned, "asset_key", locked)
    result = launch(service, NEVER_DUE)
    assert result.success
    said = [entry.user_message for entry in service.instance.all_logs(result.run_id)]
    assert any("stays noted" in message and "database is locked" in message for message in said)


def test_what_was_launched_as_due_fails_so_that_it_is_not_launched_for_ever(service: Service) -> None:
    assert not launch(service, NEVER_DUE, {REQUEST_TAG: "request"}).success
    assert left_behind(service) == []


def test_an_evaluation_whose_outcomes_lie_beyond_the_end_of_the_logs_is_never_due(service: Service) -> None:
    asset = "shop/order/evaluation_data_1d"
    result = launch(service, ["2026-05-18"], steps=(asset,))
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    ends = "shop/visits before 2026-05-20, shop/orders before 2026-05-20"
    assert f"is never due: its window ends after the logs do ({ends})" in str(failure.step_failure_data.error)
    assert left_behind(service, asset) == []


def test_a_notebook_that_raises_is_no_leak_and_its_error_is_what_the_event_says(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise NotebookError("no rows")

    monkeypatch.setattr(runner, "run_notebook", fail)
    launch(service, [DUE])
    check = dg.AssetCheckKey(asset_key(ASSET), NO_LEAK)
    assert service.instance.event_log_storage.get_asset_check_execution_history(check, limit=10) == []
    (observed,) = service.instance.fetch_observations(asset_key(ASSET), limit=10).records
    assert observed.asset_observation is not None
    assert observed.asset_observation.description == "failed: NotebookError: no rows"
    # Here Dagster says failed as well: it is what a person must see to.
    assert left_behind(service) == [DUE]


def test_what_is_made_of_something_lost_fails_once_until_that_is_made_again(service: Service) -> None:
    model, name = service.model, "shop/order/model"
    made = materialization(ASSET, DUE, "version")
    service.instance.report_runless_asset_event(made)
    result = launch(service, [DUE], steps=(name,))
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert f"{ASSET} {DUE} is recorded, but lost from the store: " in str(failure.step_failure_data.error)
    code = code_versions([model], REPOSITORY)

    def state() -> State:
        facts = read_facts(service.instance, [model], code=code)
        return statuses(model, facts, as_of=AS_OF)[name][DUE].state

    assert state() is State.FAILED
    service.instance.report_runless_asset_event(made)
    assert state() is State.DUE
