"""Executed notebooks are kept as long as the resource says, and those of current materializations for ever."""

import os
import time
from pathlib import Path
from typing import NoReturn

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData

from ml_assets.notebooks.running.run import NotebookError
from ml_assets.orchestration.assets import model_definitions
from ml_assets.orchestration.resources import ExecutedNotebooks, Storage, default_resources
from ml_assets.orchestration.running import runner
from tests.orchestration.conftest import Service
from tests.support.projects import REPOSITORY

ASSET, PARTITION = "shop/order/training_data", "2026-05-02"
_DAY = 24 * 3600


def executed(folder: Path, partition: str, run: str, *, days_old: float) -> Path:
    path = folder / ASSET / partition / f"{run}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    written = time.time() - days_old * _DAY
    os.utime(path, (written, written))
    return path


def run_once(service: Service, folder: Path, keep_days: int | None) -> None:
    definitions = model_definitions(service.model, REPOSITORY)
    (asset,) = (one for one in definitions.assets or () if one.key == dg.AssetKey(ASSET.split("/")))
    resources = {
        **default_resources(),
        "events": Storage(root=str(service.root)),
        "executed_notebooks": ExecutedNotebooks(root=str(folder), keep_days=keep_days),
    }
    dg.materialize(
        [asset], instance=service.instance, partition_key=PARTITION, resources=resources, raise_on_error=False
    )


@pytest.fixture(autouse=True)
def notebooks_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise NotebookError("no rows")

    monkeypatch.setattr(runner, "run_notebook", fail)


@pytest.mark.parametrize("keep_days", [None, 30])
def test_a_run_removes_what_is_older_than_the_setting_and_not_current(
    service: Service, tmp_path: Path, keep_days: int | None
) -> None:
    service.arrive(1, 2)
    service.look()
    current = service.instance.add_run(dg.DagsterRun("made it")).run_id
    made = dg.AssetMaterialization(ASSET.split("/"), partition="2026-05-03", tags={"dagster/data_version": "v"})
    service.instance.report_dagster_event(
        dg.DagsterEvent("ASSET_MATERIALIZATION", "made it", event_specific_data=StepMaterializationData(made)), current
    )
    # By hand, and so of no run.
    service.instance.report_runless_asset_event(
        dg.AssetMaterialization(ASSET.split("/"), partition="2026-05-01", tags={"dagster/data_version": "v"})
    )
    old = executed(tmp_path, PARTITION, "failed-run", days_old=31)
    young = executed(tmp_path, PARTITION, "another-run", days_old=29)
    of_current = executed(tmp_path, "2026-05-03", current, days_old=400)
    run_once(service, tmp_path, keep_days)
    assert young.exists()
    assert of_current.exists()
    assert old.exists() == (keep_days is None)
