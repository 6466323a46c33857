"""Whether a daemon works on an instance: by its process where it is of this machine, elsewhere by its heartbeats."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import psutil

from ml_assets import variables

#: A daemon says twice a minute that it lives.
_SECONDS_OF_SILENCE = 90
#: From one heartbeat to the next, and a little.
_SECONDS_BETWEEN_HEARTBEATS = 35


class Life(NamedTuple):
    """Whether a daemon of an instance is alive, and by which sign, in words."""

    alive: bool
    sign: str


def life_of_daemon(instance: dg.DagsterInstance, as_of: datetime, *, after: float = math.inf) -> Life:
    """Look for a daemon of an instance.

    Of this machine, processes can be asked. A heartbeat outlives its daemon, and comes back with a dump of the
    database, so that one alone is no sign of life; one that has come `after` another is: of a daemon in a container, or
    on another machine that shares the database or mounts the home.
    """
    beat = last_heartbeat(instance)
    silence = as_of.timestamp() - beat
    lately = silence < _SECONDS_OF_SILENCE
    heartbeat = f"the last heartbeat was {max(0, silence):.0f} seconds ago" if beat else "none has had a heartbeat"
    for process, is_of_home in _daemons(Path(instance.root_directory).resolve()):
        # Of a process of another user the home cannot be read.
        if is_of_home or (is_of_home is None and lately):
            return Life(True, f"process {process.pid}")
    none = "no process of this machine is one"
    if lately and beat > after:
        return Life(True, f"{none}, so it is elsewhere; {heartbeat}")
    return Life(False, f"{none}; {heartbeat}")


def wait_for_life(instance: dg.DagsterInstance, *, say: Callable[[str], None]) -> Life:
    """Look for a daemon; where one had a heartbeat lately, and has no process here, wait for the next heartbeat.

    Args: `say`: is told what is waited for.
    """
    beat, now = last_heartbeat(instance), datetime.now(UTC)
    life = life_of_daemon(instance, now)
    if life.alive or now.timestamp() - beat >= _SECONDS_OF_SILENCE:
        return life
    seconds = _SECONDS_BETWEEN_HEARTBEATS
    say(f"no daemon here ({life.sign}): waiting up to {seconds:.0f} seconds for the heartbeat of one elsewhere")
    deadline = time.monotonic() + seconds
    while not life.alive and time.monotonic() < deadline:
        time.sleep(min(1, seconds))
        if last_heartbeat(instance) > beat:
            life = life_of_daemon(instance, datetime.now(UTC), after=beat)
    return life


def last_heartbeat(instance: dg.DagsterInstance) -> float:
    """When a daemon of an instance last said that it lives, in seconds since 1970; 0: none ever did."""
    return max((beat.timestamp for beat in instance.get_daemon_heartbeats().values()), default=0.0)


@contextmanager
def forgetting_heartbeats(instance: dg.DagsterInstance) -> Iterator[None]:
    """Around the life of a daemon: nobody waits for the heartbeats of one that has ended. Those of others stay."""
    started = time.time()
    others = last_heartbeat(instance) > started - _SECONDS_OF_SILENCE
    try:
        yield
    finally:
        beats = instance.get_daemon_heartbeats().values()
        if not others and len({beat.daemon_id for beat in beats if beat.timestamp > started}) == 1:
            instance.wipe_daemon_heartbeats()


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
    """Whether a command line is `dagster-daemon run`, or how `dagster dev` calls it; or `ml-assets daemon`."""
    return any(
        (second == "run" and (Path(first).name == "dagster-daemon" or first == "dagster._daemon"))
        or (second == "daemon" and Path(first).name in {"ml-assets", "ml_assets"})
        for first, second in pairwise(arguments)
    )
