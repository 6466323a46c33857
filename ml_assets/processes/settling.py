"""Runs the real Dagster daemon without a person: from now until everything due is done."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from ml_assets import variables
from ml_assets.dagster_names import NOT_FINISHED_STATUSES
from ml_assets.domain.owed.due import State
from ml_assets.orchestration.launching.daemons import forgetting_heartbeats
from ml_assets.orchestration.sensors import Tick

#: A look costs a tenth of a second and more.
_SECONDS_BETWEEN_LOOKS = 5
_BEGUN = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


class DaemonError(Exception):
    """The daemon ended, or nothing came of it in time."""


@dataclass(frozen=True)
class Daemon:
    """A daemon that was started, and the file that holds what it prints."""

    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise DaemonError when the daemon has ended."""
        if self.process.poll() is not None:
            raise DaemonError(f"the daemon ended with exit code {self.process.returncode}; see {self.log}")


@contextmanager
def daemon(instance: dg.DagsterInstance, location: Sequence[str], *, project_root: Path) -> Iterator["Daemon"]:
    """Run `dagster-daemon` in processes of its own, which end with this context, and with them the runs that it began.

    Args: `location`: what names the code location on Dagster's command line, such as `["-m", "ml_assets.definitions"]`.
    Yields: the daemon; its `check` says whether it is still alive.
    """
    home, started = Path(instance.root_directory), datetime.now(UTC)
    log = home / "daemon.log"
    command = [str(Path(sys.executable).with_name("dagster-daemon")), "run", *location]
    with log.open("w", encoding="utf-8") as output, forgetting_heartbeats(instance):
        process = subprocess.Popen(
            command,
            cwd=project_root,
            env=variables.inherited(**{variables.HOME: str(home)}),
            stdout=output,
            stderr=subprocess.STDOUT,
            # A group of its own, so that what the daemon starts can be ended with it.
            start_new_session=True,
        )
        try:
            yield Daemon(process, log)
        finally:
            _end(process)
            # Failed, not canceled: nobody decided that these should not run.
            for run in instance.get_runs(filters=dg.RunsFilter(statuses=_BEGUN, created_after=started)):
                instance.report_run_failed(run, "the daemon that ran it was ended")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all of its group."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=30)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def look_whether_settled(instance: dg.DagsterInstance, look: Callable[[], Tick]) -> tuple[Tick, bool]:
    """Look at the facts once.

    Returns: what was seen, and whether nothing has arrived, is due or runs.
    """
    # Before the look: a run that ends after the look may have left something due that the look did not see.
    running = instance.get_runs_count(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES))
    tick = look()
    states = {status.state for assets in tick.found.values() for found in assets.values() for status in found.values()}
    return tick, not running and not tick.arrivals and not tick.launches and State.RUNNING not in states


def wait_until_settled(
    instance: dg.DagsterInstance,
    look: Callable[[], Tick],
    *,
    on_look: Callable[[Tick], None],
    seconds: float,
) -> Tick:
    """Look at the facts until nothing arrives, is due or runs any more.

    Args: `look`: asks what the sensors would do now, of which nothing is done here; `on_look`: shown each answer.
    Raises: DaemonError when it takes longer than `seconds`.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        tick, settled = look_whether_settled(instance, look)
        on_look(tick)
        if settled:
            return tick
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    raise DaemonError(
        f"not settled after {seconds:.0f} seconds; see daemon.log in the home folder, and the runs in the UI"
    )
