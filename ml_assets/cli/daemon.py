"""Runs the real Dagster daemon without a person: from now until everything due is done."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from ml_assets.orchestration.sensors import Tick

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
    """Run `dagster-daemon` in processes of its own, which end with this context; runs still going are canceled.

    Args: `location`: what names the code location on Dagster's command line, such as `["-m", "ml_assets.definitions"]`.
    Yields: the daemon; its `check` says whether it is still alive.
    """
    home = Path(instance.root_directory)
    log = home / "daemon.log"
    command = [str(Path(sys.executable).with_name("dagster-daemon")), "run", *location]
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command,
            cwd=project_root,
            env={**os.environ, "DAGSTER_HOME": str(home)},
            stdout=output,
            stderr=subprocess.STDOUT,
            # A group of its own, so that what the daemon starts can be ended with it.
            start_new_session=True,
        )
        try:
            yield Daemon(process, log)
        finally:
            _end(process)
            for run in instance.get_runs(filters=dg.RunsFilter(statuses=_BEGUN)):
                instance.report_run_canceled(run, "the daemon that ran it was ended")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all of its group."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=30)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until_settled(
    instance: dg.DagsterInstance,
    look: Callable[[], Tick],
    *,
    on_look: Callable[[], None],
    seconds: float,
) -> Tick:
    """Look at the facts until nothing arrives, is due or runs any more.

    Args: `look`: asks what the sensors would do now, of which nothing is done here; `on_look`: called after each look.
    Raises: DaemonError when it takes longer than `seconds`.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        running = instance.get_runs_count(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES))
        tick = look()
        on_look()
        if not running and not tick.arrivals and not tick.launches:
            return tick
        time.sleep(2)
    raise DaemonError(
        f"not settled after {seconds:.0f} seconds; see daemon.log in the home folder, and the runs in the UI"
    )
