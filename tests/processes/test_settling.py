"""The daemon's processes and the runs that it began end with it."""

import time
from pathlib import Path

import dagster as dg
import pytest

from ml_assets.domain.owed.due import State, Status
from ml_assets.orchestration.sensors import Tick
from ml_assets.processes import settling as module
from ml_assets.processes.settling import DaemonError, daemon, look_whether_settled, wait_until_settled
from ml_assets.project.home import open_instance

ENDS_AT_ONCE = ["--no-such-option"]


@pytest.fixture
def instance(tmp_path: Path) -> dg.DagsterInstance:
    return open_instance(tmp_path / "home")


def begin_run(instance: dg.DagsterInstance) -> str:
    return instance.add_run(dg.DagsterRun(job_name="job", status=dg.DagsterRunStatus.STARTED)).run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_a_daemon_that_has_ended_is_noticed_with_its_exit_code_and_log(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    with daemon(instance, ENDS_AT_ONCE, project_root=tmp_path) as running:
        running.process.wait(timeout=60)
        with pytest.raises(DaemonError, match=r"exit code 2; see .*daemon\.log"):
            running.check()
        assert "No such option" in running.log.read_text(encoding="utf-8")


def test_runs_that_the_daemon_began_end_with_it_and_others_go_on(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    before = begin_run(instance)
    time.sleep(1.1)
    with daemon(instance, ENDS_AT_ONCE, project_root=tmp_path):
        meanwhile = begin_run(instance)
    assert status(instance, meanwhile) is dg.DagsterRunStatus.FAILURE
    assert status(instance, before) is dg.DagsterRunStatus.STARTED


def test_an_interrupted_daemon_leaves_no_process(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), daemon(instance, ENDS_AT_ONCE, project_root=tmp_path) as running:
        raise KeyboardInterrupt
    assert running.process.poll() is not None


def test_a_run_that_ends_during_the_look_is_no_reason_to_call_it_settled(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SECONDS_BETWEEN_LOOKS", 0.1)
    run_id = begin_run(instance)
    seen = []

    def look() -> Tick:
        if not seen:
            # What the run leaves due is not in the facts that were read before it ended.
            run = instance.get_run_by_id(run_id)
            assert run is not None
            instance.report_run_failed(run)
        seen.append(Tick([], [], {}, f"look {len(seen) + 1}"))
        return seen[-1]

    tick = wait_until_settled(instance, look, on_look=lambda _: None, seconds=60)
    assert tick.message == "look 2"


def test_a_partition_that_runs_is_not_settled(instance: dg.DagsterInstance) -> None:
    running = {"shop/order": {"shop/order/model": {"2026-03-01": Status(State.RUNNING)}}}
    assert not look_whether_settled(instance, lambda: Tick([], [], running, ""))[1]
    assert look_whether_settled(instance, lambda: Tick([], [], {}, ""))[1]
