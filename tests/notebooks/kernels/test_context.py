"""The context of a notebook: a run and a log without more, and whatever else dagstermill's own has."""

import copy
import json
import logging
import shutil
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._serdes import pack_value

from ml_assets.notebooks.kernels.context import KernelContext
from ml_assets.notebooks.order import TABLE
from ml_assets.orchestration.recorded.facts import asset_key
from ml_assets.orchestration.recorded.lineage import current_runs
from ml_assets.project.home import open_instance
from tests.support import shop
from tests.support.projects import TeamProject

STEP = "shop__order__model"
TAGS = {"dagster/partition": "2026-03-04", "team": "growth"}
DATA, MODEL = "shop/order/training_data", "shop/order/model"
ASKS = """\
# %%
import json
import pandas as pd

before = sorted(set(vars(context)) - {"_given"})
seen = {
    "before": before,
    "resources": type(context.resources).__name__,
    "partition_key": context.step_context.partition_key,
    "tags": dict(context.run.tags),
    "whole": type(context._whole).__name__,
    "run_ids": [context.run.run_id, context.run_id],
}
step.save(pd.DataFrame({"seen": [json.dumps(seen)]}))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run() -> dg.DagsterRun:
    return dg.DagsterRun(job_name="__ASSET_JOB", tags=TAGS)


@pytest.fixture
def written(tmp_path: Path, home: Path, run: dg.DagsterRun) -> Path:
    """What the runner writes down, without what only dagstermill's own context needs."""
    given = {
        "job_run_dict": pack_value(run),
        "instance_ref_dict": pack_value(open_instance(home).get_ref()),
        "step_key": STEP,
    }
    path = tmp_path / "context.json"
    path.write_text(json.dumps(given), encoding="utf-8")
    return path


def test_the_run_is_read_with_its_tags(written: Path, run: dg.DagsterRun) -> None:
    context = KernelContext.read(str(written))
    assert context.run.run_id == run.run_id
    assert context.run.tags == TAGS
    assert context.run is context.run


def test_what_is_logged_is_in_the_log_of_the_run_under_its_step(written: Path, home: Path, run: dg.DagsterRun) -> None:
    context = KernelContext.read(str(written))
    context.log.info("rows are read")
    context.log.warning("few of them")
    logged = [(entry.user_message, entry.level, entry.step_key) for entry in open_instance(home).all_logs(run.run_id)]
    assert logged == [("rows are read", logging.INFO, STEP), ("few of them", logging.WARNING, STEP)]


def test_no_instance_is_opened_before_something_is_logged(written: Path, home: Path) -> None:
    shutil.rmtree(home)
    context = KernelContext.read(str(written))
    assert context.run.tags["team"] == "growth"
    assert not home.exists()
    context.log.info("now it is needed")
    assert home.exists()


@pytest.mark.parametrize("name", ["__copy__", "__deepcopy__", "__array__", "__dataframe__"])
def test_what_python_asks_every_object_for_is_not_asked_of_dagstermill(written: Path, name: str) -> None:
    context = KernelContext.read(str(written))
    with pytest.raises(AttributeError, match=name):
        getattr(context, name)
    assert "_whole" not in vars(context)


@pytest.mark.parametrize("name", ["_ipython_canary_method_should_not_exist_", "_repr_html_", "_repr_mimebundle_"])
def test_what_ipython_asks_every_object_for_is_not_asked_of_dagstermill(written: Path, name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(KernelContext.read(str(written)), name)


def test_a_context_can_be_copied(written: Path, run: dg.DagsterRun) -> None:
    context = KernelContext.read(str(written))
    for one in (copy.copy(context), copy.deepcopy(context)):
        assert one is not context
        assert one.run.run_id == run.run_id
        assert "_whole" not in vars(one)


@pytest.mark.slow
def test_a_notebook_finds_all_else_in_the_context_that_dagstermill_makes(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    declared = shop.DEFS["shop/order"] + "  notebooks: {model: notebooks/shop/asks.ipynb}\n"
    team = TeamProject.make(tmp_path_factory.mktemp("asking"), "asking_shop", {**shop.DEFS, "shop/order": declared})
    team.write_notebook("notebooks/shop/asks.ipynb", ASKS)
    for log in ("visits", "orders"):
        shop.arrive(team, log, 1, 4)
    project, day = team.project, "2026-03-04"
    keys = frozenset(map(asset_key, (DATA, MODEL)))
    repository = ReconstructableRepository.for_module(project.definitions_module, "defs", str(project.root))
    job = repository.get_reconstructable_job("__ASSET_JOB").get_subset(asset_selection=keys)
    tags = {f"dagster/asset_partition_range_{side}": day for side in ("start", "end")} | {"team": "growth"}
    made = dg.execute_job(job, project.instance, tags=tags, asset_selection=list(keys))
    assert made.success
    (run_id,) = current_runs(project.instance, MODEL).values()
    seen = json.loads(pd.read_parquet(project.store.load(MODEL, day, run_id).folder / TABLE)["seen"].item())
    # To begin with it was asked for its run alone.
    assert seen["before"] == ["run"]
    assert "Resources" in seen["resources"]
    assert seen["partition_key"] == day
    assert seen["tags"]["dagster/partition"] == day
    assert seen["tags"]["team"] == "growth"
    assert "dagster/asset_partition_range_start" not in seen["tags"]
    assert seen["whole"].startswith("Dagstermill")
    assert seen["run_ids"] == [run_id, run_id]
