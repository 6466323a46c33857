"""Plans, and backfills that have nothing to make, of logs that nobody has written yet, or that are gone."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ml_assets.cli import project as project_module
from ml_assets.cli.main import main
from ml_assets.orchestration.facts import read_arrived
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
        assert gone.exit_code == 1
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
