"""The debt as the command shows it: a shop on a real instance, of which facts are recorded and no notebook runs.

It is 10 March in Berlin, 09:00, unless a test says otherwise; the events of 9 March have not arrived. Training reads
three days, and the metrics of a day mature at the beginning of the fourth day after it.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from dagster._core.scheduler.instigation import TickStatus

from ml_assets.domain.durations import Duration
from ml_assets.domain.owed.debt import Cause, Debt, Entry, LateChange
from ml_assets.orchestration.assets import code_versions
from ml_assets.orchestration.recorded.facts import read_facts
from ml_assets.project import project as project_module
from ml_assets.project.answers.debt import ModelDebt, render
from ml_assets.project.faults import EXIT_CODE
from ml_assets.project.home import prepare_home
from ml_assets.project.project import Project
from tests.project.answers.owing import AT, EVALUATION_DATA, HORIZON, METRICS, MODEL, TRAINING_DATA, Shop, tick
from tests.support import shop
from tests.support.projects import TeamProject


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """3 March is done, the model of 4 March made again since, and the evaluation of 5 March has failed."""
    team = TeamProject.make(tmp_path_factory.mktemp("debt"), "debt_shop", shop.DEFS)
    project = team.project
    model = project.models["shop/order"]
    found = Shop(project, model, code_versions([model], project.root))
    for day in range(1, 9):
        found.arrive("visits", day)
        found.arrive("orders", day)
    found.make(TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS, day=3)
    found.make(TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS, MODEL, day=4)
    found.make(TRAINING_DATA, MODEL, day=5)
    found.fail(EVALUATION_DATA, day=5, error="NotebookError: [red] no rows")
    # Corrected in time, and too late.
    found.arrive("visits", 1, "v2")
    found.arrive("orders", 5, "v2.v1")
    with pytest.MonkeyPatch.context() as patch:
        # The command's project is the one that it is installed in.
        patch.setattr(project_module, "Project", lambda _: project)
        yield found


def test_the_debt_is_told_by_horizon_then_by_spans_of_one_cause_and_reason(made: Shop) -> None:
    assert (
        made.debt().stdout
        == """\
shop/order as of 2026-03-10 09:00 CET
    2d: done 1, missing input 4, stale 1, failed 1
  2d  2026-03-04              stale          2d 9h  its model was made again
  2d  2026-03-05              failed         1d 9h  shop/order/evaluation_data_2d failed in run run-7: NotebookError: [red] no rows
  2d  2026-03-06..2026-03-07  missing input  9h 0m  shop/orders 2026-03-09
  2d  2026-03-08..2026-03-09  missing input         shop/visits 2026-03-09, shop/orders 2026-03-09
  outdated or lost, and made again by hand only:
    shop/order/training_data 2026-03-03: its event partitions changed
  changed after the restatement window, and not acted on:
    shop/orders 2026-03-05: read by shop/order/metrics_2d 2026-03-03..2026-03-04
"""
    )


def test_what_should_exist_is_reckoned_as_of_the_instant_that_is_given(made: Shop) -> None:
    lines = made.debt(as_of="2026-03-08T23:59:59+01:00").stdout.splitlines()
    assert lines[:2] == ["shop/order as of 2026-03-08 23:59 CET", "    2d: done 1, waiting 2, stale 1, failed 1"]
    assert lines[4:6] == [
        "  2d  2026-03-06..2026-03-07  waiting           matures at 2026-03-10 00:00 CET .. 2026-03-11 00:00 CET",
        "  outdated or lost, and made again by hand only:",
    ]


def test_before_anything_is_expected_nothing_is_owed(made: Shop) -> None:
    result = made.debt(as_of="2026-03-03T22:59Z")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == ["shop/order as of 2026-03-03 23:59 CET", "  no metric is expected yet"]


def test_the_exit_code_is_1_when_more_than_time_is_needed_and_0_otherwise(made: Shop) -> None:
    assert made.debt().exit_code == 1
    assert made.debt("--json").exit_code == 1
    assert made.debt(as_of="2026-03-04T00:00+01:00").exit_code == 0, "3 March alone is expected, and done"


@pytest.mark.parametrize("cause", list(Cause))
def test_what_is_done_runs_or_waits_is_not_owed(made: Shop, cause: Cause) -> None:
    entry = Entry("2026-03-03", HORIZON, cause, AT)
    owed = ModelDebt(made.model, Debt((entry,), {}, ()), {}).owed
    assert owed == (cause not in (Cause.DONE, Cause.RUNNING, Cause.WAITING))


def test_each_horizon_has_its_counts_and_a_done_partition_ends_a_span(made: Shop) -> None:
    day, hour = Duration(1, "d"), timedelta(hours=1)
    entries = (
        Entry("2026-03-03", day, Cause.DUE, AT, "shop/order/model is due", MODEL),
        Entry("2026-03-04", day, Cause.DONE, AT + hour),
        Entry("2026-03-05", day, Cause.DUE, AT + 2 * hour, "shop/order/model is due", MODEL),
        Entry("2026-03-03", HORIZON, Cause.WAITING, AT + 24 * hour),
        Entry("2026-03-04", HORIZON, Cause.WAITING, AT, "for shop/orders 2026-03-08"),
        Entry("2026-03-05", HORIZON, Cause.WAITING, AT, "for shop/orders 2026-03-08"),
    )
    outdated = {MODEL: {"2026-03-03": "one", "2026-03-04": "other", "2026-03-05": "one"}}
    late = LateChange("shop/orders", "2026-03-01", {})
    lines = render([ModelDebt(made.model, Debt(entries, outdated, (late,)), {})], as_of=AT + 2 * hour)
    assert [line.plain for line in lines] == [
        "shop/order as of 2026-03-07 03:00 CET",
        "    1d: done 1, due 2",
        "    2d: waiting 3",
        "  1d  2026-03-03              due      2h 0m  shop/order/model is due",
        "  1d  2026-03-05              due      0m     shop/order/model is due",
        "  2d  2026-03-03              waiting         matures at 2026-03-08 01:00 CET",
        "  2d  2026-03-04..2026-03-05  waiting  2h 0m  for shop/orders 2026-03-08",
        "  outdated or lost, and made again by hand only:",
        "    shop/order/model 2026-03-03, 2026-03-05: one",
        "    shop/order/model 2026-03-04: other",
        "  changed after the restatement window, and not acted on:",
        "    shop/orders 2026-03-01: read by no metric that exists",
    ]


@pytest.fixture
def fresh(made: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The shop before anything is recorded of it."""
    project = Project(tmp_path / "home", made.project.root)
    monkeypatch.setattr(project_module, "Project", lambda _: project)
    prepare_home(project.home)
    return Shop(project, made.model, made.code)


def test_before_a_sensor_or_a_backfill_has_looked_nothing_is_said_to_be_missing(fresh: Shop) -> None:
    first = fresh.debt()
    assert first.exit_code == 1, "they are owed, whatever the reason"
    assert first.stdout.splitlines()[1:] == [
        "    2d: not looked at yet 7",
        "  2d  2026-03-03..2026-03-09  not looked at yet  3d 9h  no sensor has looked at shop/visits, shop/orders",
    ]
    assert {one["cause"] for one in json.loads(fresh.debt("--json").stdout)["models"]["shop/order"]["entries"]} == {
        "not looked at yet"
    }
    tick(fresh, TickStatus.FAILURE)
    assert "not looked at yet 7" in fresh.debt().stdout, "the source was down"
    tick(fresh, TickStatus.SKIPPED)
    assert fresh.debt().stdout.splitlines()[1:] == [
        "    2d: missing input 7",
        "  2d  2026-03-03..2026-03-09  missing input  3d 9h  2026-03-03: shop/visits 2026-03-01..2026-03-04, "
        "shop/orders 2026-03-01..2026-03-06",
    ]


def test_once_something_of_a_log_is_recorded_it_has_been_looked_at(fresh: Shop) -> None:
    for log in ("visits", "orders"):
        fresh.arrive(log, 1)
    assert "missing input 7" in fresh.debt().stdout


def test_equal_failures_are_one_line_whatever_partitions_and_numbers_they_name(made: Shop) -> None:
    data, days = "shop/order/training_data", ("2026-03-03", "2026-03-04", "2026-03-05")
    entries = [Entry(day, HORIZON, Cause.FAILED, AT, f"{data} failed", data, f"run-{day[-1]}") for day in days]
    errors = {(data, day): f"LeakError: {number} of 300 rows of {day}" for number, day in enumerate(days)}
    lines = [line.plain for line in render([ModelDebt(made.model, Debt(tuple(entries), {}, ()), errors)], as_of=AT)]
    assert lines[2:] == [
        "  2d  2026-03-03..2026-03-05  failed  0m  2026-03-03: shop/order/training_data failed in run run-3: "
        "LeakError: 0 of 300 rows of 2026-03-03"
    ]
    errors[data, "2026-03-04"] = "LeakError: another rule"
    lines = [line.plain for line in render([ModelDebt(made.model, Debt(tuple(entries), {}, ()), errors)], as_of=AT)]
    assert len(lines) == 5, "another cause is another line"


def test_of_many_models_one_that_is_well_has_one_line(made: Shop) -> None:
    done, waiting = (Entry("2026-03-03", HORIZON, cause, AT) for cause in (Cause.DONE, Cause.WAITING))
    due = Entry("2026-03-04", Duration(1, "d"), Cause.DUE, AT, "shop/order/model is due", MODEL)
    well, nothing, owing = (
        ModelDebt(made.model, Debt(entries, {}, ()), {}) for entries in ((done, waiting), (), (due, done))
    )
    lines = [line.plain for line in render([well, nothing, owing], as_of=AT)]
    assert lines[:2] == ["shop/order  2d: done 1, waiting 1", "shop/order  no metric is expected yet"]
    assert lines[2:] == [line.plain for line in render([owing], as_of=AT)]


def test_json_holds_every_entry_and_what_is_outdated_and_late(made: Shop) -> None:
    found = json.loads(made.debt("shop/order", "--json").stdout)
    assert found["as_of"] == "2026-03-10T08:00:00+00:00"
    (name, model), *others = found["models"].items()
    assert (name, others) == ("shop/order", [])
    entries = {entry["partition"]: entry for entry in model["entries"]}
    assert list(entries) == [f"2026-03-{day:02}" for day in range(3, 10)]
    assert entries["2026-03-05"] == {
        "partition": "2026-03-05",
        "horizon": "2d",
        "cause": "failed",
        "matures_at": "2026-03-08T23:00:00+00:00",
        "age_seconds": 33 * 3600,
        "why": "shop/order/evaluation_data_2d failed",
        "run": "run-7",
        "error": "NotebookError: [red] no rows",
    }
    assert entries["2026-03-09"] == {
        "partition": "2026-03-09",
        "horizon": "2d",
        "cause": "missing input",
        "matures_at": "2026-03-12T23:00:00+00:00",
        "age_seconds": None,
        "why": "shop/visits 2026-03-09, shop/orders 2026-03-09",
        "run": None,
        "error": None,
    }
    assert model["outdated"] == {TRAINING_DATA: {"2026-03-03": "its event partitions changed"}}
    late = {"log": "shop/orders", "partition": "2026-03-05", "metrics": {METRICS: ["2026-03-03", "2026-03-04"]}}
    assert model["late"] == [late]


def test_nothing_is_launched_or_recorded_and_no_source_is_asked(made: Shop) -> None:
    instance = made.project.instance
    before = read_facts(instance, [made.model], code=made.code)
    made.debt()
    assert instance.get_runs_count() == 0
    assert read_facts(instance, [made.model], code=made.code) == before
    assert not made.project.events_root.exists(), "there is no event file that could have been read"


@pytest.mark.parametrize("text", ["2026-03-10", "2026-03-10T09:00", "yesterday", "0001-01-01T00:00+14:00"])
def test_an_instant_without_a_time_zone_is_refused_with_what_would_be_right(made: Shop, text: str) -> None:
    result = made.debt(as_of=text)
    assert result.exit_code == 2
    assert (
        f"'{text}' is no instant; write a date before 2100, a time and a zone, such as 2026-01-05T09:00+01:00"
        in result.stderr
    )


def test_an_unknown_model_is_answered_with_those_that_there_are(made: Shop) -> None:
    result = made.debt("shop/orders")
    assert result.exit_code == 2
    assert "'shop/orders' is no model (did you mean 'shop/order'?); there are shop/order" in result.stderr


def test_what_is_lost_is_told_by_spans_with_the_first_file_and_is_owed(
    made: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(made.project.home, home)
    project = Project(home, made.project.root)
    monkeypatch.setattr(project_module, "Project", lambda _: project)
    for asset in (TRAINING_DATA, MODEL):
        shutil.rmtree(project.store.root / asset)
    (project.store.folder(METRICS, "2026-03-03", "") / "manifest.json").write_text("")
    lost = replace(made, project=project)
    result = lost.debt()
    assert result.exit_code == 1
    root = project.store.root
    lines = result.stdout.splitlines()
    assert lines[1] == "    2d: missing input 4, lost 3", "what is to be made of a lost model is owed for that"
    assert lines[2] == (
        f"  2d  2026-03-03..2026-03-05  lost           3d 9h  2026-03-03: {TRAINING_DATA} is recorded, but lost from the "
        f"store: {root}/{TRAINING_DATA}/2026-03-03/manifest.json"
    )
    assert lines[-4:-2] == [
        f"    {asset} 2026-03-03..2026-03-05: 2026-03-03: recorded, but lost from the store: "
        f"{root}/{asset}/2026-03-03/manifest.json"
        for asset in (TRAINING_DATA, MODEL)
    ]
    entries = json.loads(lost.debt("--json").stdout)["models"]["shop/order"]["entries"]
    assert entries[0]["cause"] == "lost"


def test_a_store_that_cannot_be_listed_is_an_error_and_no_loss(
    made: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    shutil.copytree(made.project.home, home)
    project = Project(home, made.project.root)
    monkeypatch.setattr(project_module, "Project", lambda _: project)
    shutil.rmtree(home / "artifacts")
    (home / "artifacts").write_text("no folder")
    result = replace(made, project=project).debt()
    assert result.exit_code == EXIT_CODE
    assert result.stderr.startswith(f"Error: the store {home}/artifacts cannot be listed: NotADirectoryError: ")
    assert len(result.stderr.splitlines()) == 1
