"""The whole loop on PostgreSQL, by what the units of production run: arrival, training, evaluation, correction, what is killed."""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, PARENT_RUN_ID_TAG

from ml_assets.domain.owed.due import State
from ml_assets.orchestration.launcher import WORKER_TAG
from ml_assets.orchestration.recorded.facts import asset_key, read_error
from ml_assets.orchestration.recorded.lineage import trace
from ml_assets.project.project import Project
from tests.loops.postgres_shop import (
    EVALUATION,
    METRICS,
    MODEL,
    NOTEBOOK,
    SECRETS,
    content,
    hold_training,
    made,
    run,
    times_made,
)
from tests.support import shop
from tests.support.postgres import DagsterPostgres, postgres_server
from tests.support.projects import TeamProject
from tests.support.shell import shell
from tests.support.units import CODE, DAEMON, Units, start_order, units

pytestmark = pytest.mark.slow
#: Long enough that Dagster's own patience ends, and so does that of what launches for it.
OUTAGE_SECONDS = 50


@pytest.fixture(scope="module")
def server() -> Iterator[DagsterPostgres]:
    with postgres_server() as server:
        yield DagsterPostgres(server)


@pytest.fixture(scope="module")
def services(server: DagsterPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Units]:
    """A shop on PostgreSQL whose events are in up to 6 March, with what the units of production run."""
    declared = shop.DEFS["shop/order"] + "  notebooks: {model: notebooks/shop/model.ipynb}\n"
    team = TeamProject.make(tmp_path_factory.mktemp("shop"), "postgres_shop", {**shop.DEFS, "shop/order": declared})
    team.write_notebook("notebooks/shop/model.ipynb", NOTEBOOK)
    for log in ("visits", "orders"):
        shop.arrive(team, log, 1, 5)
    with pytest.MonkeyPatch.context() as monkeypatch:
        server.new_home(team.home, monkeypatch)
        with units(team) as services:
            services.wait_until(200)
            yield services


@pytest.fixture(scope="module")
def team(services: Units) -> TeamProject:
    return services.team


@pytest.fixture(scope="module")
def trained(team: TeamProject) -> TeamProject:
    tick = team.settle("shop")
    assert "2026-03-03 for shop/orders 2026-03-06" in tick.message
    return team


def test_models_are_trained_and_nothing_is_evaluated_before_its_outcomes_arrived(trained: TeamProject) -> None:
    assert type(trained.project.instance.event_log_storage).__name__ == "PostgresEventLogStorage"
    assert made(trained, MODEL) == ["2026-03-03", "2026-03-04", "2026-03-05"]
    assert made(trained, METRICS) == []


@pytest.fixture(scope="module")
def evaluated(trained: TeamProject) -> TeamProject:
    for log in ("visits", "orders"):
        shop.arrive(trained, log, 6, 7)
    trained.settle("shop")
    return trained


def test_a_metric_is_made_once_its_outcomes_arrived_and_can_be_followed_to_its_model(evaluated: TeamProject) -> None:
    assert made(evaluated, METRICS) == ["2026-03-03", "2026-03-04"]
    lineage = trace(evaluated.project.instance, evaluated.project.store, METRICS, "2026-03-03")
    assert lineage.problems == ()
    assert lineage.root is not None
    assert {link.asset for link in lineage.root.inputs} == {EVALUATION, MODEL}


def test_corrected_outcomes_evaluate_again_exactly_what_they_touch(evaluated: TeamProject) -> None:
    day = shop.orders(shop.date(2026, 3, 7))
    evaluated.write_partition("shop/orders", "2026-03-07", day.iloc[: len(day) // 2])
    evaluated.settle("shop")
    assert [times_made(evaluated, METRICS, name) for name in ("2026-03-03", "2026-03-04")] == [1, 2]
    assert [times_made(evaluated, MODEL, name) for name in made(evaluated, MODEL)] == [1] * 5


def test_only_ticks_that_launch_keep_a_log_as_nobody_removes_the_files(evaluated: TeamProject) -> None:
    instance = evaluated.project.instance
    (state,) = instance.all_instigator_state()
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id)
    launching = {str(tick.tick_id) for tick in ticks if tick.status is TickStatus.SUCCESS}
    logs = {path.stem for path in (evaluated.home / "storage" / "__repository__").rglob("*.err")}
    assert 0 < len(logs) < len(ticks)
    assert logs <= launching


def test_while_the_code_server_is_away_the_probe_says_so_and_all_go_on_with_the_next_one(
    services: Units, evaluated: TeamProject
) -> None:
    before = ticks_of(evaluated, TickStatus.SKIPPED)
    services.kill(CODE)
    services.wait_until(503, names="code location postgres_shop.definitions: its code server does not answer")
    assert services.restart_what_ended() == [CODE]
    services.wait_until(200)
    deadline = time.monotonic() + 60
    while not ticks_of(evaluated, TickStatus.SKIPPED) > before:
        assert time.monotonic() < deadline, "no sensor is asked"
        time.sleep(0.5)


def ticks_of(team: TeamProject, status: TickStatus) -> int:
    """The newest tick of a status."""
    (state,) = team.project.instance.all_instigator_state()
    ticks = team.project.instance.get_ticks(state.instigator_origin_id, state.selector_id, statuses=[status], limit=1)
    return int(ticks[0].tick_id)


def test_a_run_whose_process_is_killed_is_repeated_once_by_dagster_and_not_by_the_sensor(
    evaluated: TeamProject,
) -> None:
    instance = evaluated.project.instance
    before = {run.run_id for run in instance.get_runs()}
    [held] = hold_training(evaluated, 8)
    (killed,) = [
        run
        for run in instance.get_runs(filters=dg.RunsFilter(statuses=NOT_FINISHED_STATUSES))
        if asset_key(MODEL) in (run.asset_selection or ())
    ]
    psutil.Process(int(killed.tags[WORKER_TAG].split()[1])).kill()
    held.unlink()
    evaluated.settle("shop")
    assert made(evaluated, MODEL)[-1] == "2026-03-08"
    found = instance.get_run_by_id(killed.run_id)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.FAILURE
    news = [run for run in instance.get_runs() if run.run_id not in before]
    training = [run for run in news if asset_key(MODEL) in (run.asset_selection or ())]
    (repetition,) = [run for run in training if run.run_id != killed.run_id]
    assert repetition.tags[PARENT_RUN_ID_TAG] == killed.run_id
    assert found.tags[AUTO_RETRY_RUN_ID_TAG] == repetition.run_id


def test_an_outage_of_the_database_ends_no_run_and_is_no_verdict(
    evaluated: TeamProject, server: DagsterPostgres, services: Units
) -> None:
    instance = evaluated.project.instance
    before = {run.run_id for run in instance.get_runs()}
    (evaluated.root / "fails 2026-03-11").touch()
    # One is in a cell all the while; two go on meanwhile, to be published, and to fail.
    in_a_cell, *others = hold_training(evaluated, 9, 10, 11)
    log = evaluated.home / f"{DAEMON}.log"
    printed = log.stat().st_size
    server.server.kill()
    services.wait_until(503, names="the database does not answer")
    for path in others:
        path.unlink()
    time.sleep(OUTAGE_SECONDS)
    server.server.start()
    services.wait_until(200)
    lines = [line for line in log.read_bytes()[printed:].decode().splitlines() if "dagster.daemon" in line]
    # Four a second is less than a traceback each.
    assert 0 < len(lines) < 4 * OUTAGE_SECONDS
    assert "Traceback" not in "".join(lines)
    in_a_cell.unlink()
    tick = evaluated.settle("shop")
    assert made(evaluated, MODEL)[-2:] == ["2026-03-09", "2026-03-10"]
    assert [times_made(evaluated, MODEL, f"2026-03-{day:02}") for day in (9, 10)] == [1, 1]
    state = tick.found["shop/order"][MODEL]["2026-03-11"].state
    assert state is State.FAILED
    assert "in cell [4]: ValueError: no gradient" in str(read_error(instance, MODEL, "2026-03-11"))
    # Nobody had to repeat anything.
    runs = [run for run in instance.get_runs() if run.run_id not in before]
    trained = [run for run in runs if asset_key(MODEL) in (run.asset_selection or ())]
    assert sorted(run.tags["partitions"] for run in trained) == ["2026-03-09", "2026-03-10", "2026-03-11"]
    assert not any(PARENT_RUN_ID_TAG in run.tags for run in trained)


def test_the_commands_work_on_such_an_instance_and_make_the_same(
    evaluated: TeamProject, server: DagsterPostgres
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        home = server.new_home(evaluated.root / "second", monkeypatch)
        shutil.copytree(evaluated.home / "events", home / "events")
        assert "2026-03-03..2026-03-04" in run(evaluated, home, "plan", "all", "--to", "2026-03-04")
        done = json.loads(run(evaluated, home, "backfill", "all", "--to", "2026-03-04", "--json"))
        assert {one["state"] for one in done["partitions"]} == {"made"}
        # Its exit code says that something is owed.
        assert re.search(r"done 2, due \d", run(evaluated, home, "debt", "shop/order", code=1))
        assert "2026-03-04" in run(evaluated, home, "lineage", METRICS, "2026-03-04")
        by_backfill = content(Project(home, evaluated.root))
    assert len(by_backfill) == 8
    assert by_backfill.items() <= content(evaluated.project).items()


def test_a_backup_that_was_made_while_a_model_was_trained_is_restored_and_the_training_repeated(
    services: Units, evaluated: TeamProject, server: DagsterPostgres, tmp_path: Path
) -> None:
    [held] = hold_training(evaluated, 12)
    # Evaluations of what arrived with it may be under way, too.
    (training,) = [
        run
        for run in evaluated.project.instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        if asset_key(MODEL) in (run.asset_selection or ())
    ]
    shell("Back up", evaluated, server, tmp_path)
    for name in reversed(start_order()):
        services.stop(name)
    held.unlink()
    # Nobody canceled it, so that it is repeated: it ended with the daemon.
    assert evaluated.run(training.run_id).status is dg.DagsterRunStatus.STARTED
    shutil.rmtree(evaluated.home)
    evaluated.home.mkdir()
    printed = shell("Restore", evaluated, server, tmp_path)
    assert f"run {training.run_id} had begun, and failed" in printed
    for name in start_order():
        services.start(name)
    services.wait_until(200)
    evaluated.settle("shop")
    assert made(evaluated, MODEL)[-1] == "2026-03-12"
    assert evaluated.run(training.run_id).tags[AUTO_RETRY_RUN_ID_TAG] in {
        run.run_id
        for run in evaluated.project.instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))
    }


def test_no_file_of_the_home_and_no_event_holds_the_password(evaluated: TeamProject, server: DagsterPostgres) -> None:
    files = [path for path in evaluated.root.rglob("*") if path.is_file()]
    assert {".ipynb", ".log", ".yaml"} <= {path.suffix for path in files}
    assert [path for path in files if any(secret in path.read_bytes() for secret in SECRETS)] == []
    dump = server.dump(os.environ["DAGSTER_PG_DB"])
    assert MODEL.encode() in dump
    assert not any(secret in dump for secret in SECRETS)
