"""Whether a daemon is alive: its process is the proof where there is one to see, and a heartbeat is not."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._daemon.types import DaemonHeartbeat

from ml_assets.orchestration.launching import daemons, launches
from ml_assets.orchestration.launching.daemons import (
    Life,
    forgetting_heartbeats,
    last_heartbeat,
    life_of_daemon,
    wait_for_life,
)
from ml_assets.orchestration.launching.launches import DaemonRunsError, LaunchHere, NoQueueError, Submit
from ml_assets.project.home import open_instance

Start = Callable[..., subprocess.Popen[bytes]]
SLEEPS = "import time; time.sleep(600)"


@pytest.fixture
def instance(tmp_path: Path) -> dg.DagsterInstance:
    return open_instance(tmp_path / "home")


def beat(instance: dg.DagsterInstance, seconds_ago: float, of: str = "SENSOR", daemon: str | None = None) -> None:
    instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - seconds_ago, of, daemon, None))


def life(instance: dg.DagsterInstance) -> Life:
    return life_of_daemon(instance, datetime.now(UTC))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts what looks like a daemon of a home, as `dagster-daemon` or as `dagster dev` does."""
    script = tmp_path / "bin" / "dagster-daemon"
    script.parent.mkdir()
    script.write_text(SLEEPS)
    started: list[subprocess.Popen[bytes]] = []

    def starts(home: Path, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, *(arguments or (str(script), "run", "-m", "project.definitions"))]
        started.append(subprocess.Popen(command, env={**os.environ, "DAGSTER_HOME": str(home)}))
        deadline = time.monotonic() + 20
        while psutil.Process(started[-1].pid).cmdline()[1:] != command[1:]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return started[-1]

    yield starts
    for process in started:
        process.kill()
        process.wait()


def test_a_heartbeat_that_outlived_its_daemon_is_no_sign_of_life(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemons, "_SECONDS_BETWEEN_HEARTBEATS", 0.1)
    said: list[str] = []
    assert life(instance) == Life(False, "no process of this machine is one; none has had a heartbeat")
    LaunchHere(instance, 1, say=said.append)
    assert said == []
    beat(instance, 12)
    seen = r"no process of this machine is one; the last heartbeat was 1\d seconds ago"
    assert not life(instance).alive
    LaunchHere(instance, 1, say=said.append)
    (line,) = said
    assert re.fullmatch(rf"no daemon here \({seen}\): waiting up to 0 seconds for the heartbeat of one elsewhere", line)
    with pytest.raises(
        NoQueueError, match=r"no daemon of this instance is running .*1\d seconds ago\), so that .*--submit"
    ):
        Submit(instance, say=said.append)


def test_nobody_waits_for_a_daemon_that_is_long_silent(instance: dg.DagsterInstance) -> None:
    beat(instance, 91)
    assert not wait_for_life(instance, say=pytest.fail).alive


def test_another_heartbeat_is_the_sign_of_a_daemon_in_a_container_or_on_another_machine(
    instance: dg.DagsterInstance,
) -> None:
    def beats(_: str) -> None:
        beat(instance, 0)

    beat(instance, 20)
    alive, sign = wait_for_life(instance, say=beats)
    assert alive
    assert sign.startswith("no process of this machine is one, so it is elsewhere; the last heartbeat was ")
    beat(instance, 20)
    with pytest.raises(
        DaemonRunsError, match=r"a daemon is running on this home \(no process .* elsewhere; .*--submit"
    ):
        LaunchHere(instance, 1, say=beats)
    beat(instance, 20)
    Submit(instance, say=beats)


def test_a_daemon_that_was_ended_leaves_no_heartbeat_and_those_of_others_stay(instance: dg.DagsterInstance) -> None:
    beat(instance, 300, "SCHEDULER", "of last week")
    with forgetting_heartbeats(instance):
        beat(instance, -1, daemon="ours")
        beat(instance, -1, "BACKFILL", daemon="ours")
    assert last_heartbeat(instance) == 0
    with forgetting_heartbeats(instance):
        beat(instance, -1, daemon="ours")
        beat(instance, -1, "BACKFILL", daemon="one that was started meanwhile")
    assert last_heartbeat(instance) > 0
    with forgetting_heartbeats(instance):
        # Over those of one that had beaten just before.
        beat(instance, -2, daemon="ours")
        beat(instance, -2, "BACKFILL", daemon="ours")
    assert last_heartbeat(instance) > 0


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-c", SLEEPS, "-m", "dagster._daemon", "run", "--log-level", "info"),
        ("-c", SLEEPS, "/opt/ml-assets/.venv/bin/ml-assets", "daemon", "--workspace", "workspace.yaml"),
    ],
)
def test_a_process_is_one_before_its_first_heartbeat(
    instance: dg.DagsterInstance, start: Start, arguments: tuple[str, ...]
) -> None:
    process = start(Path(instance.root_directory), *arguments)
    assert life(instance) == Life(True, f"process {process.pid}")
    with pytest.raises(
        DaemonRunsError, match=rf"a daemon is running on this home \(process {process.pid}\): add --submit"
    ):
        LaunchHere(instance, 1, say=pytest.fail)
    Submit(instance, say=pytest.fail)


def test_one_that_was_killed_is_none_though_nobody_has_waited_for_it(
    instance: dg.DagsterInstance, start: Start
) -> None:
    process = start(Path(instance.root_directory))
    beat(instance, 1)
    process.kill()
    deadline = time.monotonic() + 20
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not life(instance).alive


def test_a_home_is_known_by_whatever_path_leads_to_it_and_that_of_others_is_not_ours(
    instance: dg.DagsterInstance, start: Start, tmp_path: Path
) -> None:
    home = Path(instance.root_directory)
    other = start(tmp_path / "other")
    start(home, "-c", SLEEPS, "-m", "dagster", "dev")
    start(home, "-c", SLEEPS, "api", "grpc", "--socket", "/tmp/socket")
    beat(instance, 1)
    assert not life(instance).alive, "a code server, or a daemon of another home"
    (tmp_path / "link").symlink_to(home)
    linked = start(tmp_path / "link")
    assert life(instance).sign == f"process {linked.pid}"
    assert life(open_instance(tmp_path / "other")).sign == f"process {other.pid}"


def test_a_heartbeat_that_came_with_the_dump_of_a_shared_database_is_no_sign_of_life_and_the_next_one_is() -> None:
    with dg.DagsterInstance.ephemeral() as shared:
        assert not life(shared).alive
        beat(shared, 30)
        assert not life(shared).alive
        beat(shared, 0)
        now = datetime.now(UTC)
        assert life_of_daemon(shared, now, after=time.time() - 30).alive
        assert not life_of_daemon(shared, now + timedelta(minutes=2), after=time.time() - 30).alive


def test_a_daemon_that_was_started_later_keeps_runs_from_being_started_here(
    instance: dg.DagsterInstance, start: Start
) -> None:
    here = LaunchHere(instance, 1, say=pytest.fail)
    assert here.obstacle() is None
    process = start(Path(instance.root_directory))
    assert here.obstacle() == (
        f"a daemon is running on this home (process {process.pid}): add --submit, and it executes the runs"
    )
    process.kill()
    process.wait()
    assert here.obstacle() is None
    beat(instance, 0)
    elsewhere = here.obstacle()
    assert elsewhere
    assert "so it is elsewhere" in elsewhere


def test_what_was_submitted_does_not_wait_for_ever_for_a_daemon_that_has_ended(
    instance: dg.DagsterInstance, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launches, "_SECONDS_BETWEEN_CHECKS", 0)
    process = start(Path(instance.root_directory))
    submit = Submit(instance, say=pytest.fail)
    run = instance.add_run(dg.DagsterRun(job_name="job"))
    monkeypatch.setattr(type(instance), "submit_run", lambda *_, **__: None)
    submit.start(run)
    assert not submit.ended(run.run_id)
    process.kill()
    process.wait()
    look_again(submit)
    assert not submit.ended(run.run_id), "it may be started again"
    # By one that is elsewhere.
    beat(instance, 0)
    for _ in range(2):
        look_again(submit)
        assert not submit.ended(run.run_id)
    look_again(submit)
    with pytest.raises(
        NoQueueError, match=r"the daemon has ended \(no process .*\); 1 submitted runs wait for the next"
    ):
        submit.ended(run.run_id)


def look_again(submit: Submit) -> None:
    submit._looked = 0.0
