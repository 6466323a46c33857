"""The demo on a few days, through the real daemon; and the commands on the state that it leaves."""

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from ml_assets import variables
from ml_assets.demo.run import run_demo
from ml_assets.examples import advertising, demo_days, fashion, grocery
from ml_assets.orchestration.recorded.lineage import current_runs
from ml_assets.paths import path_of
from ml_assets.project.answers.results import examples_of, judgements
from ml_assets.project.project import Project
from ml_assets.testing.run_notebook import RunNotebook
from tests.support import forks
from tests.support.hdfs import Hdfs
from tests.support.jupyter import assert_same_as_under_dagster
from tests.support.projects import REPOSITORY

pytestmark = pytest.mark.slow

#: 19 weeks before the days on which `ads` and `fashion` are simulated.
ANCHOR = date(2025, 9, 3)
# One evaluation at 1d of one model, one at 1h and one at 3d of the others; everything else waits.
DAYS = {
    "ads_days": (date(2025, 12, 12), date(2026, 1, 3)),
    "fashion_days": (date(2026, 1, 1), date(2026, 1, 9)),
    "grocery_days": (date(2017, 2, 1), date(2017, 3, 4)),
}
NOTEBOOKS = sorted(path for path in (REPOSITORY / "notebooks").glob("*/*.ipynb") if path.parent.name != "examples")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "home"


@pytest.fixture(scope="module")
def shown(home: Path, pytestconfig: pytest.Config) -> str:
    """What the demo prints."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        return demo(home)


def demo(home: Path) -> str:
    """Run the demo. Returns: what it prints."""
    home.mkdir()
    (home / demo_days.FILE).write_text(str(ANCHOR), encoding="utf-8")
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from tests.demo.test_run import *; raise SystemExit(run_demo(Path({str(home)!r}), seconds=900, **DAYS))",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def versions(home: Path) -> dict[tuple[str, str], str]:
    """The data version of each partition that was made."""
    project = Project(home)
    return {
        (asset, partition): project.store.load(asset, partition, run).data_version
        for asset in project.assets
        for partition, run in current_runs(project.instance, asset).items()
    }


def made(home: Path, asset: str) -> list[str]:
    return sorted(current_runs(Project(home).instance, asset))


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return forks.run(["ml_assets", *arguments, "--home", str(home)], cwd=REPOSITORY)


def test_the_demo_makes_what_is_mature_and_says_why_the_rest_waits(home: Path, shown: str) -> None:
    assert made(home, "ads/cvr/model") == ["2025-08-21", "2025-08-22", "2025-08-23"]
    assert made(home, "ads/cvr/metrics_1d") == ["2025-08-21"]
    assert made(home, "ads/cvr/metrics_7d") == []
    assert (
        "ads/cvr/metrics_7d: 2025-08-21..2025-09-02 waiting (2025-08-21 for ads/conversions 2025-08-24..2025-08-29)"
        in shown
    )


def test_the_demo_evaluates_the_click_model(home: Path, shown: str) -> None:
    assert made(home, "fashion/click/metrics_1h") == ["2025-08-27"]
    assert "fashion/click" in shown


def test_over_hdfs_the_demo_makes_the_same_versions(home: Path, shown: str, tmp_path: Path, hdfs: Hdfs) -> None:
    expected = versions(home)
    with variables.being(variables.STORAGE, f"{hdfs.url}/demo team"):
        assert "fashion/click" in demo(tmp_path / "home")
        assert versions(tmp_path / "home") == expected
        day = Project(tmp_path / "home").events_root / advertising.IMPRESSIONS / "date=2025-08-21"
    assert {"ads/cvr", "fashion/click"} <= {asset.rpartition("/")[0] for asset, _ in expected}
    assert not any((tmp_path / "home" / name).exists() for name in ("events", "artifacts", "notebooks"))
    # As a person reads one in a notebook, where there is no libhdfs, which pandas would look for.
    with path_of(f"{day}/part-0.parquet").open("rb") as file:
        assert len(pd.read_parquet(file)) > 1_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_unedited_notebook_makes_in_jupyter_what_the_demo_made_by_dagster(
    path: Path, home: Path, shown: str
) -> None:
    assert_same_as_under_dagster(path, Project(home))


@pytest.mark.skipif(grocery.available() is not None, reason=str(grocery.available()))
def test_the_demo_evaluates_the_real_baskets(home: Path, shown: str) -> None:
    assert made(home, "grocery/revisit/metrics_3d") == ["2025-08-19"]
    assert "grocery/revisit" in shown


def test_the_table_names_the_model_run_that_was_judged(home: Path, shown: str) -> None:
    run = current_runs(Project(home).instance, "ads/cvr/model")["2025-08-21"]
    row = next(line for line in shown.splitlines() if "2025-08-21   1d" in line)
    assert run.split("-")[0] in row


def test_a_second_demo_redoes_nothing(home: Path, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = Project(home).instance.get_runs_count()
    assert run_demo(home, seconds=60, **DAYS) == 0
    assert "has been evaluated already" in capsys.readouterr().out
    assert Project(home).instance.get_runs_count() == before


def test_metrics_are_those_of_the_days_on_which_events_are_simulated(
    home: Path, shown: str, tmp_path: Path, run_notebook: RunNotebook
) -> None:
    project = Project(home)
    (judged,) = judgements(project, project.models["ads/cvr"])
    assert judged.partition == "2025-08-21"
    advertising.write_logs(tmp_path, first_day=date(2025, 12, 12), last_day=date(2026, 1, 3))
    keys = (advertising.IMPRESSIONS, advertising.CONVERSIONS)
    logs = {key: pd.read_parquet(tmp_path / key).drop(columns="date") for key in keys}
    # The home of `run_notebook` has no anchor.
    asset = "ads/cvr/{}".format
    learned, examples = (
        run_notebook(asset(name), "2026-01-01", logs=logs) for name in ("training_data", "evaluation_data_1d")
    )
    old = examples.table
    moved = {name: old[name] - timedelta(weeks=19) for name in old.select_dtypes("datetimetz")}
    assert_frame_equal(old.assign(**moved), examples_of(project, judged))
    model = run_notebook(asset("model"), inputs={"training_data": learned})
    table = run_notebook(asset("metrics_1d"), inputs={"evaluation_data": examples, "model": model}).table
    assert_frame_equal(table.set_index("metric"), judged.metrics)


def test_without_the_package_the_real_data_is_left_out_and_the_rest_runs(
    home: Path, shown: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grocery, "available", lambda: "the package is not installed")
    assert run_demo(home, seconds=60, **DAYS) == 0
    printed = capsys.readouterr().out
    assert "The real data (grocery/revisit) is left out: the package is not installed" in printed
    assert "ads/cvr" in printed


def test_the_report_shows_each_model_that_has_metrics(home: Path, shown: str) -> None:
    page = (home / "report.html").read_text(encoding="utf-8")
    assert 'alt="ROC AUC of ads/cvr over its partitions"' in page
    assert "data:image/svg+xml;base64," in page


def test_lineage_prints_the_chain_down_to_the_event_partitions(home: Path, shown: str) -> None:
    result = command(home, "lineage", "ads/cvr/metrics_1d", "2025-08-21")
    assert result.returncode == 0, result.stderr
    assert "ads/cvr/training_data 2025-08-21" in result.stdout
    assert "ads/impressions: 21 event partitions" in result.stdout
    found = json.loads(command(home, "lineage", "ads/cvr/metrics_1d", "2025-08-21", "--json").stdout)
    assert found["problems"] == []
    assert [link["asset"] for link in found["lineage"]["inputs"]] == ["ads/cvr/evaluation_data_1d", "ads/cvr/model"]


def test_lineage_of_what_does_not_exist_ends_with_one_and_says_so(home: Path, shown: str) -> None:
    result = command(home, "lineage", "ads/cvr/metrics_7d", "2025-08-25")
    assert result.returncode == 1
    assert "ads/cvr/metrics_7d 2025-08-25 does not exist: no run has materialized it" in result.stderr


def test_lineage_with_a_missing_artifact_ends_with_one_and_names_it(home: Path, shown: str) -> None:
    project = Project(home)
    run = current_runs(project.instance, "ads/cvr/training_data")["2025-08-21"]
    manifest = project.store.folder("ads/cvr/training_data", "2025-08-21", run) / "manifest.json"
    text = manifest.read_text(encoding="utf-8")
    manifest.unlink()
    result = command(home, "lineage", "ads/cvr/metrics_1d", "2025-08-21")
    manifest.write_text(text, encoding="utf-8")
    assert result.returncode == 1
    assert "ads/cvr/training_data 2025-08-21" in result.stderr
    assert "manifest.json is missing" in result.stderr


def test_lineage_of_an_unknown_asset_names_those_that_exist(home: Path, shown: str) -> None:
    result = command(home, "lineage", "ads/cvr/metrics_30d", "2025-08-25")
    assert result.returncode == 2
    assert "ads/cvr/metrics_7d" in result.stderr


def test_lineage_of_a_metric_whose_model_was_remade_ends_with_one_and_names_the_run(home: Path, shown: str) -> None:
    result = forks.run(
        [
            *["dagster", "asset", "materialize", "-m", "ml_assets.definitions"],
            *["--select", "ads/cvr/model", "--partition", "2025-08-21"],
        ],
        cwd=REPOSITORY,
        env={**os.environ, "DAGSTER_HOME": str(home)},
    )
    assert result.returncode == 0, result.stderr
    remade = current_runs(Project(home).instance, "ads/cvr/model")["2025-08-21"]
    found = command(home, "lineage", "ads/cvr/metrics_1d", "2025-08-21")
    assert found.returncode == 1
    assert f"ads/cvr/model 2025-08-21 has been remade since, by run {remade}" in found.stderr


def test_commands_that_read_refuse_a_home_that_is_not_there(tmp_path: Path) -> None:
    result = command(tmp_path / "none", "lineage", "ads/cvr/metrics_1d", "2025-08-21")
    assert result.returncode == 2
    assert "does not exist" in result.stderr
    assert not (tmp_path / "none").exists()


def test_a_backfill_makes_another_day_of_a_home_that_no_variable_names(home: Path, shown: str) -> None:
    day = date(2026, 1, 10)
    fashion.write_logs(home / "events", first_day=day, last_day=day, shift=demo_days.DemoDays(ANCHOR).shift("fashion"))
    result = command(home, "backfill", "fashion/click/training_data")
    assert result.returncode == 0, result.stdout + result.stderr
    assert made(home, "fashion/click/training_data")[-1] == "2025-08-30"
