"""What Dagster's storages do in vain for tests, spared in each process that imports this.

Each new instance reads ninety migrations for each of its storages. For SQLite, each question makes an engine, and compiles
its statements again: engines hold no connection, so that equal ones may be one. And SQLite waits for the disk at each
commit, so that it is kept when the power fails; killed processes lose nothing without.
"""

import sqlite3
from functools import cache, lru_cache
from typing import Any

import dagster._core.storage.event_log.sqlite.sqlite_event_log as events
import dagster._core.storage.runs.sqlite.sqlite_run_storage as runs
import dagster._core.storage.schedules.sqlite.sqlite_schedule_storage as schedules
from alembic.script import ScriptDirectory
from dagster._core.storage.sql import get_alembic_config
from sqlalchemy import NullPool, create_engine, event
from sqlalchemy.engine import Engine

ScriptDirectory.from_config = cache(ScriptDirectory.from_config)  # type: ignore[method-assign]
# Before processes are forked.
for _storage in (events, runs, schedules):
    ScriptDirectory.from_config(get_alembic_config(_storage.__file__)).as_revision_number("head")


@lru_cache(maxsize=64)
def _engine(url: str, options: tuple[tuple[str, Any], ...]) -> Engine:
    return create_engine(url, poolclass=NullPool, connect_args=dict(options))


def _one_engine(url: str, *, poolclass: type, connect_args: dict[str, Any] | None = None) -> Engine:
    assert poolclass is NullPool, "a connection that is kept would be shared by processes that are forked"
    return _engine(url, tuple((connect_args or {}).items()))


for _storage in (events, runs, schedules):
    _storage.create_engine = _one_engine  # type: ignore[attr-defined]


@event.listens_for(Engine, "connect")
def _wait_for_no_disk(connection: object, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")
