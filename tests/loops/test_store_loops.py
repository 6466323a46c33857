"""The whole loop with event logs, artifacts and executed notebooks in S3 and in HDFS, both real: as on a disk."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pandas as pd
import pytest
from upath import UPath

from ml_assets import variables
from ml_assets.data.artifacts.tables import read_table
from ml_assets.notebooks.order import TABLE
from ml_assets.orchestration.recorded.facts import asset_key
from ml_assets.orchestration.recorded.lineage import current_runs, trace
from ml_assets.paths import AnyPath, path_of
from tests.support import shop
from tests.support.hdfs import Hdfs
from tests.support.projects import TeamProject
from tests.support.s3 import BUCKET, s3_server
from tests.support.s3 import variables as set_variables
from tests.support.webserver import Webserver, webserver

pytestmark = pytest.mark.slow

METRICS = "shop/order/metrics_2d"
ASSETS = [f"shop/order/{step}" for step in ("training_data", "model", "evaluation_data_2d", "metrics_2d")]


@pytest.fixture(scope="module", params=["s3", "hdfs"])
def root(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where everything lies."""
    if request.param == "hdfs":
        yield f"{request.getfixturevalue('hdfs').url}/shop team"
        return
    with s3_server() as environment, set_variables(environment):
        yield f"s3://{BUCKET}/shop team"


@pytest.fixture(scope="module")
def team(root: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeamProject]:
    """A shop whose events are there up to 6 March, and are evaluated."""
    with set_variables({variables.STORAGE: root}):
        team = shop_until_6_march(tmp_path_factory.mktemp("shop"))
        events = team.home / "events"
        remote = path_of(f"{root}/events")
        assert isinstance(remote, UPath)
        files = [path for path in events.rglob("*") if path.is_file()]
        remote.fs.put([str(path) for path in files], [(remote / str(path.relative_to(events))).path for path in files])
        with team.daemon():
            team.settle("shop", seconds=300)
            yield team


@pytest.fixture(scope="module")
def on_a_disk(tmp_path_factory: pytest.TempPathFactory) -> list[dict[tuple[str, str], str]]:
    """The data versions of the same shop on the disk of this machine, before and after the correction."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(variables.STORAGE)
        team = shop_until_6_march(tmp_path_factory.mktemp("disk"))
        team.make_due("shop")
        before = data_versions(team)
        correct(team.home)
        team.make_due("shop")
        return [before, data_versions(team)]


def shop_until_6_march(folder: Path) -> TeamProject:
    team = TeamProject.make(folder, f"{folder.name}_shop", shop.DEFS)
    for log in ("visits", "orders"):
        shop.arrive(team, log, 1, 6)
    return team


def correct(root: AnyPath) -> None:
    path = root / "events/shop/visits/date=2026-03-04/part-0.parquet"
    with path.open("rb") as file:
        rows = pd.read_parquet(file)
    with path.open("wb") as file:
        rows.iloc[1:].to_parquet(file, index=False)


def data_versions(team: TeamProject) -> dict[tuple[str, str], str]:
    """Of every partition of the model."""
    store = team.project.store
    return {
        (asset, partition): store.load(asset, partition, run).data_version
        for asset in ASSETS
        for partition, run in current_runs(team.project.instance, asset).items()
    }


def test_models_are_made_and_judged(team: TeamProject) -> None:
    assert sorted(current_runs(team.project.instance, METRICS)) == ["2026-03-03"]
    assert trace(team.project.instance, team.project.store, METRICS, "2026-03-03").problems == ()


def test_everything_lies_in_the_store_and_nothing_on_the_disk(team: TeamProject, root: str) -> None:
    store = team.project.store
    run = current_runs(team.project.instance, METRICS)["2026-03-03"]
    folder = store.folder(METRICS, "2026-03-03", run)
    assert str(folder) == f"{root}/artifacts/{METRICS}/2026-03-03/{run}"
    assert json.loads((folder / "manifest.json").read_text())["files"][TABLE] > 0
    assert not read_table(folder / TABLE).empty
    assert not (team.home / "artifacts").exists()
    assert not (team.home / "notebooks").exists()


@pytest.fixture(scope="module")
def ui(team: TeamProject) -> Iterator[Webserver]:
    with webserver(team) as server:
        yield server


def test_an_executed_notebook_is_shown_by_a_process_that_did_not_write_it(
    team: TeamProject, ui: Webserver, root: str
) -> None:
    run = current_runs(team.project.instance, METRICS)["2026-03-03"]
    path = f"{root}/notebooks/{METRICS}/2026-03-03/{run}.ipynb"
    filters = dg.AssetRecordsFilter(asset_key=asset_key(METRICS), asset_partitions=["2026-03-03"])
    (record,) = team.project.instance.fetch_materializations(filters, limit=1).records
    link = record.asset_materialization.metadata["executed notebook"].url
    assert link == f"/notebook?path={quote(path, safe='/:')}&repoLocName={ui.location}"
    page = ui.page(link)
    assert "normalized_entropy" in page
    assert "s3-secret-of-the-test" not in page


def test_what_is_no_executed_notebook_is_not_shown(ui: Webserver, root: str) -> None:
    for path in (
        f"{root.removesuffix('shop team')}other/a.ipynb",
        f"{root}/notebooks/../artifacts/a.ipynb",
        "/etc/a.ipynb",
    ):
        with pytest.raises(AssertionError, match="Internal Server Error"):
            ui.notebook(path)


def test_the_executed_notebook_is_exported_by_the_command_line(team: TeamProject) -> None:
    result = team.command("ml-assets", "notebook", METRICS, "2026-03-03", "--html", "page.html")
    assert result.returncode == 0, result.stderr
    assert "normalized_entropy" in (team.root / "page.html").read_text(encoding="utf-8")


def test_a_partition_opens_in_jupyter_from_the_store(team: TeamProject, monkeypatch: pytest.MonkeyPatch) -> None:
    from ml_assets.jupyter import context_of
    from ml_assets.notebooks.step import Step

    monkeypatch.setenv("DAGSTER_HOME", str(team.home))
    monkeypatch.chdir(team.root)
    step = Step.of(context_of(METRICS, "2026-03-03"))
    assert len(step.read("evaluation_data")) == 300
    assert step.load_model().predict(step.read("evaluation_data")).shape == (300,)


def test_every_artifact_is_what_it_is_on_a_disk_and_so_after_a_correction(
    team: TeamProject, root: str, on_a_disk: list[dict[tuple[str, str], str]]
) -> None:
    before = current_runs(team.project.instance, METRICS)["2026-03-03"]
    assert {asset for asset, _ in on_a_disk[0]} == set(ASSETS)
    assert data_versions(team) == on_a_disk[0]
    correct(path_of(root))
    team.settle("shop", seconds=300)
    assert data_versions(team) == on_a_disk[1] != on_a_disk[0]
    after = current_runs(team.project.instance, METRICS)["2026-03-03"]
    assert after != before
    found = team.project.store.load(METRICS, "2026-03-03", after).manifest
    assert found["supersedes"] == before


@pytest.mark.parametrize("root", ["hdfs"], indirect=True)
def test_a_name_node_that_is_away_is_told_in_one_line_and_nothing_is_lost(
    team: TeamProject, root: str, hdfs: Hdfs, ui: Webserver
) -> None:
    made = current_runs(team.project.instance, METRICS)
    hdfs.kill()
    try:
        commands = [("plan", "all"), ("verify",), ("debt",), ("notebook", METRICS, "2026-03-03")]
        with ThreadPoolExecutor(len(commands)) as threads:
            results = list(threads.map(lambda command: team.command("ml-assets", *command), commands))
        for command, result in zip(commands, results, strict=True):
            assert result.returncode != 0, command
            assert "does not answer; see that it runs" in result.stderr, command
            assert "Traceback" not in result.stderr, command
            assert len(result.stderr.strip().splitlines()) == 1, command
        page = ui.page(f"/notebook?path={quote(f'{root}/notebooks/a/b/c.ipynb', safe='/:')}&repoLocName={ui.location}")
        assert "does not answer; see that it runs" in page
    finally:
        hdfs.start()
    assert current_runs(team.project.instance, METRICS) == made
    result = team.command("ml-assets", "verify")
    assert result.returncode == 0, result.stdout
