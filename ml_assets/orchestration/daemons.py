"""Whether a daemon works on an instance: of a home on this machine by its process, elsewhere by its last heartbeat."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import psutil
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage

from ml_assets import variables

#: A daemon says twice a minute that it lives.
_SECONDS_OF_SILENCE = 90


class Life(NamedTuple):
    """Whether a daemon of an instance is alive, and by which sign, in words."""

    alive: bool
    sign: str


def life_of_daemon(instance: dg.DagsterInstance, as_of: datetime) -> Life:
    """Look for a daemon of an instance.

    SQLite is of one machine, whose processes can be asked; a heartbeat outlives its daemon. A database may be shared by
    others, whose daemons are known by their heartbeats alone.
    """
    beats = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
    silence = as_of.timestamp() - max(beats) if beats else None
    lately = silence is not None and silence < _SECONDS_OF_SILENCE
    heartbeat = "none has had a heartbeat" if silence is None else f"the last heartbeat was {silence:.0f} seconds ago"
    if not isinstance(instance.run_storage, SqliteRunStorage):
        return Life(lately, heartbeat)
    found = list(_daemons(Path(instance.root_directory).resolve()))
    for process, is_of_home in found:
        # Of a process of another user the home cannot be read.
        if is_of_home or (is_of_home is None and lately):
            return Life(True, f"process {process.pid}")
    return Life(False, f"no process of this machine is one; {heartbeat}")


def _daemons(home: Path) -> Iterator[tuple[psutil.Process, bool | None]]:
    """The processes that are Dagster's daemon, and whether they are of a home; None where that cannot be known."""
    for process in psutil.process_iter():
        # One that has ended meanwhile, or is a zombie, is none; a command line may be kept from other users, too.
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if _is_daemon(process.cmdline()):
                yield process, _is_of(process, home)


def _is_of(process: psutil.Process, home: Path) -> bool | None:
    try:
        of = process.environ().get(variables.HOME)
    except psutil.AccessDenied:
        return None
    return of is not None and Path(of).expanduser().resolve() == home


def _is_daemon(arguments: list[str]) -> bool:
    """Whether a command line is `dagster-daemon run`, or how `dagster dev` calls it."""
    return any(
        second == "run" and (Path(first).name == "dagster-daemon" or first == "dagster._daemon")
        for first, second in pairwise(arguments)
    )
