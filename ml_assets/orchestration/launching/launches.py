"""The two ways in which a backfill's runs are executed: here, with no daemon, or by the run queue of a running one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Protocol

import dagster as dg

from ml_assets.dagster_names import DagsterEventType, QueuedRunCoordinator
from ml_assets.notebooks.kernels.warm import WarmHosts
from ml_assets.orchestration.launcher import LAUNCHER_TAG, WORKER_TAG, command_of, worker_of
from ml_assets.orchestration.launching.daemons import Life, last_heartbeat, life_of_daemon, wait_for_life
from ml_assets.warm.process import HostGoneError, Process

#: To find the daemon takes a look at each process of the machine.
_SECONDS_BETWEEN_CHECKS = 60
#: What a run prints is in its own log.
_NOTHING = subprocess.DEVNULL


class DaemonRunsError(Exception):
    """Runs would be launched here beside a daemon that launches them, too."""


class NoQueueError(Exception):
    """An instance without a run queue, or a daemon, was to take runs."""


class Launch(Protocol):
    """How runs are started, and how it is seen that one has ended."""

    #: How many execute at once.
    parallelism: int
    #: Whether this, and not a run queue, sees to the limits of pools.
    holds_pools: bool
    #: Of the runs that it is to start.
    tags: Mapping[str, str]
    #: Whether what others make is waited for: where a daemon is there to execute it.
    waits_for_others: bool

    def obstacle(self) -> str | None:
        """Why no run may be started any more; None where it may."""

    def start(self, run: dg.DagsterRun) -> None:
        """Start a run that was created."""

    def ended(self, run_id: str) -> bool:
        """Whether a run has ended. What it has recorded is complete then."""

    def kill(self, run_id: str) -> None:
        """End a run at once, without a verdict."""


class LaunchHere:
    """Executes runs in processes that are forked from a warm one, and end with this one."""

    holds_pools = True
    waits_for_others = False

    def __init__(self, instance: dg.DagsterInstance, parallelism: int, *, say: Callable[[str], None]) -> None:
        """Args: `say`: as of `wait_for_life`. Raises: DaemonRunsError when a daemon of the instance runs."""
        # Before it is waited for: any that comes later is a sign.
        self._heartbeat = last_heartbeat(instance)
        if refusal := _refusal(wait_for_life(instance, say=say)):
            raise DaemonRunsError(refusal)
        self.parallelism = parallelism
        self.tags: Mapping[str, str] = {LAUNCHER_TAG: worker_of(os.getpid())}
        self._instance = instance
        self._hosts = WarmHosts()
        self._processes: dict[str, Process | subprocess.Popen[bytes]] = {}

    def obstacle(self) -> str | None:
        """That a daemon was started meanwhile: its sensors launch what is due, and these partitions are."""
        return _refusal(life_of_daemon(self._instance, datetime.now(UTC), after=self._heartbeat))

    def start(self, run: dg.DagsterRun) -> None:
        """Start a run."""
        # From now on a sensor sees that its partitions are being made.
        starting = dg.DagsterEvent(DagsterEventType.PIPELINE_STARTING.value, run.job_name)
        self._instance.report_dagster_event(starting, run.run_id)
        arguments = command_of(self._instance, run)
        address = self._hosts.address()
        process: Process | subprocess.Popen[bytes] | None = None
        if address is not None:
            try:
                process = Process(address, arguments, stdin=_NOTHING, stdout=_NOTHING, stderr=_NOTHING)
            except HostGoneError:
                # It was killed. This run begins cold; the next gets a new one, where it is our own.
                process = None
        if process is None:
            command = [sys.executable, "-m", *arguments]
            process = subprocess.Popen(command, stdin=_NOTHING, stdout=_NOTHING, stderr=_NOTHING)
        self._processes[run.run_id] = process
        self._instance.add_run_tags(run.run_id, {WORKER_TAG: worker_of(process.pid)})

    def ended(self, run_id: str) -> bool:
        """Whether the process has ended."""
        process = self._processes[run_id]
        if process.poll() is None:
            return False
        self._fail(run_id, f"its process ended with exit code {process.returncode}")
        return True

    def kill(self, run_id: str) -> None:
        """Kill the process, which says nothing of what it was at."""
        process = self._processes[run_id]
        process.send_signal(signal.SIGKILL)
        process.wait()
        self._fail(run_id, "the backfill was interrupted")

    def stop(self) -> None:
        """End the warm process."""
        self._hosts.stop()

    def _fail(self, run_id: str, why: str) -> None:
        run = self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            self._instance.report_run_failed(run, why)


def _refusal(daemon: Life) -> str | None:
    return (
        f"a daemon is running on this home ({daemon.sign}): add --submit, and it executes the runs"
        if daemon.alive
        else None
    )


class Submit:
    """Puts runs into the run queue of an instance, whose daemon executes them."""

    holds_pools = False
    waits_for_others = True
    #: The queue has its own bound.
    parallelism = sys.maxsize
    #: The daemon fails what was never queued, and its launcher names the process.
    tags: Mapping[str, str] = MappingProxyType({})

    def __init__(self, instance: dg.DagsterInstance, *, say: Callable[[str], None]) -> None:
        """Args: `say`: as of `wait_for_life`. Raises: NoQueueError."""
        if not isinstance(instance.run_coordinator, QueuedRunCoordinator):
            raise NoQueueError(
                f"the instance launches runs by {type(instance.run_coordinator).__name__}, which has no queue: "
                "name the QueuedRunCoordinator in its dagster.yaml, or leave out --submit"
            )
        daemon = wait_for_life(instance, say=say)
        if not daemon.alive:
            raise NoQueueError(
                f"no daemon of this instance is running ({daemon.sign}), so that the runs would wait for ever; start "
                "one, or leave out --submit"
            )
        self._instance = instance
        self._looked = 0.0
        self._checked = time.monotonic()
        self._heartbeat = last_heartbeat(instance)
        self._missed = 0
        self._open: set[str] = set()

    def obstacle(self) -> str | None:
        """None. Raises: NoQueueError when the daemon has ended, and nobody executes what is waited for."""
        self._check_daemon()
        return None

    def start(self, run: dg.DagsterRun) -> None:
        """Put a run into the queue."""
        self._instance.submit_run(run.run_id, workspace=None)  # type: ignore[arg-type]
        self._open.add(run.run_id)

    def ended(self, run_id: str) -> bool:
        """Whether the run has ended. Raises: NoQueueError when the daemon has, and the runs wait."""
        if time.monotonic() - self._looked > 1:
            found = self._instance.get_runs(filters=dg.RunsFilter(run_ids=list(self._open)))
            self._open = {run.run_id for run in found if not run.is_finished}
            self._looked = time.monotonic()
            if self._open:
                self._check_daemon()
        return run_id not in self._open

    def kill(self, run_id: str) -> None:
        """Leave it to the daemon: it was submitted."""

    def stop(self) -> None:
        """Nothing was started here."""

    def _check_daemon(self) -> None:
        if time.monotonic() - self._checked < _SECONDS_BETWEEN_CHECKS:
            return
        heartbeat = last_heartbeat(self._instance)
        daemon = life_of_daemon(self._instance, datetime.now(UTC), after=self._heartbeat)
        # One that is started again, by a supervisor or a person, may be missed once.
        self._missed = 0 if daemon.alive else self._missed + 1
        if self._missed > 1:
            raise NoQueueError(
                f"the daemon has ended ({daemon.sign}); {len(self._open)} submitted runs wait for the next one"
            )
        self._heartbeat, self._checked = heartbeat, time.monotonic()
