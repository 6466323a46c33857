"""A notebook finds its configuration as it is declared: under Dagster, in a test and in Jupyter alike."""

import math
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository

from ml_assets.jupyter import context_of
from ml_assets.notebooks.step import Step
from ml_assets.orchestration.recorded.facts import asset_key
from ml_assets.testing.run_notebook import RunNotebook
from tests.support import shop
from tests.support.projects import TeamProject

pytestmark = pytest.mark.slow

TRAINING, PARTITION = "shop/order/training_data", "2026-03-04"
CONFIG = '{cap: .inf, low: -.inf, zero: -0.0, many: 9007199254740993, texts: ["10", "1e5", "None", "1,2", "0x1F"], on_: [true, ~]}'
DECLARED = {
    "cap": math.inf,
    "low": -math.inf,
    "zero": -0.0,
    "many": 2**53 + 1,
    "texts": ["10", "1e5", "None", "1,2", "0x1F"],
    "on_": [True, None],
}
CELLS = """
# %%
step.save(step.examples())
step.report(found=repr(step.config))
"""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> TeamProject:
    defs = shop.DEFS["shop/order"].replace("{features: [device], rounds: 10}", CONFIG)
    notebooks = "  notebooks: {training_data: notebooks/own/training_data.ipynb}\n"
    team = TeamProject.make(
        tmp_path_factory.mktemp("configured"), "configured_shop", {**shop.DEFS, "shop/order": defs + notebooks}
    )
    for log in ("visits", "orders"):
        shop.arrive(team, log, 1, 4)
    team.write_notebook("notebooks/own/training_data.ipynb", CELLS)
    return team


def test_under_dagster(team: TeamProject) -> None:
    project = team.project
    repository = ReconstructableRepository.for_module(project.definitions_module, "defs", str(project.root))
    key = asset_key(TRAINING)
    job = repository.get_reconstructable_job("__ASSET_JOB").get_subset(asset_selection=frozenset({key}))
    result = dg.execute_job(job, project.instance, tags={"dagster/partition": PARTITION})
    assert result.success
    event = project.instance.get_latest_materialization_event(key)
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["found"].value == repr(DECLARED)


def test_in_a_test(team: TeamProject, tmp_path: Path) -> None:
    logs = {"shop/visits": shop.visits(shop.FIRST), "shop/orders": shop.orders(shop.FIRST)}
    run = RunNotebook(team.project, tmp_path)(TRAINING, logs=logs)
    assert run.numbers["found"] == repr(DECLARED)


def test_in_jupyter(team: TeamProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(team.root / "notebooks" / "own")
    monkeypatch.setenv("DAGSTER_HOME", str(team.home))
    assert repr(Step.of(context_of(TRAINING, PARTITION)).config) == repr(DECLARED)
