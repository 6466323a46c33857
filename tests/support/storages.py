"""What Dagster's storages do in vain for tests, spared in each process that imports this.

Each new instance reads ninety migrations for each of its storages, and it and each of its runs make the same tables anew.
For SQLite, each question makes an engine, and compiles its statements again: engines hold no connection, so that equal
ones may be one. And SQLite waits for the disk at each commit, so that it is kept when the power fails; killed processes
lose nothing without.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache, lru_cache, wraps
from pathlib import Path
from typing import Any

import dagster._core.storage.event_log.sqlite.sqlite_event_log as events
import dagster._core.storage.runs.sqlite.sqlite_run_storage as runs
import dagster._core.storage.schedules.sqlite.sqlite_schedule_storage as schedules
from alembic.script import ScriptDirectory
from dagster._core.storage.sql import get_alembic_config
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
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


def _new_databases() -> dict[str, bytes]:
    """What Dagster writes into each database of a new instance, and into that of a new run."""
    with tempfile.TemporaryDirectory() as folder:
        storage = DagsterSqliteStorage(folder)
        with storage.event_log_storage.run_connection("run"):  # type: ignore[attr-defined]
            pass
        return {file.stem: file.read_bytes() for file in Path(folder).rglob("*.db")}


_NEW = _new_databases()


def _lay(name: str, path: Path) -> None:
    """Make a database at once, unless another process has, or begins to."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent) as made:
        made.write(_NEW[name])
        made.flush()
        with suppress(FileExistsError):
            os.link(made.name, path)


def _lay_before(storage: Any, method: str, lay: Callable[..., None]) -> None:
    """Let a method of a storage find its database made."""
    makes = getattr(storage, method)

    @wraps(makes)
    def finds(*arguments: Any, **options: Any) -> Any:
        lay(*arguments, **options)
        return makes(*arguments, **options)

    setattr(storage, method, finds)


def _lay_events(_storage: Any, engine: Engine, for_index_shard: bool = False) -> None:
    _lay("index" if for_index_shard else "run", Path(str(engine.url.database)))


def _lay_in(name: str) -> Callable[..., None]:
    return lambda base_dir, inst_data=None: _lay(name, Path(base_dir, f"{name}.db"))


_lay_before(events.SqliteEventLogStorage, "_initdb", _lay_events)
_lay_before(runs.SqliteRunStorage, "from_local", _lay_in("runs"))
_lay_before(schedules.SqliteScheduleStorage, "from_local", _lay_in("schedules"))
