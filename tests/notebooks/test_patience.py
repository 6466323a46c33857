"""What is recorded while a database does not answer is recorded once it does."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import dagster as dg
import pytest
from dagster_postgres.utils import retry_pg_connection_fn
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from ml_assets.notebooks import patience
from ml_assets.notebooks.patience import is_outage, patiently, record_patiently
from ml_assets.project.home import open_instance
from tests.support.postgres import DagsterPostgres, postgres_server

RUN = "00000000-0000-0000-0000-000000000001"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_SECONDS_BETWEEN_TRIES", 0.05)
    monkeypatch.setattr(patience._Outage, "since", None)


@contextmanager
def locked(instance: dg.DagsterInstance, seconds: float) -> Iterator[None]:
    """Let nobody write the events of a run for some time."""
    (file,) = Path(instance.root_directory).rglob(f"{RUN}.db")
    connection = sqlite3.connect(file, check_same_thread=False)
    connection.execute("begin exclusive")
    timer = threading.Timer(seconds, connection.rollback)
    timer.start()
    try:
        yield
    finally:
        timer.join()
        connection.close()


def test_an_event_waits_for_a_database_that_is_locked_for_longer_than_its_driver_waits(tmp_path: Path) -> None:
    instance = open_instance(tmp_path / "home")
    run = instance.add_run(dg.DagsterRun("job", run_id=RUN))
    instance.report_engine_event("before", run)
    record_patiently(instance)
    record_patiently(instance)
    with locked(instance, 7):
        instance.report_engine_event("meanwhile", run)
    assert [entry.user_message or entry.message for entry in instance.all_logs(RUN)] == ["before", "meanwhile"]


def test_what_is_asked_of_a_server_that_is_away_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Dagster's own patience is some seconds.
    monkeypatch.setattr(retry_pg_connection_fn, "__defaults__", (1, 0.01))
    with postgres_server() as server:
        instance = open_instance(DagsterPostgres(server).new_home(tmp_path / "home", monkeypatch))
        run = instance.add_run(dg.DagsterRun("job", run_id=RUN))
        record_patiently(instance)
        server.kill()
        back = threading.Timer(1, server.start)
        back.start()
        try:
            assert instance.get_run_by_id(RUN) is not None
            instance.report_engine_event("it goes on", run)
        finally:
            back.join()
        assert [entry.user_message or entry.message for entry in instance.all_logs(RUN)] == ["it goes on"]


def raising(error: Exception) -> NoReturn:
    raise error


def test_what_is_no_outage_is_raised_at_once() -> None:
    begun = time.monotonic()
    with pytest.raises(ProgrammingError):
        patiently(lambda: raising(ProgrammingError("select", {}, Exception("no such column"))))
    with pytest.raises(ValueError, match="wrong"):
        patiently(lambda: raising(ValueError("wrong")))
    assert time.monotonic() - begun < 5


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(OperationalError):
        patiently(lambda: raising(OperationalError("select", {}, Exception("connection refused"))))


def test_an_outage_is_told_also_where_dagster_wraps_what_the_driver_raised() -> None:
    outage = OperationalError("select", {}, Exception("connection refused"))
    wrapped = RuntimeError("too many retries for DB connection")
    wrapped.__cause__ = outage
    assert is_outage(wrapped)
    assert is_outage(outage)
    assert not is_outage(OSError(28, "No space left on device"))


def test_one_outage_is_waited_for_once_however_many_ask_and_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.4)
    away = OperationalError("select", {}, Exception("connection refused"))
    calls = 0

    def ask() -> None:
        nonlocal calls
        calls += 1
        raise away

    begun = time.monotonic()
    for _ in range(5):
        with pytest.raises(OperationalError):
            # As Dagster's own tries are within an event that is recorded patiently.
            patiently(lambda: patiently(ask))
    assert time.monotonic() - begun < 1
    assert calls < 20
    assert (
        capsys.readouterr().err.count("it is waited for, up to 0.4 s: (builtins.Exception) connection refused\n") == 1
    )
    assert patiently(lambda: "it is back") == "it is back"
    begun = time.monotonic()
    with pytest.raises(OperationalError):
        patiently(ask)
    assert time.monotonic() - begun > 0.4, "a new outage is waited for anew"


def test_a_file_that_may_not_be_written_or_lacks_a_table_is_not_waited_for(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/home.db")
    with engine.connect() as connection:
        connection.execute(text("pragma query_only = on"))
        for statement in ("select * from nowhere", "create table new (x int)"):
            with pytest.raises(OperationalError) as raised:
                connection.execute(text(statement))
            assert not is_outage(raised.value)
