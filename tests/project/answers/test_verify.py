"""The store against what is recorded: artifacts of real tables and files, which no run has made."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from dagster._core.events import StepMaterializationData
from dagster._core.test_utils import create_run_for_test

from ml_assets.cli.main import main
from ml_assets.data.artifacts.content import hash_files, hash_frame
from ml_assets.data.artifacts.store import MANIFEST
from ml_assets.notebooks.order import TABLE
from ml_assets.orchestration.recorded.facts import materialization
from ml_assets.project import project as project_module
from ml_assets.project.faults import EXIT_CODE
from ml_assets.project.project import Project
from tests.support import shop
from tests.support.projects import TeamProject

DATA, MODEL = "shop/order/training_data", "shop/order/model"
EVALUATION, METRICS = "shop/order/evaluation_data_2d", "shop/order/metrics_2d"
DAY = "2026-03-03"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A day of all assets is made; the model was made again since, and the metric judged the one before."""
    project = TeamProject.make(tmp_path, f"verified_{tmp_path.name}".replace("-", "_"), shop.DEFS).project
    monkeypatch.setattr(project_module, "Project", lambda _: project)
    data = make(project, DATA)
    model = make(project, MODEL, data)
    make(project, METRICS, make(project, EVALUATION), model)
    make(project, MODEL, data)
    return project


def make(project: Project, asset: str, *inputs: dict[str, Any]) -> dict[str, Any]:
    """Publish a partition, and record it of a run of its own. Returns: how a manifest names it."""
    run = create_run_for_test(project.instance, status=dg.DagsterRunStatus.SUCCESS)
    with project.store.draft(asset, DAY, run.run_id) as folder:
        if asset == MODEL:
            (folder / "trees.txt").write_text(run.run_id)
            version = hash_files([folder / "trees.txt"], relative_to=folder)
        else:
            frame = pd.DataFrame({"id": [1, 2], "who": ["a", None], "at": pd.to_datetime(["2026-03-03"] * 2, utc=True)})
            frame.to_parquet(folder / TABLE, index=False)
            version = hash_frame(frame)
        known = {"asset": asset, "partition": DAY, "run_id": run.run_id, "data_version": version}
        known["inputs"] = {of["asset"]: of for of in inputs}
        project.store.publish(folder, known, to=project.store.folder(asset, DAY, run.run_id))
    happened = StepMaterializationData(materialization(asset, DAY, version))
    event = dg.DagsterEvent("ASSET_MATERIALIZATION", run.job_name, event_specific_data=happened)
    project.instance.report_dagster_event(event, run_id=run.run_id)
    return known


def verify(project: Project, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["verify", *arguments, "--home", str(project.home)], catch_exceptions=False)


def folder(project: Project, known: dict[str, Any]) -> Path:
    found = project.store.folder(known["asset"], DAY, known["run_id"])
    assert isinstance(found, Path)
    return found


def test_what_is_there_as_it_was_recorded_is_well(project: Project) -> None:
    for arguments in ((), ("all",), ("--hashes",)):
        result = verify(project, *arguments)
        assert result.exit_code == 0
        # The model before is needed by the metric that judged it.
        assert result.stdout == "5 versions are recorded and needed, all of them there; 0 folders or files are extra\n"


def test_all_that_is_lost_is_named(project: Project) -> None:
    shutil.rmtree(project.home / "artifacts")
    result = verify(project)
    assert result.exit_code == 1
    *lines, last = result.stdout.splitlines()
    assert [line.split(" is recorded, but lost from the store: ")[0] for line in lines] == [
        f"lost: {asset} {DAY}" for asset in (DATA, MODEL, EVALUATION, METRICS)
    ]
    assert last == "4 versions are recorded and needed, 4 of them lost; 0 folders or files are extra"


def test_an_older_version_is_needed_where_something_was_made_of_it(project: Project) -> None:
    versions = sorted((project.store.root / MODEL / DAY).iterdir(), key=lambda path: path.stat().st_mtime)
    shutil.rmtree(versions[0])
    result = verify(project, MODEL)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == (
        f"lost: {MODEL} {DAY} of run {versions[0].name}, which {METRICS} {DAY} was made of, "
        f"is recorded, but lost from the store: {versions[0]}/manifest.json"
    )
    planned = CliRunner().invoke(main, ["plan", MODEL, "--home", str(project.home)])
    assert planned.exit_code == 0
    assert "lost" not in planned.stdout, "what is current is owed alone"


def test_an_older_version_that_nothing_was_made_of_is_not_missed(project: Project) -> None:
    old = make(project, METRICS)
    make(project, METRICS)
    shutil.rmtree(folder(project, old))
    assert verify(project, METRICS).exit_code == 0


def test_one_asset_is_verified_alone(project: Project) -> None:
    shutil.rmtree(project.store.root / MODEL)
    assert verify(project, DATA).exit_code == 0
    assert verify(project, MODEL).exit_code == 1
    assert verify(project, "shop/order").exit_code == 1


def other_rows(path: Path) -> None:
    frame = pd.read_parquet(path)
    frame.assign(id=frame["id"] + 1).to_parquet(path, index=False)


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize(("asset", "harm"), [(DATA, other_rows), (DATA, zeros), (MODEL, zeros)])
def test_content_that_is_another_one_of_the_same_size_is_found_by_its_hash_alone(
    asset: str, harm: Callable[[Path], None], project: Project
) -> None:
    known = make(project, asset)
    (file,) = (path for path in folder(project, known).iterdir() if path.name != MANIFEST)
    size = file.stat().st_size
    harm(file)
    assert file.stat().st_size == size
    assert verify(project, asset).exit_code == 0
    result = verify(project, asset, "--hashes")
    assert result.exit_code == 1
    (line, last) = result.stdout.splitlines()
    assert line.startswith(f"lost: {asset} {DAY} has another content in {folder(project, known)}: data version ")
    assert line.endswith(f", recorded is {known['data_version']}")
    assert "1 of them lost" in last


def test_a_table_that_was_rewritten_with_the_same_rows_is_the_same(project: Project) -> None:
    known = make(project, DATA)
    path = folder(project, known) / TABLE
    pd.read_parquet(path).iloc[::-1].to_parquet(path, index=False, compression="gzip")
    manifest = folder(project, known) / MANIFEST
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "files": {TABLE: path.stat().st_size}}))
    assert verify(project, DATA, "--hashes").exit_code == 0


def test_another_version_than_was_recorded_is_found_without_reading(project: Project) -> None:
    known = make(project, DATA)
    manifest = folder(project, known) / MANIFEST
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "data_version": "restored"}))
    assert f"data version restored, recorded is {known['data_version']}" in verify(project, DATA).stdout


def test_what_nobody_recorded_is_extra_and_no_failure(project: Project) -> None:
    killed = project.store.prepare(DATA, DAY, "killed")
    running = create_run_for_test(project.instance, status=dg.DagsterRunStatus.STARTED)
    for unrecorded in (killed, project.store.prepare(DATA, DAY, running.run_id)):
        (unrecorded / TABLE).write_bytes(b"half")
    result = verify(project)
    assert result.exit_code == 0
    assert result.stdout == (
        f"extra: {killed} is recorded by nobody\n"
        "5 versions are recorded and needed, all of them there; 1 folders or files are extra\n"
    )


def test_a_store_that_cannot_be_listed_is_an_error_and_no_loss(project: Project) -> None:
    shutil.rmtree(project.home / "artifacts")
    (project.home / "artifacts").touch()
    result = verify(project)
    assert (result.exit_code, result.stdout) == (EXIT_CODE, "")
    assert result.stderr.startswith(f"Error: the store {project.home}/artifacts cannot be listed: NotADirectoryError")
