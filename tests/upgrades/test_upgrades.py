"""A home that an earlier release has made goes on under this one: what is there is found, and nothing made again."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from ml_assets.cli.main import main
from ml_assets.definitions import build_definitions
from ml_assets.orchestration.recorded.facts import asset_key
from ml_assets.orchestration.recorded.lineage import current_runs, trace
from ml_assets.written_by import HOME_FORMAT, MARK, current_version
from tests.support import shop
from tests.support.projects import TeamProject
from tests.upgrades.homes import earlier, unpack
from tests.upgrades.make_home import LAST_DAY

pytestmark = pytest.mark.slow

DATA, MODEL = "shop/order/training_data", "shop/order/model"
EVALUATION, METRICS = "shop/order/evaluation_data_2d", "shop/order/metrics_2d"
TRAINED = [f"2026-03-{day:02}" for day in range(3, LAST_DAY + 1)]
JUDGED = TRAINED[:-3]
THERE = {DATA: TRAINED, MODEL: TRAINED, EVALUATION: JUDGED, METRICS: JUDGED}
#: What `plan` says after the upgrade from a release; CHANGELOG.md says why.
OUTDATED = {
    "0.1.0": {
        DATA: "stale: its notebook or declaration changed",
        MODEL: "stale: its training data made again",
        EVALUATION: "stale: its notebook or declaration changed",
        METRICS: "stale: its evaluation data 2d and model made again",
    }
}


@pytest.fixture(scope="module", params=earlier())
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def team(version: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeamProject]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        team = unpack(version, tmp_path_factory.mktemp("upgraded") / "elsewhere")
        monkeypatch.chdir(team.root)
        yield team


def run(team: TeamProject, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--home", str(team.home)], catch_exceptions=False)


def made_by(team: TeamProject) -> dict[tuple[str, str], str]:
    """The run that made each current version, by asset and partition."""
    found = {asset: current_runs(team.project.instance, asset) for asset in THERE}
    return {(asset, partition): run_id for asset, of in found.items() for partition, run_id in of.items()}


def test_all_that_was_made_is_found_with_its_lineage_and_its_content(team: TeamProject) -> None:
    assert set(made_by(team)) == {(asset, partition) for asset, of in THERE.items() for partition in of}
    verified = run(team, "verify", "--hashes")
    assert verified.exit_code == 0
    assert verified.stdout.startswith("18 versions are recorded and needed, all of them there; 0 folders or files")
    for asset, partitions in THERE.items():
        for partition in partitions:
            found = trace(team.project.instance, team.project.store, asset, partition)
            assert not found.problems
    assert run(team, "lineage", METRICS, JUDGED[0]).exit_code == 0
    assert Path(run(team, "notebook", METRICS, JUDGED[0]).stdout.strip()).is_file()


def test_its_metrics_are_printed_and_reported(team: TeamProject) -> None:
    rows = json.loads(run(team, "metrics", "shop/order", "--json").stdout)["metrics"]
    assert sorted({row["partition"] for row in rows if row["value"] is not None}) == JUDGED
    reported = run(team, "report")
    assert (reported.exit_code, reported.stderr) == (0, "")
    assert all(day in (team.home / "report.html").read_text(encoding="utf-8") for day in JUDGED)


def test_the_plan_says_what_the_changelog_does_and_the_sensor_makes_nothing_again(
    version: str, team: TeamProject
) -> None:
    planned = json.loads(run(team, "plan", "all", "--json").stdout)["runs"]
    why = {(asset, day, words) for one in planned for asset, of in one["why"].items() for day, words in of.items()}
    assert why == {(asset, day, words) for asset, words in OUTDATED.get(version, {}).items() for day in THERE[asset]}
    tick = team.project.look(["shop"])
    assert not tick.arrivals
    assert not tick.launches


def outdated_in_the_ui(team: TeamProject) -> list[tuple[str, str]]:
    """The partitions that Dagster calls outdated."""
    instance, graph = team.project.instance, build_definitions(team.project.tree).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    there = [(asset, day) for asset, days in THERE.items() for day in days]
    return [one for one in there if resolver.get_status(asset_key(one[0]), one[1]) is not StaleStatus.FRESH]


def test_what_is_declared_harmless_for_all_is_outdated_no_more(version: str, team: TeamProject) -> None:
    assert bool(outdated_in_the_ui(team)) is (version in OUTDATED)
    declared = run(team, "harmless", "all", "--reason", "counts less of the configuration")
    assert declared.exit_code == int(version not in OUTDATED)
    assert (f"no longer outdated by code: {len(TRAINED)} partitions" in declared.stdout) is (version in OUTDATED)
    assert run(team, "plan", "all").stdout.startswith("nothing to make\n")
    assert outdated_in_the_ui(team) == []


def test_the_next_partition_is_made_on_top_and_nothing_else(team: TeamProject) -> None:
    before = made_by(team)
    for log in ("visits", "orders"):
        shop.arrive(team, log, LAST_DAY + 1, LAST_DAY + 1)
    team.make_due("shop")
    after = made_by(team)
    news = {(DATA, "2026-03-09"), (MODEL, "2026-03-09"), (EVALUATION, "2026-03-06"), (METRICS, "2026-03-06")}
    assert after.items() >= before.items()
    assert after.keys() - before.keys() == news
    judged = team.project.store.load(METRICS, "2026-03-06", after[METRICS, "2026-03-06"]).manifest
    assert judged["written_by"] == current_version()
    # By the model of before.
    assert judged["inputs"][MODEL]["run_id"] == before[MODEL, "2026-03-06"]
    assert not trace(team.project.instance, team.project.store, METRICS, "2026-03-06").problems
    assert run(team, "verify").exit_code == 0
    assert json.loads((team.home / MARK).read_text()) == {"format": HOME_FORMAT, "written_by": current_version()}
