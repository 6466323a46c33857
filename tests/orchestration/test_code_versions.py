"""What a change of code does to partitions that exist: on real runs, whose notebooks are replaced by a stub.

What Dagster's UI shows as outdated is asked of the class that its server asks.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from ml_assets.data.artifacts.store import ArtifactStore
from ml_assets.domain.declared.spec import Model, Notebooks
from ml_assets.domain.errors import SpecError
from ml_assets.domain.owed.due import State, due, statuses
from ml_assets.domain.owed.runs import RunSize
from ml_assets.notebooks.code.harmless import HARMLESS_FILE, HarmlessChange, add_harmless
from ml_assets.notebooks.order import StepResult
from ml_assets.notebooks.reported import RESERVED
from ml_assets.orchestration.assets import code_versions, event_log_definitions, model_definitions, step_assets
from ml_assets.orchestration.recorded.facts import asset_key, read_facts
from ml_assets.orchestration.resources import Storage, default_resources
from ml_assets.orchestration.running import runner
from ml_assets.orchestration.step_asset import NotebookChangedError, StepAsset
from tests.orchestration.conftest import AS_OF, ASSETS, Service, model
from tests.support.projects import REPOSITORY

pytestmark = pytest.mark.slow

TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS = ASSETS
PARTITION = "2026-05-02"
TREES = "shared/trees.py"


def notebook(code: str) -> str:
    cells = [
        {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "context = None"},
        {"cell_type": "markdown", "metadata": {}, "source": "# Model"},
        {"cell_type": "code", "metadata": {}, "source": code},
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4})


class Shop:
    """A project whose model has a notebook of its own, which imports a helper; the service that it runs in."""

    def __init__(self, service: Service, root: Path) -> None:
        self.service = service
        self.instance = service.instance
        self.root = root
        self.model: Model = replace(model(), notebooks=Notebooks(model="notebooks/shop/model.ipynb"))
        shutil.copytree(REPOSITORY / "notebooks" / "standard", root / "notebooks" / "standard")
        self.write("notebooks/shop/model.ipynb", notebook("from shared.trees import train\n\ntrain()"))
        self.write(TREES, "def train():\n    return 1\n")

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    @property
    def definitions(self) -> dg.Definitions:
        logs = map(event_log_definitions, self.model.logs)
        resources = dg.Definitions(resources=self.resources)
        return dg.Definitions.merge(*logs, model_definitions(self.model, self.root), resources)

    @property
    def resources(self) -> dict[str, Storage]:
        return {**default_resources(), "events": Storage(root=str(self.service.root))}

    @property
    def store(self) -> ArtifactStore:
        return ArtifactStore(Path(self.instance.root_directory) / "artifacts")

    def asset(self, name: str) -> StepAsset:
        return next(asset for asset in step_assets(self.model, self.root) if asset.name == name)

    def run(self, *assets: str, definitions: dg.Definitions | None = None) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            list((definitions or self.definitions).assets or ()),
            selection=[asset_key(asset) for asset in assets],
            partition_key=PARTITION,
            instance=self.instance,
            resources=self.resources,
        )

    def causes(self, asset: str) -> list[tuple[str, str]]:
        """Why the UI shows the partition as outdated, by category and reason; nothing where it is fresh."""
        graph = self.definitions.resolve_asset_graph()
        resolver = CachingStaleStatusResolver(self.instance, graph, LoadingContextForTest(self.instance))
        causes = resolver.get_stale_causes(asset_key(asset), PARTITION)
        status = resolver.get_status(asset_key(asset), PARTITION)
        assert status == (StaleStatus.STALE if causes else StaleStatus.FRESH)
        return [(cause.category.name, cause.reason) for cause in causes]

    def states(self) -> dict[str, State]:
        """What `due` says, which launches nothing."""
        facts = read_facts(self.instance, [self.model], code=code_versions([self.model], self.root))
        found = statuses(self.model, facts, as_of=AS_OF)
        requests = due(self.model, facts, found, size=RunSize(10))
        assert not [request for request in requests if PARTITION in request.partitions]
        return {asset: found[asset][PARTITION].state for asset in ASSETS}


@pytest.fixture
def shop(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Every asset of one partition is made."""

    def run_notebook(context: dg.AssetExecutionContext, **asked: Any) -> StepResult:
        order = asked["order"]
        (order.folder / "result.txt").write_text(order.asset, encoding="utf-8")
        return StepResult(data_version=f"content of {order.asset}")

    verdict = SimpleNamespace(passed=True, rows=1, leaks={})
    monkeypatch.setattr(runner, "run_notebook", run_notebook)
    monkeypatch.setattr(runner, "verify_no_leak", lambda *_args, **_kwargs: verdict)
    shop = Shop(service, tmp_path / "project")
    service.arrive(1, 2, 3, 4)
    service.look()
    shop.run(TRAINING_DATA, MODEL)
    shop.run(EVALUATION_DATA, METRICS)
    return shop


def test_what_was_just_made_is_fresh(shop: Shop) -> None:
    assert {asset: shop.causes(asset) for asset in ASSETS} == {asset: [] for asset in ASSETS}
    assert set(shop.states().values()) == {State.DONE}


def test_all_that_a_run_shows_beside_the_report_has_a_name_that_no_notebook_can_report(shop: Shop) -> None:
    for asset in ASSETS:
        event = shop.instance.get_latest_materialization_event(asset_key(asset))
        assert event is not None
        assert event.asset_materialization is not None
        assert set(event.asset_materialization.metadata) <= RESERVED


def test_a_changed_helper_outdates_what_imports_it_and_launches_nothing(shop: Shop) -> None:
    shop.write(TREES, "def train():\n    return 2\n")
    assert {asset: shop.causes(asset) for asset in ASSETS if shop.causes(asset)} == {
        MODEL: [("CODE", "has a new code version")]
    }
    assert {asset for asset, state in shop.states().items() if state is not State.DONE} == {MODEL}
    assert shop.states()[MODEL] is State.OUTDATED


def test_a_comment_and_markdown_outdate_nothing(shop: Shop) -> None:
    shop.write(TREES, "# Trees.\n\n\ndef train():\n    return 1  # always\n")
    shop.write("notebooks/shop/model.ipynb", notebook("# Train.\nfrom shared.trees import train\n\n\n\ntrain()"))
    assert shop.causes(MODEL) == []
    assert set(shop.states().values()) == {State.DONE}


def test_what_is_declared_harmless_is_fresh_again(shop: Shop) -> None:
    before = shop.asset(MODEL)
    shop.write(TREES, "def train():\n    return 1 + 0\n")
    present = shop.asset(MODEL).code_version
    add_harmless(shop.root, HarmlessChange(MODEL, before.code_version, present, "the sum is equal"))
    assert shop.causes(MODEL) == []
    assert set(shop.states().values()) == {State.DONE}
    assert shop.asset(MODEL).source_version == present
    assert shop.asset(MODEL).code_version == before.code_version


def test_an_artifact_records_the_version_that_counts_and_the_one_that_made_it(shop: Shop) -> None:
    before = shop.asset(MODEL).code_version
    shop.write(TREES, "def train():\n    return 1 + 0\n")
    present = shop.asset(MODEL).code_version
    add_harmless(shop.root, HarmlessChange(MODEL, before, present, "the sum is equal"))
    run = shop.run(MODEL)
    manifest = shop.store.load(MODEL, PARTITION, run.run_id).manifest
    assert (manifest["code_version"], manifest["source_version"]) == (before, present)


def test_made_again_it_is_fresh_and_what_was_made_of_it_is_fresh_where_it_came_out_equal(shop: Shop) -> None:
    shop.write(TREES, "def train():\n    return 2\n")
    shop.run(MODEL)
    assert shop.causes(MODEL) == []
    assert shop.causes(METRICS) == []


def test_made_again_with_another_content_it_outdates_what_was_made_of_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "run_notebook", lambda *_args, **_kwargs: StepResult(data_version="another"))
    shop.run(MODEL)
    assert shop.causes(METRICS) == [("DATA", "has a new dependency data version")]


def test_corrected_events_outdate_nothing_in_the_ui_where_only_due_can_tell(shop: Shop) -> None:
    shop.service.arrive(1, content=b"more rows")
    shop.service.look()
    assert shop.causes(TRAINING_DATA) == []
    assert shop.states()[TRAINING_DATA] is State.OUTDATED


def test_a_helper_that_is_edited_after_it_was_loaded_is_refused(shop: Shop) -> None:
    asset, definitions = shop.asset(MODEL), shop.definitions
    asset.check_loaded()
    shop.write(TREES, "def train():\n    return 1  # a comment\n")
    asset.check_loaded()
    shop.write(TREES, "def train():\n    return 2\n")
    with pytest.raises(NotebookChangedError, match=r"model.ipynb, a module of the project that it imports, or"):
        asset.check_loaded()
    with pytest.raises(dg.Failure, match="reload the code location"):
        shop.run(MODEL, definitions=definitions)


def test_a_change_declared_harmless_after_it_was_loaded_is_refused_until_the_definitions_are_reloaded(
    shop: Shop,
) -> None:
    asset = shop.asset(MODEL)
    add_harmless(shop.root, HarmlessChange(MODEL, "before", asset.code_version, "renamed"))
    with pytest.raises(NotebookChangedError, match="the record of harmless changes"):
        asset.check_loaded()


def test_a_wrong_record_of_harmless_changes_is_refused_when_definitions_are_loaded(shop: Shop) -> None:
    shop.write(HARMLESS_FILE.as_posix(), "- {asset: shop/order/model}\n")
    with pytest.raises(SpecError, match=r"notebooks/harmless.yaml: entry 1.from: None"):
        model_definitions(shop.model, shop.root)
