"""What is recorded of a failure can be read again: the exception of the latest attempt."""

from typing import NoReturn

import dagster as dg
import pytest

from ml_assets.notebooks.running.run import NotebookError
from ml_assets.orchestration.assets import model_definitions
from ml_assets.orchestration.recorded import facts
from ml_assets.orchestration.recorded import memo as facts_memo
from ml_assets.orchestration.recorded import sql as facts_sql
from ml_assets.orchestration.recorded.facts import FAILED, attempt, materialization, note_begun, read_error, read_facts
from ml_assets.orchestration.resources import Storage, default_resources
from ml_assets.orchestration.running import runner
from tests.orchestration.conftest import STORAGES, Service
from tests.support.projects import REPOSITORY

pytestmark = pytest.mark.parametrize("storage", STORAGES)

ASSET, PARTITION = "shop/order/training_data", "2026-05-02"


def _try(
    service: Service, run: str, verdict: str = "begun", *, partition: str = PARTITION, error: str | None = None
) -> None:
    """An attempt, by default as older runs left it of each."""
    tried = attempt(ASSET, partition, "inputs", "code", run, verdict, error=error)
    service.instance.report_runless_asset_event(tried)


def test_the_error_is_that_of_the_latest_attempt_at_the_partition(service: Service) -> None:
    _try(service, "run-1", FAILED, error="ValueError: no rows")
    _try(service, "run-2", FAILED, error="ValueError: [still] no rows")
    _try(service, "run-2", FAILED, partition="2026-05-03", error="KeyError: 'label'")
    assert read_error(service.instance, ASSET, PARTITION) == "ValueError: [still] no rows"
    assert read_error(service.instance, ASSET, "2026-05-03") == "KeyError: 'label'"


def test_there_is_no_error_of_what_was_never_tried_or_is_tried_again_or_failed_without_words(service: Service) -> None:
    assert read_error(service.instance, ASSET, PARTITION) is None
    _try(service, "run-1", FAILED)
    assert read_error(service.instance, ASSET, PARTITION) is None
    _try(service, "run-2", FAILED, error="ValueError: no rows")
    _try(service, "run-3")
    assert read_error(service.instance, ASSET, PARTITION) is None


def test_a_failure_is_the_same_fact_with_its_error_or_without(service: Service) -> None:
    _try(service, "run-1", FAILED)
    without = read_facts(service.instance, [service.model], code={}).failed
    service.instance.report_runless_asset_event(materialization(ASSET, PARTITION, "v1"))
    _try(service, "run-1", FAILED, error="ValueError: no rows")
    assert read_facts(service.instance, [service.model], code={}).failed == without
    assert without[ASSET][PARTITION].run == "run-1"


def test_where_the_storage_takes_no_sql_a_partition_that_a_run_changes_during_the_look_shows_as_running(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts_sql, "SqlEventLogStorage", type("Another", (), {}))
    other, third = "2026-05-03", "2026-05-04"
    _try(service, "run-1", FAILED)
    service.instance.report_runless_asset_event(materialization(ASSET, other, "v1"))
    storage, changes = service.instance.event_log_storage, []
    versions = storage.get_latest_tags_by_partition

    def change_and_read(key: dg.AssetKey, *args: object, **kwargs: object) -> object:
        if key == dg.AssetKey(ASSET.split("/")) and not changes:
            changes.append(key)
            _try(service, "run-2")
            service.instance.report_runless_asset_event(materialization(ASSET, other, "v2"))
            _try(service, "run-2", partition=third)
        return versions(key, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(storage, "get_latest_tags_by_partition", change_and_read)
    during = read_facts(service.instance, [service.model], code={})
    assert changes
    assert during.running[ASSET] == {PARTITION, other, third}
    assert not during.made[ASSET]
    assert not during.failed[ASSET]
    after = read_facts(service.instance, [service.model], code={})
    assert ASSET not in after.running
    assert {name: made.data_version for name, made in after.made[ASSET].items()} == {other: "v2"}


def test_where_the_instance_keeps_no_notes_an_event_says_from_what_a_partition_is_made(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Dagster+, whose storage of runs answers with an error instead of raising it."""
    monkeypatch.setattr(facts, "keeps_notes", lambda _: False)
    monkeypatch.setattr(facts_memo, "keeps_notes", lambda _: False)
    begun = note_begun(service.instance, ASSET, PARTITION, "inputs", "code", "run-1")
    assert begun is not None
    service.instance.report_runless_asset_event(begun)
    service.instance.report_runless_asset_event(materialization(ASSET, PARTITION, "v1"))
    made = read_facts(service.instance, [service.model], code={}).made[ASSET][PARTITION]
    assert (made.inputs, made.code) == ("inputs", "code")


def test_what_is_noted_of_a_beginning_is_no_event_and_counts_once_the_partition_is_made(service: Service) -> None:
    assert note_begun(service.instance, ASSET, PARTITION, "inputs", "code", "") is None
    assert not read_facts(service.instance, [service.model], code={}).made[ASSET]
    service.instance.report_runless_asset_event(materialization(ASSET, PARTITION, "v1"))
    made = read_facts(service.instance, [service.model], code={}).made[ASSET][PARTITION]
    assert (made.inputs, made.code) == ("inputs", "code")
    assert service.instance.fetch_observations(dg.AssetKey(ASSET.split("/")), limit=1).records == []


@pytest.mark.parametrize(
    ("message", "recorded"),
    [
        ("it saved nothing", "NotebookError: it saved nothing"),
        ("", "NotebookError:"),
        (
            "model.ipynb failed for shop/order/model:\n-----\nCell 3\n  fit(rows)\nValueError: no rows\n\n",
            "NotebookError: model.ipynb failed for shop/order/model: ... ValueError: no rows",
        ),
    ],
)
def test_a_run_records_what_its_notebook_raised_on_one_line(
    service: Service, monkeypatch: pytest.MonkeyPatch, message: str, recorded: str
) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise NotebookError(message)

    monkeypatch.setattr(runner, "run_notebook", fail)
    service.arrive(1, 2)
    service.look()
    definitions = model_definitions(service.model, REPOSITORY)
    (training_data,) = (one for one in definitions.assets or () if one.key == dg.AssetKey(ASSET.split("/")))
    resources = {**default_resources(), "events": Storage(root=str(service.root))}
    result = dg.materialize(
        [training_data], instance=service.instance, partition_key=PARTITION, resources=resources, raise_on_error=False
    )
    assert not result.success
    assert read_error(service.instance, ASSET, PARTITION) == recorded
    failed = read_facts(service.instance, [service.model], code={}).failed[ASSET][PARTITION]
    assert failed.run == result.run_id
