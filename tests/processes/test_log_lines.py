"""What the daemon and the webserver print of an outage: a line for each error; what is unknown keeps its stack."""

import io
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from dagster._utils.error import serializable_error_info_from_exc_info

from ml_assets.processes.log_lines import keep_lines_short
from tests.support.outages import REFUSED, of_a_sensor, refused_by_a_database, unreachable


@dataclass
class Daemon:
    """A logger of Dagster's with a handler of its own, in a process whose lines are kept short; and what that prints else."""

    logger: logging.Logger = field(default_factory=lambda: logging.getLogger("dagster.daemon.OfATest"))
    stream: io.StringIO = field(default_factory=io.StringIO)
    others: io.StringIO = field(default_factory=io.StringIO)

    @property
    def printed(self) -> str:
        return self.stream.getvalue()


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    daemon, factory = Daemon(), logging.getLogRecordFactory()
    handler = logging.StreamHandler(daemon.stream)
    daemon.logger.addHandler(handler)
    # A process of Dagster's begins without any.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    keep_lines_short()
    (ours,) = logging.getLogger().handlers
    assert isinstance(ours, logging.StreamHandler)
    ours.setStream(daemon.others)
    yield daemon
    daemon.logger.removeHandler(handler)
    logging.setLogRecordFactory(factory)
    logging.captureWarnings(False)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (refused_by_a_database, REFUSED),
        (of_a_sensor, "FileNotFoundError: event log shop/visits: there is no folder /events"),
        (unreachable, "DagsterUserCodeUnreachableError: Unable to reach the user code server"),
    ],
)
def test_what_is_away_has_a_line_with_its_cause(error: Callable[[], Exception], told: str, daemon: Daemon) -> None:
    try:
        raise error()
    except Exception:
        daemon.logger.exception("Caught an error for sensor shop_sensor:\n")
    assert daemon.printed == f"Caught an error for sensor shop_sensor: {told}\n"


def test_an_error_that_dagster_puts_into_its_message_is_a_line(daemon: Daemon) -> None:
    error = refused_by_a_database()
    info = serializable_error_info_from_exc_info((type(error), error, error.__traceback__))
    daemon.logger.error("Failed to add heartbeat: \n%s", info.to_string())
    first, *others = daemon.printed.splitlines()
    assert first == (
        "Failed to add heartbeat: dagster_postgres.utils.DagsterPostgresException: too many retries for DB connection; "
        f"psycopg2.{REFUSED}"
    )
    assert others == []


def test_an_unknown_error_keeps_its_stack_and_a_text_its_lines(daemon: Daemon) -> None:
    try:
        raise KeyError("a defect")
    except KeyError:
        daemon.logger.exception("Sensor daemon caught an error")
    daemon.logger.warning("two\nlines")
    assert "Traceback (most recent call last):" in daemon.printed
    assert "in test_an_unknown_error_keeps_its_stack" in daemon.printed
    assert daemon.printed.endswith("KeyError: 'a defect'\ntwo\nlines\n")


def test_after_an_outage_no_line_is_told_twice_and_single_attempts_not_at_all(daemon: Daemon) -> None:
    # Its attempts would give the root's logger a handler, where it has none.
    refused_by_a_database()
    daemon.logger.error("told by Dagster's own handler")
    logging.getLogger("another").warning("told by nobody else")
    assert daemon.printed == "told by Dagster's own handler\n"
    assert [line.partition(" - ")[2] for line in daemon.others.getvalue().splitlines()] == [
        "another - WARNING - told by nobody else"
    ]
