"""Runs that are forked from a warm process: by the real launcher, of a small project, with what they leave behind."""

import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
from dagster._core.events import DagsterEventType
from dagster._core.launcher.base import LaunchRunContext, WorkerStatus

from ml_assets.orchestration import launcher as launcher_module
from ml_assets.orchestration.launcher import (
    LAUNCHER_TAG,
    WORKER_TAG,
    WarmRunLauncher,
    fail_dead_runs,
    is_alive,
    worker_of,
)
from ml_assets.project.home import open_instance
from tests.support import shop
from tests.support.projects import TeamProject

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
DATA, MODEL = "shop/order/training_data", "shop/order/model"
DAY = "2026-03-04"
WAITS = """\
# %%
from pathlib import Path
import time

print("it waits", flush=True)
for _ in range(1200):
    if (Path.cwd().parents[1] / "go").exists():
        break
    time.sleep(0.1)
"""
DEFS = {
    **shop.DEFS,
    "shop/order": shop.DEFS["shop/order"] + "  notebooks: {model: notebooks/shop/waits.ipynb}\n",
}


@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_a_run_whose_process_has_ended_is_failed_at_whatever_it_was_and_canceled_where_that_was_asked(
    status: str, tmp_path: Path
) -> None:
    dead = f"{platform.node()} 1 ended"
    with open_instance(tmp_path / "home") as instance:

        def add(worker: str | None, parent: str | None = None) -> str:
            tags = {WORKER_TAG: worker} if worker else {}
            run = dg.DagsterRun(
                "job", tags=tags, status=dg.DagsterRunStatus[status], parent_run_id=parent, root_run_id=parent
            )
            return instance.add_run(run).run_id

        killed, _ = add(dead), add(worker_of(os.getpid()))
        begun = instance.add_run(
            dg.DagsterRun("job", tags={LAUNCHER_TAG: dead}, status=dg.DagsterRunStatus[status])
        ).run_id
        # One that no process was told of, and one that repeats the killed run, with the tags of that.
        add(None)
        add(dead, parent=killed)
        assert set(fail_dead_runs(instance)) == {killed, begun}
        found = instance.get_run_by_id(killed)
        assert found is not None
        ended = dg.DagsterRunStatus.CANCELED if status == "CANCELING" else dg.DagsterRunStatus.FAILURE
        assert found.status is ended
        assert fail_dead_runs(instance) == []


def test_a_run_that_ends_well_while_its_process_is_looked_for_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_instance(tmp_path / "home") as instance:
        tags, status = {WORKER_TAG: f"{platform.node()} 1 ended"}, dg.DagsterRunStatus.STARTED
        run = instance.add_run(dg.DagsterRun("job", tags=tags, status=status))

        def ends(_: str) -> bool:
            instance.report_dagster_event(dg.DagsterEvent(DagsterEventType.RUN_SUCCESS.value, "job"), run.run_id)
            return False

        monkeypatch.setattr(launcher_module, "is_alive", ends)
        assert fail_dead_runs(instance) == []
        assert run_of(instance, run.run_id).is_success


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> TeamProject:
    team = TeamProject.make(tmp_path_factory.mktemp("launched"), "launched_shop", DEFS)
    team.write_notebook("notebooks/shop/waits.ipynb", WAITS)
    shop.arrive(team, "visits", 1, 4)
    shop.arrive(team, "orders", 1, 4)
    return team


@pytest.fixture(scope="module")
def instance(team: TeamProject) -> dg.DagsterInstance:
    return team.project.instance


@pytest.fixture(scope="module")
def launcher(instance: dg.DagsterInstance) -> Iterator[WarmRunLauncher]:
    launcher = WarmRunLauncher()
    launcher.register_instance(instance)
    yield launcher
    launcher._hosts.stop()


def create(team: TeamProject, instance: dg.DagsterInstance, *assets: str) -> dg.DagsterRun:
    project = team.project
    return replace(project.runs, instance=instance).create(assets, [DAY], {})


def launch(team: TeamProject, launcher: WarmRunLauncher, instance: dg.DagsterInstance, *assets: str) -> dg.DagsterRun:
    created = create(team, instance, *assets)
    launcher.launch_run(LaunchRunContext(created, None))
    return run_of(instance, created.run_id)


def run_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    found = instance.get_run_by_id(run_id)
    assert found is not None
    return found


def until(look: Callable[[], Any], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def words(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    return "\n".join(f"{one.user_message} {one.dagster_event}" for one in instance.all_logs(run.run_id))


@pytest.fixture(scope="module")
def trained_on(team: TeamProject, launcher: WarmRunLauncher, instance: dg.DagsterInstance) -> dg.DagsterRun:
    """The run that made the training data, as it was when it had just been launched."""
    launched = launch(team, launcher, instance, DATA)
    host = launcher._hosts.current()
    assert host is not None
    assert psutil.Process(pid_of(launched)).ppid() == host.process.pid
    until(lambda: run_of(instance, launched.run_id).is_finished)
    return launched


def pid_of(run: dg.DagsterRun) -> int:
    return int(run.tags[WORKER_TAG].split()[1])


@pytest.fixture
def waiting(
    team: TeamProject, launcher: WarmRunLauncher, instance: dg.DagsterInstance, trained_on: dg.DagsterRun
) -> Iterator[dg.DagsterRun]:
    """A run under way, whose notebook waits."""
    assert run_of(instance, trained_on.run_id).is_success
    run = launch(team, launcher, instance, MODEL)
    until(lambda: run_of(instance, run.run_id).is_finished or "it waits" in words(instance, run))
    assert not run_of(instance, run.run_id).is_finished, words(instance, run)
    yield run
    if is_alive(run.tags[WORKER_TAG]):
        os.kill(pid_of(run), signal.SIGKILL)


@pytest.mark.slow
@on_linux
def test_a_run_is_forked_from_the_warm_process_and_succeeds(
    instance: dg.DagsterInstance, trained_on: dg.DagsterRun
) -> None:
    ended = run_of(instance, trained_on.run_id)
    assert ended.status is dg.DagsterRunStatus.SUCCESS, words(instance, ended)
    assert trained_on.tags[WORKER_TAG].startswith(f"{platform.node()} ")
    until(lambda: not is_alive(trained_on.tags[WORKER_TAG]), 30)


@pytest.mark.slow
@on_linux
def test_a_run_that_is_terminated_is_canceled_while_a_cell_is_busy(
    launcher: WarmRunLauncher, instance: dg.DagsterInstance, waiting: dg.DagsterRun
) -> None:
    assert launcher.check_run_worker_health(waiting).status is WorkerStatus.RUNNING
    assert launcher.terminate(waiting.run_id)
    until(lambda: run_of(instance, waiting.run_id).is_finished, 30)
    assert run_of(instance, waiting.run_id).status is dg.DagsterRunStatus.CANCELED
    # What was canceled is not due by itself: the run says of which partition that was true.
    (asset,) = waiting.asset_selection or ()
    (observed,) = instance.fetch_observations(asset, limit=10).records
    assert observed.asset_observation is not None
    assert (observed.partition_key, observed.run_id) == (DAY, waiting.run_id)
    assert observed.asset_observation.description == f"stopped: a person canceled run {waiting.run_id}"


@pytest.mark.slow
@on_linux
def test_the_health_of_a_run_is_that_of_its_process(
    launcher: WarmRunLauncher, instance: dg.DagsterInstance, waiting: dg.DagsterRun
) -> None:
    assert launcher.supports_check_run_worker_health
    assert launcher.check_run_worker_health(waiting).status is WorkerStatus.RUNNING
    os.kill(pid_of(waiting), signal.SIGKILL)
    until(lambda: launcher.check_run_worker_health(waiting).status is WorkerStatus.FAILED, 30)
    message = launcher.check_run_worker_health(waiting).msg
    assert message == f"its process {waiting.tags[WORKER_TAG]} has ended"
    assert not run_of(instance, waiting.run_id).is_finished


def test_a_run_of_another_interpreter_is_launched_as_dagster_does(team: TeamProject, tmp_path: Path) -> None:
    instance = dg.DagsterInstance.from_config(str(_home(tmp_path)))
    launcher = WarmRunLauncher()
    launcher.register_instance(instance)
    created = create(team, instance, DATA)
    origin = created.job_code_origin
    assert origin is not None
    elsewhere = origin._replace(
        repository_origin=origin.repository_origin._replace(executable_path="/opt/another/bin/python")
    )
    for foreign in (elsewhere, None):
        run = created._replace(job_code_origin=foreign)
        with pytest.raises(dg.DagsterInvariantViolationError, match="requires a workspace"):
            launcher.launch_run(LaunchRunContext(run, None))
    assert launcher._hosts._host is None
    assert WORKER_TAG not in run_of(instance, created.run_id).tags
    assert launcher.check_run_worker_health(created).status is WorkerStatus.UNKNOWN
    assert not launcher.terminate("no-such-run")


def _home(tmp_path: Path) -> Path:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    return tmp_path
