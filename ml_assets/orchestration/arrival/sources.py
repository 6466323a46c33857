"""Which event partitions have arrived, asked of the source itself. Not what follows from it: that is the domain's."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ml_assets.data.logs.databases import SourceError, url_in, without_passwords
from ml_assets.data.logs.event_files import EventFolder, NoFolderError
from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared.event_log import EventLog, Marker, Settled, Watermark
from ml_assets.paths import AnyPath

# Imported where a watermark is asked for: loading the code location does not pay for it.
if TYPE_CHECKING:
    import sqlalchemy as sa


class Answer(NamedTuple):
    """What a source answered: the partitions that have arrived, with fingerprints.

    `absent`: why nothing can have; `problems`: why what lies there of some partitions is none that has arrived.
    """

    arrived: Mapping[str, str]
    absent: str = ""
    problems: Mapping[str, str] = MappingProxyType({})


class Arrival(Protocol):
    """How a log says which of its partitions are complete."""

    def ask(self, root: AnyPath, log: EventLog, partitions: Iterable[str] | None = None) -> Answer:
        """The partitions that have arrived, with the fingerprints of their files.

        Args: `partitions`: those to ask for, which keep their order; None asks for all of the log.
        Raises: an error when the source cannot be asked. Nothing is known then, and nothing has arrived by mistake.
        """
        ...


@dataclass(frozen=True)
class MarkerArrival:
    """A partition is complete when it has ended by `as_of`, and a file, written last, lies beside its data."""

    declared: Marker
    as_of: datetime

    def ask(self, root: AnyPath, log: EventLog, partitions: Iterable[str] | None = None) -> Answer:
        """The partitions whose marker exists. Raises: NoFolderError when the log has no folder."""
        marker, folder = self.declared.file, EventFolder(root, log, whole=partitions is None)
        names = _ended(folder, log, partitions, self.as_of)
        return _answer(folder, ((name, folder.marked_fingerprint(name, marker)) for name in names))


@dataclass(frozen=True)
class SettledArrival:
    """A partition is complete when it has ended by `as_of`, and its files have been there, unchanged, for a time."""

    declared: Settled
    as_of: datetime

    def ask(self, root: AnyPath, log: EventLog, partitions: Iterable[str] | None = None) -> Answer:
        """The partitions that have files, all of them old enough. Raises: NoFolderError as `MarkerArrival`."""
        folder = EventFolder(root, log, whole=partitions is None)
        before = (self.as_of - self.declared.unchanged_for).timestamp()
        names = _ended(folder, log, partitions, self.as_of)
        return _answer(folder, ((name, folder.settled_fingerprint(name, before)) for name in names))


@dataclass(frozen=True)
class WatermarkArrival:
    """A partition is complete when it ends at or before the instant up to which a database says that the log is.

    What ends after `as_of` is not, whatever the database says.
    """

    declared: Watermark
    as_of: datetime

    def ask(self, root: AnyPath, log: EventLog, partitions: Iterable[str] | None = None) -> Answer:
        """The partitions that end by the watermark; one without a folder, or without rows in a table, has no events.

        Raises: SourceError when the database gives no instant, or has no such table; NoFolderError when the log has no
        folder: where nothing can be seen, each partition would look empty.
        """
        calendar = log.partitions
        # Asked before the files are looked at: what is loaded in between lies beyond it.
        ended = calendar.complete_before(min(self._complete_until(log), self.as_of))
        if log.table is not None:
            # Loads Ibis, which a service without a table does not pay for.
            from ml_assets.data.logs.event_tables import fingerprints

            return Answer(fingerprints(log, ended if partitions is None else _indices(calendar, partitions, ended)))
        folder = EventFolder(root, log, whole=partitions is None)
        if partitions is None:
            complete = [calendar.key(index) for index in ended]
        else:
            complete = [name for name in partitions if calendar.index_of(name) in ended]
        return _answer(folder, ((name, folder.fingerprint(name)) for name in complete))

    def _complete_until(self, log: EventLog) -> datetime:
        query, variable = self.declared.query, self.declared.url_variable
        where = f"event log {log.key}: the watermark query {query!r}"
        url = url_in(variable, f"event log {log.key}: the environment variable {variable}")
        try:
            rows = _first_rows(url, query)
        except ImportError as error:
            hint = f"install the driver that {variable} names; ml-assets[postgres] has that of postgresql://"
            raise SourceError(f"{where} failed: {error}; {hint}") from None
        except Exception as error:  # noqa: BLE001  (drivers raise errors of their own kinds)
            # From None: the driver's own error may hold the password, and would be shown with this one.
            raise SourceError(f"{where} failed: {without_passwords(error, url)}") from None
        if len(rows) != 1 or len(rows[0]) != 1:
            found = "no row" if not rows else "several rows" if len(rows) > 1 else f"{len(rows[0])} columns"
            raise SourceError(f"{where} gave {found}; it must give one row of one column, an instant")
        return _instant(rows[0][0], where)


def ask(
    log: EventLog,
    root: AnyPath,
    recorded: Collection[str],
    *,
    as_of: datetime,
    partitions: Iterable[str] | None = None,
) -> Answer:
    """Ask a log which of its partitions have arrived.

    One that has no folder and of which nothing was ever `recorded` has not begun: nothing has arrived yet. Where
    something had arrived, the folder is lost, or out of reach.
    Args: `partitions`: as of `Arrival.ask`.
    Raises: as `Arrival.ask`.
    """
    try:
        return arrival_of(log, as_of=as_of).ask(root, log, partitions)
    except NoFolderError as error:
        if recorded:
            raise NoFolderError(f"{error}; {len(recorded)} had arrived, and are out of reach or lost") from None
        return Answer({}, str(error))


def arrival_of(log: EventLog, *, as_of: datetime) -> Arrival:
    """How a log says what has arrived, as declared."""
    if isinstance(log.arrival, Watermark):
        return WatermarkArrival(log.arrival, as_of)
    if isinstance(log.arrival, Settled):
        return SettledArrival(log.arrival, as_of)
    return MarkerArrival(log.arrival, as_of)


def _answer(folder: EventFolder, found: Iterable[tuple[str, str | None]]) -> Answer:
    """Args: `found`: fingerprints by partition, None where it has not arrived."""
    arrived = {name: fingerprint for name, fingerprint in found if fingerprint is not None}
    problems = folder.problems
    return Answer({name: one for name, one in arrived.items() if name not in problems}, problems=problems)


def _ended(folder: EventFolder, log: EventLog, asked: Iterable[str] | None, as_of: datetime) -> list[str]:
    """The partitions that have a folder and have ended; all that have, or those that are asked for."""
    # A log may reach further back than its declared start; what is no partition does not concern us.
    ended = _keys(log.partitions, len(log.partitions.complete_before(as_of)))
    names = folder.folders
    return [name for name in (names if asked is None else asked) if name in names and name in ended]


@lru_cache(maxsize=16)
def _keys(calendar: Calendar, count: int) -> frozenset[str]:
    """The first partitions of a calendar."""
    return frozenset(map(calendar.key, range(count)))


def _indices(calendar: Calendar, partitions: Iterable[str], among: range) -> list[int]:
    return [index for index in map(calendar.index_of, partitions) if index in among]


def _first_rows(url: "sa.URL", query: str) -> list[tuple[Any, ...]]:
    """Up to two rows of a query, which reaches the driver as it was declared, in a transaction that writes nothing."""
    import sqlalchemy as sa

    engine = sa.create_engine(url, poolclass=sa.NullPool)
    # Closing rolls back, whatever the database; PostgreSQL also refuses to write.
    with engine.connect().execution_options(postgresql_readonly=True, no_parameters=True) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query).fetchmany(2)]


def _instant(value: Any, where: str) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is not None and MINYEAR < value.year < MAXYEAR:
        return value.astimezone(UTC)
    found = "NULL" if value is None else repr(value)
    right = "a finite instant with a time zone, such as a timestamptz; while nothing is complete, the start of the log"
    raise SourceError(f"{where} gave {found}; it must give {right}")
