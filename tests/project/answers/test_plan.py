"""Plans, and backfills that have nothing to make, of logs that nobody has written yet, or that are gone."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ml_assets.cli.main import main
from ml_assets.orchestration.arrival.shown import arrival_records
from ml_assets.orchestration.assets import code_versions
from ml_assets.orchestration.recorded.facts import FAILED, attempt, materialization, read_arrived
from ml_assets.project import project as project_module
from ml_assets.project.faults import EXIT_CODE
from tests.support import shop
from tests.support.projects import TeamProject

DEFS = {
    **shop.DEFS,
    **{name.replace("shop", "cafe"): text.replace("shop/", "cafe/") for name, text in shop.DEFS.items()},
}


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TeamProject:
    """Two services with equal logs and models, of which nothing is there."""
    team = TeamProject.make(tmp_path, f"planned_{tmp_path.name}".replace("-", "_"), DEFS)
    project = team.project
    monkeypatch.setattr(project_module, "Project", lambda _: project)
    return team


def answer(team: TeamProject, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--home", str(team.home)])


def lines_of_logs(team: TeamProject, *services: str) -> list[str]:
    return [
        f"nothing has arrived yet: event log {service}/{log}: there is no folder {team.home}/events/{service}/{log}; "
        "its partitions are expected below it, such as date=2026-03-01/*.parquet, with _SUCCESS beside it"
        for service in services
        for log in ("visits", "orders")
    ]


def test_logs_that_nobody_has_written_are_a_line_each_and_only_those_that_are_asked_for(team: TeamProject) -> None:
    for command in ("plan", "backfill"):
        result = answer(team, command, "shop")
        assert result.exit_code == 0, result.output
        assert result.stdout.splitlines()[:3] == [*lines_of_logs(team, "shop"), "nothing to make"]
    assert json.loads(answer(team, "plan", "all", "--json").stdout)["absent"] == lines_of_logs(team, "cafe", "shop")


def test_a_backfill_asks_the_logs_that_it_needs_alone(team: TeamProject) -> None:
    for service in ("shop", "cafe"):
        for log in ("visits", "orders"):
            folder = team.home / "events" / service / log / "date=2026-03-01"
            folder.mkdir(parents=True)
            (folder / "_SUCCESS").touch()
    assert answer(team, "backfill", "all").exit_code == 0
    (team.home / "events/cafe").rename(team.home / "elsewhere")
    day = team.home / "events/shop/visits/date=2026-03-02"
    day.mkdir()
    (day / "_SUCCESS").touch()
    assert answer(team, "plan", "shop").exit_code == 0
    assert answer(team, "backfill", "shop").exit_code == 0
    visits = team.project.logs["shop/visits"]
    assert set(read_arrived(team.project.instance, [visits])["shop/visits"]) == {"2026-03-01", "2026-03-02"}
    for command in ("plan", "backfill"):
        gone = answer(team, command, "all")
        assert gone.exit_code == EXIT_CODE
        (line,) = gone.stderr.splitlines()
        assert line.startswith("Error: event log cafe/visits: there is no folder ")
        assert line.endswith("; 1 had arrived, and are out of reach or lost")


def test_folders_that_match_no_partition_are_told_wherever_a_person_looks(team: TeamProject) -> None:
    for log in ("visits", "orders"):
        for day in ("dt=2026-03-01", "dt=2026-03-02"):
            folder = team.home / "events/shop" / log / day
            folder.mkdir(parents=True)
            (folder / "_SUCCESS").touch()
    told = [
        f"event log shop/{log}: 2 folders match no partition, so that nothing of it is read, such as dt=2026-03-01: "
        "it would be date=2026-03-01"
        for log in ("visits", "orders")
    ]
    for command in ("plan", "backfill"):
        assert answer(team, command, "shop").stdout.splitlines()[:2] == told
    assert json.loads(answer(team, "plan", "shop", "--json").stdout)["unmatched"] == told
    assert team.project.look(["shop"]).message.splitlines()[:2] == told
    debt = answer(team, "debt", "shop/order", "--as-of", "2026-03-09T00:00Z")
    assert [line.strip() for line in debt.stdout.splitlines()][-2:] == told


def make(team: TeamProject, *days: str) -> None:
    """Record that all that comes before a metric is made of some days, and publish it."""
    project = team.project
    for asset in (f"shop/order/{step}" for step in ("training_data", "model", "evaluation_data_2d")):
        for day in days:
            project.instance.report_runless_asset_event(materialization(asset, day, "version"))
            # Reported from outside of a run, it belongs to the run without a name.
            project.store.publish(Path(str(project.store.prepare(asset, day, ""))), {"data_version": "version"})


def test_what_is_lost_is_owed_by_plan_and_backfill_with_the_first_file(team: TeamProject) -> None:
    make(team, "2026-03-03", "2026-03-04", "2026-03-05")
    for day in range(1, 10):
        for log in ("visits", "orders"):
            folder = team.home / "events/shop" / log / f"date=2026-03-{day:02}"
            folder.mkdir(parents=True)
            (folder / "_SUCCESS").touch()
    model = team.project.store.root / "shop/order/model"
    for day in ("2026-03-03", "2026-03-04"):
        (model / day / "manifest.json").unlink()
    span = ("--from", "2026-03-03", "--to", "2026-03-05", "--missing")
    lines = answer(team, "plan", "shop/order/model", *span).stdout.splitlines()
    assert [line.split("  ") for line in lines[:1]] == [
        [
            "shop/order/model",
            "2",
            "2026-03-03..2026-03-04",
            "no history yet",
            f"missing: 2026-03-03: recorded, but lost from the store: {model}/2026-03-03/manifest.json",
        ]
    ]
    why = json.loads(answer(team, "plan", "shop/order/model", *span, "--json", "--parallel", "1").stdout)["runs"][0][
        "why"
    ]
    words = f"missing: recorded, but lost from the store: {model}/2026-03-04/manifest.json"
    assert why["shop/order/model"]["2026-03-04"] == words
    blocked = answer(team, "plan", "shop/order/metrics_2d", *span).stdout.splitlines()[-1]
    lost = f"its model is recorded, but lost from the store: {model}/2026-03-03/manifest.json"
    assert blocked == f"  shop/order/metrics_2d 2026-03-03..2026-03-04 (2026-03-03 {lost})"
    launches = team.project.look(["shop"]).launches
    assert all(
        "shop/order/model" not in launch.request.assets or "2026-03-03" not in launch.request.partitions
        for launch in launches
    )


def test_what_debt_calls_failed_is_named_by_a_plan_that_leaves_it_out_with_what_makes_it_again(
    team: TeamProject,
) -> None:
    day, data, project = "2026-03-03", "shop/order/evaluation_data_2d", team.project
    for number in range(1, 7):
        for log in ("visits", "orders"):
            folder = team.home / "events/shop" / log / f"date=2026-03-{number:02}"
            folder.mkdir(parents=True)
            (folder / "_SUCCESS").touch()
    tick = project.look(["shop"])
    for record in arrival_records(tick.arrivals, project.logs.values(), project.events_root, tick.seen):
        project.instance.report_runless_asset_event(record)
    make(team, day)
    inputs = project.look(["shop"]).found["shop/order"][data][day].inputs or ""
    code = code_versions(project.models.values(), project.root)[data]
    project.instance.report_runless_asset_event(attempt(data, day, inputs, code, "run-7", FAILED))
    debt = answer(team, "debt", "shop/order", "--as-of", "2026-03-07T00:00Z").stdout
    assert f"{data} failed in run run-7" in debt
    line = f"left out: {data} {day}: stale: failed on its present inputs, in run run-7; --stale makes it again"
    span = ("--to", day, "--missing")
    for command in ("plan", "backfill"):
        printed = answer(team, command, data, *span).stdout.splitlines()
        assert printed == ["nothing to make", line]
    found = json.loads(answer(team, "plan", data, *span, "--json").stdout)["left_out"]
    assert found == {data: {day: "stale: failed on its present inputs, in run run-7"}}
    (again,) = json.loads(answer(team, "plan", data, "--to", day, "--stale", "--json").stdout)["runs"]
    assert again["partitions"] == [day]


def test_a_store_that_cannot_be_listed_plans_nothing(team: TeamProject) -> None:
    make(team, "2026-03-03")
    shutil.rmtree(team.home / "artifacts")
    (team.home / "artifacts").touch()
    for command in ("plan", "backfill"):
        result = answer(team, command, "shop")
        assert (result.exit_code, result.stdout) == (EXIT_CODE, "")
        (line,) = result.stderr.splitlines()
        assert line.startswith(f"Error: the store {team.home}/artifacts cannot be listed: NotADirectoryError: ")
