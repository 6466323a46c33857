"""Patience with what keeps Dagster's state: while a database is away for some minutes, its runs and notebooks wait."""

import sqlite3
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import dagster as dg

#: How long an outage may last that ends no run. Dagster's own storages wait for some seconds.
PATIENCE_SECONDS = 600
_SECONDS_BETWEEN_TRIES = 2
#: What waiting does not mend in a file: a table that it lacks, and that it may not be written.
_SQLITE_FINAL = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY}

_T = TypeVar("_T")


class _Outage:
    """The outage that this process is in. `since`: when it was first seen; None: the database answers."""

    since: float | None = None


def patiently(call: Callable[[], _T], away: type[Exception] | None = None) -> _T:
    """What a call gives, which is repeated while its database is away.

    One outage is waited for once, by whatever number of calls: they contain, and follow, one another.
    Args: `away`: what its driver raises then.
    Raises: what the call raises, when it is something else, or the database stays away.
    """
    begun: float | None = None
    while True:
        try:
            given = call()
        except Exception as error:
            if not (is_outage(error) or (away and isinstance(error, away))):
                raise
            if _Outage.since is None:
                _Outage.since = time.monotonic()
                # The log of the run is in that database.
                words = f"the database of Dagster does not answer; it is waited for, up to {PATIENCE_SECONDS} s"
                # The statement follows.
                first, _, _ = str(error).partition("\n")
                sys.stderr.write(f"{words}: {first}\n")
                sys.stderr.flush()
            begun = _Outage.since if begun is None else begun
            if time.monotonic() > begun + PATIENCE_SECONDS:
                raise
        else:
            _Outage.since = None
            return given
        time.sleep(_SECONDS_BETWEEN_TRIES)


def record_patiently(instance: dg.DagsterInstance) -> None:
    """Let all that this process asks of an instance, and records in it, wait for its database; also Dagster itself."""
    if "handle_new_event" in vars(instance):
        return
    # What loads definitions does not pay for it.
    from sqlalchemy import event

    for storage in (instance.run_storage, instance.event_log_storage):
        # That of SQLite has an engine for each run, and is away where its disk is.
        if (engine := getattr(storage, "_engine", None)) is not None:
            event.listen(engine, "do_connect", _connect)
    record = instance.handle_new_event

    def patient(*event: Any, **kwargs: Any) -> None:
        patiently(lambda: record(*event, **kwargs))

    # Loggers, steps and the run itself record their events by this method.
    instance.handle_new_event = patient  # type: ignore[method-assign]


def _connect(dialect: Any, _record: object, arguments: Any, parameters: Any) -> Any:
    """A connection to a server, as each query makes one."""
    return patiently(lambda: dialect.connect(*arguments, **parameters), dialect.loaded_dbapi.OperationalError)


def is_outage(error: Exception) -> bool:
    """Whether a database did not answer. Dagster's storages may wrap what its driver raised."""
    # What loads definitions does not pay for it.
    from sqlalchemy.exc import InterfaceError, OperationalError

    return any(
        isinstance(one, InterfaceError | OperationalError)
        # The lowest byte is the kind of an error.
        and getattr(one.orig, "sqlite_errorcode", 0) & 0xFF not in _SQLITE_FINAL
        for one in (error, error.__cause__)
    )
