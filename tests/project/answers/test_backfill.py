"""Backfills by the command, in real runs: what fails costs itself alone, what is killed is gone on with."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import dagster as dg
import pytest

from ml_assets.orchestration.recorded.lineage import current_runs, trace
from ml_assets.processes.settling import daemon
from ml_assets.project.project import Project
from tests.project.answers.backfilled import (
    ALL,
    DATA,
    DAYS,
    EVALUATION,
    METRICS,
    MODEL,
    NOTEBOOK,
    data_versions,
    new_home,
    run,
    tree_of,
    under_way,
    versions_made,
    wait_until_gone,
)
from tests.support import shop
from tests.support.projects import TeamProject

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> TeamProject:
    declared = shop.DEFS["shop/order"] + "  notebooks: {model: notebooks/shop/model.ipynb}\n"
    team = TeamProject.make(tmp_path_factory.mktemp("shop"), "backfilled_shop", {**shop.DEFS, "shop/order": declared})
    team.write_notebook("notebooks/shop/model.ipynb", NOTEBOOK)
    shop.arrive(team, "visits", 1, 9)
    shop.arrive(team, "orders", 1, 9)
    (team.root / "broken").write_text("")
    (team.root / "slow").write_text("0")
    return team


@pytest.fixture(scope="module")
def broken(team: TeamProject) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The first backfill, in which the model of 4 March fails."""
    home = new_home(team, "straight")
    (team.root / "broken").write_text("2026-03-04")
    done = run(team, home, "backfill", "shop", "--to", DAYS[-1])
    (team.root / "broken").write_text("")
    return home, done


def test_before_anything_ran_a_plan_says_what_is_missing_and_that_there_is_no_history(team: TeamProject) -> None:
    planned = run(team, new_home(team, "empty"), "plan", "shop", "--to", DAYS[-1])
    assert planned.returncode == 0, planned.stderr
    assert "4 runs, 16 partitions: no history yet in all, 2 runs at once" in planned.stdout
    assert [line.split()[0] for line in planned.stdout.splitlines()[:4]] == sorted(ALL)
    assert "cannot be made now" not in planned.stdout


def test_a_partition_that_fails_costs_what_is_made_from_it_alone(
    team: TeamProject, broken: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    home, done = broken
    assert done.returncode == 1, done.stdout + done.stderr
    made = {asset: sorted(current_runs(Project(home, team.root).instance, asset)) for asset in ALL}
    others = ["2026-03-03", "2026-03-05", "2026-03-06"]
    assert made == {DATA: DAYS, MODEL: others, EVALUATION: others, METRICS: others}


def test_the_summary_counts_and_names_the_cause(broken: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, done = broken
    assert "made 13 of 16 partitions" in done.stdout
    (failed,) = [line for line in done.stdout.splitlines() if line.startswith("failed: ")]
    assert failed.startswith(f"failed: {MODEL} 2026-03-04: NotebookError")
    assert failed.count("ValueError: no gradient in 2026-03-04") == 1
    assert f"left out: {EVALUATION} 2026-03-04: its model was not made" in done.stdout


def test_a_plan_after_that_names_the_failure_and_what_each_partition_costs(
    team: TeamProject, broken: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    home, _ = broken
    planned = json.loads(run(team, home, "plan", "shop", "--to", DAYS[-1], "--json").stdout)
    first, second = planned["runs"]
    assert first["assets"], first["partitions"] == ([MODEL], ["2026-03-04"])
    assert first["why"][MODEL]["2026-03-04"].startswith("missing: failed on its present inputs, in run ")
    assert second["assets"] == [EVALUATION, METRICS]
    assert first["seconds"] > 0
    assert first["without_history"] == second["without_history"] == []


@pytest.fixture(scope="module")
def straight(team: TeamProject, broken: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    """A home whose backfill was run to its end."""
    home, _ = broken
    again = run(team, home, "backfill", "shop", "--to", DAYS[-1])
    assert again.returncode == 0, again.stdout + again.stderr
    assert "made 3 of 3 partitions" in again.stdout
    return home


def test_the_same_command_makes_the_rest_and_nothing_twice(team: TeamProject, straight: Path) -> None:
    assert versions_made(team, straight) == len(data_versions(team, straight)) == 16
    assert "nothing to make" in run(team, straight, "backfill", "shop", "--to", DAYS[-1]).stdout
    assert versions_made(team, straight) == 16


def test_runs_of_a_backfill_are_found_in_the_ui(team: TeamProject, straight: Path) -> None:
    runs = Project(straight, team.root).instance.get_runs()
    assert all(run.remote_job_origin and "ml_assets/backfill" in run.tags for run in runs)


def test_stale_partitions_are_made_again_when_asked(team: TeamProject, straight: Path) -> None:
    home = team.root / "edited"
    shutil.copytree(straight, home)
    path = team.root / "backfilled_shop/defs/shop/order/defs.yaml"
    text = path.read_text()
    path.write_text(text.replace("rounds: 10", "rounds: 11"))
    try:
        assert "nothing to make" in run(team, home, "plan", "shop", "--to", DAYS[-1], "--missing").stdout
        planned = run(team, home, "plan", MODEL, "--from", DAYS[0], "--to", DAYS[0], "--stale").stdout
        assert "stale: its notebook or declaration changed" in planned
        done = run(team, home, "backfill", f'key:"{MODEL}"', "--from", DAYS[0], "--to", DAYS[0], "--stale")
    finally:
        path.write_text(text)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "made 1 of 1 partitions" in done.stdout


@pytest.fixture(scope="module")
def continued(team: TeamProject, straight: Path) -> Path:
    """A home whose backfill was killed, then interrupted, and gone on with."""
    home = new_home(team, "continued")
    (team.root / "slow").write_text("2")
    killed = under_way(team, home)
    children = tree_of(killed)
    killed.kill()
    killed.wait()
    wait_until_gone(children)
    interrupted = under_way(team, home)
    children = tree_of(interrupted)
    interrupted.send_signal(signal.SIGINT)
    printed, _ = interrupted.communicate(timeout=60)
    wait_until_gone(children)
    (team.root / "slow").write_text("0")
    assert interrupted.returncode == 130, printed
    assert "the same command goes on with the rest" in printed
    return home


def test_a_killed_backfill_is_gone_on_with_to_the_same_content(
    team: TeamProject, straight: Path, continued: Path
) -> None:
    done = run(team, continued, "backfill", "shop", "--to", DAYS[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert data_versions(team, continued) == data_versions(team, straight)
    open_runs = [run for run in Project(continued, team.root).instance.get_runs() if not run.is_finished]
    assert open_runs == []


def test_a_second_backfill_of_the_same_home_is_refused(team: TeamProject) -> None:
    home = new_home(team, "busy")
    first = under_way(team, home)
    second = run(team, home, "backfill", "shop", "--to", DAYS[-1])
    first.send_signal(signal.SIGINT)
    first.wait(timeout=60)
    assert second.returncode == 1
    assert f"another backfill works on {home}" in second.stderr


def test_a_budget_of_runs_is_kept(team: TeamProject) -> None:
    home = new_home(team, "cheap")
    planned = run(team, home, "plan", "shop", "--to", DAYS[-1], "--budget", "1 run").stdout
    assert "beyond the budget: 3 runs, 12 partitions" in planned
    done = run(team, home, "backfill", "shop", "--to", DAYS[-1], "--budget", "1 run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "made 4 of 4 partitions" in done.stdout
    assert len(Project(home, team.root).instance.get_runs()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("shop/nothing",), "'shop/nothing' "),
        (("shop", "--from", "yesterday"), "--from of shop/order: 'yesterday' is no partition"),
        (("shop", "--from", "2026-03-05", "--to", "2026-03-04"), "--from 2026-03-05 is after --to 2026-03-04"),
        (("shop", "--budget", "much"), "write a number of runs or a time, such as `50 runs` or 30m"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_words(
    team: TeamProject, straight: Path, arguments: tuple[str, ...], words: str
) -> None:
    for name in ("plan", "backfill"):
        refused = run(team, straight, name, *arguments)
        assert refused.returncode == 2
        assert words in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_daemon_that_is_started_meanwhile_ends_a_backfill_and_executes_the_rest_when_it_is_submitted(
    team: TeamProject, straight: Path
) -> None:
    home = new_home(team, "submitted")
    assert "no daemon of this instance is running" in run(team, home, "backfill", "shop", "--submit").stderr
    instance = Project(home, team.root).instance
    # Its sensor launches what is due by itself: only the backfill shall.
    definitions = team.root / "without_sensor.py"
    definitions.write_text(
        "import dagster as dg\nfrom backfilled_shop import definitions\n\nwhole = definitions.defs()\n"
        "defs = dg.Definitions(assets=whole.assets, resources=whole.resources, executor=whole.executor)\n"
        "del whole\n"
    )
    (team.root / "served.yaml").write_text(
        "load_from:\n  - python_module: {module_name: without_sensor, location_name: backfilled_shop.definitions}\n"
    )
    (team.root / "slow").write_text("2")
    here = under_way(team, home, "--parallel", "1", "--partitions-per-run", "1")
    with daemon(instance, ["-w", "served.yaml"], project_root=team.root) as running:
        printed, _ = here.communicate(timeout=120)
        (team.root / "slow").write_text("0")
        made = versions_made(team, home)
        assert here.returncode == 1, printed
        assert f"made {made} of 16 partitions" in printed
        assert (
            f"-{DAYS[-1][8:]}: a daemon is running on this home (process {running.process.pid}): add --sub" in printed
        )
        deadline = time.monotonic() + 120
        while not instance.get_daemon_heartbeats():
            running.check()
            assert time.monotonic() < deadline
            time.sleep(0.5)
        refused = run(team, home, "backfill", "shop", "--to", DAYS[-1])
        assert "a daemon is running on this home (process " in refused.stderr
        done = run(team, home, "backfill", "shop", "--to", DAYS[-1], "--submit")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"made {16 - made} of {16 - made} partitions" in done.stdout
    assert data_versions(team, home) == data_versions(team, straight)
    assert versions_made(team, home) == 16, "none is made twice"
    assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
    # Nobody waits for its next heartbeat.
    refused = run(team, home, "backfill", "shop", "--submit")
    assert "(no process of this machine is one; none has had a heartbeat)" in refused.stderr
    assert "waiting" not in refused.stdout
    done = run(team, home, "backfill", "shop", "--to", DAYS[-1])
    assert (done.returncode, done.stdout) == (0, "nothing to make\n"), done.stderr


def test_what_was_lost_is_made_again_and_the_metric_says_which_model_it_judged(
    team: TeamProject, straight: Path
) -> None:
    home, day = team.root / "robbed", DAYS[0]
    shutil.copytree(straight, home)
    project, before = Project(home, team.root), data_versions(team, straight)
    model = project.store.root / MODEL / day
    robbed = (DATA, MODEL, EVALUATION)
    for asset in robbed:
        shutil.rmtree(project.store.root / asset / day)
    lost = run(team, home, "verify", "shop", "--hashes")
    assert [line.split(" is recorded")[0] for line in lost.stdout.splitlines()[:-1]] == [
        f"lost: {asset} {day}" for asset in robbed
    ], "the content of all others is what was recorded"
    assert lost.returncode == 1
    due = {partition for launch in project.look(["shop"]).launches for partition in launch.request.partitions}
    assert day not in due, "what is lost is for a person"
    done = run(team, home, "backfill", "shop", "--to", DAYS[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "made 4 of 4 partitions" in done.stdout, "the metric, too, of another version of the model"
    assert data_versions(team, home) == before
    judged = trace(project.instance, project.store, METRICS, day).root
    assert judged is not None
    (of,) = [one for one in judged.inputs if one.asset == MODEL]
    assert [of.run_id] == [path.name for path in model.iterdir()]
    assert run(team, home, "verify", "shop", "--hashes").returncode == 0
    assert "nothing to make" in run(team, home, "plan", "shop", "--to", DAYS[-1]).stdout
