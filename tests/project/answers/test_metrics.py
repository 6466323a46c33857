"""The metrics of a model as the command prints them: artifacts of real tables, which no run has made."""

import html
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from rich.text import Text

from ml_assets.cli.main import main
from ml_assets.data.artifacts.store import ArtifactError
from ml_assets.metrics.evaluate import evaluate
from ml_assets.metrics.log_loss import LOG_LOSS
from ml_assets.metrics.registry import ALL_METRICS
from ml_assets.notebooks.order import TABLE
from ml_assets.orchestration.recorded.facts import materialization
from ml_assets.project import project as project_module
from ml_assets.project.answers.metrics import table
from ml_assets.project.answers.results import judgements
from ml_assets.project.project import Project
from ml_assets.reports.metrics_page import chart, render
from tests.support import shop
from tests.support.projects import TeamProject

DAYS = ["2026-03-03", "2026-03-04", "2026-03-05"]
METRICS = "shop/order/metrics_2d"


def judged(day: str, *, rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(int(day[-2:]))
    labels = np.zeros(rows) if day == DAYS[-1] else rng.integers(0, 2, rows)
    two = timedelta(days=2)
    return evaluate(labels, rng.random(rows), horizon=two, attribution=two, seed=0, resamples=20)


def record(project: Project, day: str, metrics: pd.DataFrame) -> None:
    project.instance.report_runless_asset_event(materialization(METRICS, day, "version"))
    # Reported from outside of a run, it belongs to the run without a name.
    folder = project.store.prepare(METRICS, day, "")
    metrics.to_parquet(folder / TABLE, index=False)
    inputs = {"shop/order/model": {"run_id": "5f0e-model"}}
    project.store.publish(folder, {"run_id": f"run-of-{day}", "inputs": inputs})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A model with the metrics of three days; on the last, nobody ordered."""
    project = TeamProject.make(tmp_path_factory.mktemp("metrics"), "metrics_shop", shop.DEFS).project
    for day in DAYS:
        record(project, day, judged(day, rows=40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(project_module, "Project", lambda _: project)
        yield project


def printed(project: Project, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["metrics", *arguments, "--home", str(project.home)], catch_exceptions=False)


def test_a_line_for_each_partition_and_horizon_holds_every_metric_with_its_interval(project: Project) -> None:
    lines = [line.split() for line in printed(project, "shop/order").stdout.splitlines()]
    rows = [line for line in lines if line[:1] == ["shop/order"]]
    assert [row[1:4] for row in rows] == [[day, "2d", "40"] for day in DAYS]
    stored = judged(DAYS[0], rows=40).set_index("metric").loc["log_loss"]
    assert rows[0][4:7] == [f"{stored.value:.3f}", f"[{stored.low:.3f},", f"{stored.high:.3f}]"]
    assert "-" in rows[2], "what cannot be computed is no number"


def test_csv_is_read_by_pandas_as_it_is_stored(project: Project) -> None:
    result = printed(project, "shop/order", "--csv")
    found = pd.read_csv(io.StringIO(result.stdout), float_precision="round_trip")
    assert len(found) == len(DAYS) * len(ALL_METRICS)
    for day, rows in found.groupby("partition"):
        stored = judged(str(day), rows=40)
        got = rows[list(stored.columns)].reset_index(drop=True).assign(reason=rows["reason"].fillna("").to_numpy())
        pd.testing.assert_frame_equal(got, stored, check_exact=True, check_dtype=False)
    assert set(found["model_run"]) == {"5f0e-model"}
    assert result.stderr == ""


def test_json_holds_the_same_numbers_and_null_for_what_is_absent(project: Project) -> None:
    found = json.loads(printed(project, "shop/order", "--json").stdout)
    rows = {(row["partition"], row["metric"]): row for row in found["metrics"]}
    stored = judged(DAYS[1], rows=40).set_index("metric")
    assert rows[DAYS[1], "roc_auc"]["low"] == stored.loc["roc_auc", "low"]
    absent = rows[DAYS[2], "roc_auc"]
    assert (absent["value"], absent["run"]) == (None, f"run-of-{DAYS[2]}")
    assert absent["reason"] == "one class only: no positive among 40 examples"


@pytest.mark.parametrize(
    ("arguments", "days"),
    [(("--from", DAYS[1]), DAYS[1:]), (("--to", DAYS[1]), DAYS[:2]), (("--from", DAYS[1], "--to", DAYS[1]), DAYS[1:2])],
)
def test_the_ends_of_a_span_are_both_printed(project: Project, arguments: tuple[str, ...], days: list[str]) -> None:
    found = pd.read_csv(io.StringIO(printed(project, "shop/order", "--csv", *arguments).stdout))
    assert list(found["partition"].unique()) == days


@pytest.mark.parametrize("kind", [(), ("--csv",), ("--json",)])
def test_where_there_is_none_a_line_says_why_and_programs_read_on(project: Project, kind: tuple[str, ...]) -> None:
    result = printed(project, "shop/order", "--from", "2026-03-06", "--to", "2026-03-07", *kind)
    assert result.exit_code == 0
    line = (
        "no metric of shop/order in these partitions is there: 2d: not looked at yet 2; "
        "`ml-assets debt shop/order` says why\n"
    )
    assert (result.stderr if kind else result.stdout) == line
    if kind == ("--csv",):
        assert pd.read_csv(io.StringIO(result.stdout)).empty
    elif kind:
        assert json.loads(result.stdout) == {"model": "shop/order", "metrics": []}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("shop/ordr",), "'shop/ordr' is no model (did you mean 'shop/order'?); there are shop/order"),
        (("shop/order", "--from", "yesterday"), "--from of shop/order: 'yesterday' is no partition"),
    ],
)
def test_what_there_is_not_is_refused_in_words(project: Project, arguments: tuple[str, ...], words: str) -> None:
    result = printed(project, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_no_example_is_read(project: Project) -> None:
    assert not project.store.folder("shop/order/evaluation_data_2d", DAYS[0], "").exists()
    assert printed(project, "shop/order", "--csv").exit_code == 0


def test_what_was_recorded_before_the_calendar_moved_is_left_out(project: Project) -> None:
    model = project.models["shop/order"]
    later = replace(
        model, exposures=replace(model.exposures, partitions=replace(model.partitions, start=date(2026, 3, 4)))
    )
    for span in (None, range(2)):
        assert [one.partition for one in judgements(project, later, span)] == DAYS[1:]
    assert chart(judgements(project, later), LOG_LOSS)


def test_metrics_that_are_lost_are_one_line_and_the_others_are_printed(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(project.home, home)
    robbed = Project(home, project.root)
    monkeypatch.setattr(project_module, "Project", lambda _: robbed)
    for day in DAYS[1:]:
        (robbed.store.folder(METRICS, day, "") / TABLE).unlink()
    words = (
        f"{METRICS} 2026-03-04..2026-03-05: 2026-03-04: recorded, but lost from the store: "
        f"{robbed.store.root}/{METRICS}/2026-03-04/{TABLE}; `ml-assets plan shop/order` says what makes it again\n"
    )
    result = printed(robbed, "shop/order", "--csv")
    assert (result.exit_code, result.stderr) == (1, words)
    assert set(pd.read_csv(io.StringIO(result.stdout))["partition"]) == {DAYS[0]}
    page = home / "report.html"
    result = CliRunner().invoke(main, ["report", "--home", str(home)], catch_exceptions=False)
    assert (result.exit_code, result.stdout, result.stderr) == (1, f"wrote {page}\n", words)
    text = html.unescape(page.read_text())
    assert words.strip() in text
    assert "<td>2026-03-03</td>" in text
    with pytest.raises(ArtifactError, match="lost from the store"):
        judgements(robbed, robbed.models["shop/order"])


def test_where_all_are_lost_no_debt_is_told_instead(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(project.home, home)
    robbed = Project(home, project.root)
    monkeypatch.setattr(project_module, "Project", lambda _: robbed)
    shutil.rmtree(home / "artifacts")
    result = printed(robbed, "shop/order")
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1


def test_metrics_that_an_older_version_stored_are_shown_without_the_intervals_that_are_none(tmp_path: Path) -> None:
    project = TeamProject.make(tmp_path, "older_shop", shop.DEFS).project
    older = judged(DAYS[0], rows=40).drop(columns=["calibrated_low", "calibrated_high"])
    older.loc[older["metric"].isin(["roc_auc", "expected_calibration_error"]), ["value", "low", "high"]] = [
        1.0,
        1.0,
        1.0,
    ]
    record(project, DAYS[0], older)
    model = project.models["shop/order"]
    found = judgements(project, model)
    page = render([(model, found)])
    assert "1.000 [" not in page
    assert f"{DAYS[0]}, 2d: ROC AUC: no interval: all resamples give the same value" in page
    low, high = older.set_index("metric").loc["log_loss", ["low", "high"]]
    assert f"[{low:.3f}, {high:.3f}]" in page
    assert list(table(found, {"roc_auc": "ROC AUC"}).columns[4].cells) == [Text("1.000")]
