"""What a team declares of an event log, as plain values that are valid once they exist.

Belongs here: its fields and the rules between them. Does not belong here: how its files or its database are asked.
"""

import re
from dataclasses import dataclass
from datetime import timedelta

from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared.names import check_column, check_columns, check_file, check_folder, check_key
from ml_assets.domain.declared.queries import check_query
from ml_assets.domain.durations import Duration
from ml_assets.domain.errors import SpecError

#: How many partitions beyond the present a log may list: the UI shows each.
_MOST_AHEAD = 20_000
_NO_TABLE = re.compile(r"[\x00-\x20\x7f/:@;*'\"`]")


@dataclass(frozen=True)
class Columns:
    """Names of an event log's columns.

    `time`: event time; `key`: what identifies a row; `known`: when a row could have been known; `deleted`: a boolean
    that marks a retraction, which takes back the earlier rows of its key.
    """

    time: str
    key: tuple[str, ...]
    known: str | None = None
    deleted: str | None = None

    def __post_init__(self) -> None:
        check_columns("columns.key", self.key)
        for name in ("time", "known", "deleted"):
            check_column(f"columns.{name}", getattr(self, name))
        if self.deleted is not None and self.deleted.lower() in {name.lower() for name in (*self.times, *self.key)}:
            raise SpecError("columns.deleted", self.deleted, "a boolean column of its own, neither time nor key")
        if self.deleted is not None and self.known is None:
            raise SpecError(
                "columns.deleted",
                self.deleted,
                "a log with columns.known: a retraction is an appended row, known later than what it takes back",
            )

    @property
    def times(self) -> tuple[str, ...]:
        """The columns that hold instants."""
        return (self.time,) if self.known is None else (self.time, self.known)


@dataclass(frozen=True)
class Marker:
    """A partition has arrived when this file lies beside its data."""

    file: str = "_SUCCESS"

    def __post_init__(self) -> None:
        check_file("arrival.marker", self.file, "the name of a file in each partition's folder, such as _SUCCESS")

    @property
    def words(self) -> str:
        """What a partition waits for."""
        return f"a partition has arrived when {self.file} lies beside its data"


@dataclass(frozen=True)
class Settled:
    """A partition has arrived when it has files, and none of them was written for so long."""

    unchanged_for: timedelta

    @property
    def words(self) -> str:
        """What a partition waits for."""
        return f"a partition has arrived when its files were not written for {self.unchanged_for}"


@dataclass(frozen=True)
class Watermark:
    """A partition has arrived when it ends at or before the instant that a SQL query gives.

    `url_variable`: the environment variable that holds the database's SQLAlchemy URL.
    """

    query: str
    url_variable: str

    def __post_init__(self) -> None:
        check_query("arrival.watermark.query", self.query)
        _check_variable("arrival.watermark.url_variable", self.url_variable)

    @property
    def words(self) -> str:
        """What a partition waits for."""
        return f"a partition has arrived when it ends by what `{self.query}` gives"


@dataclass(frozen=True)
class Table:
    """A table or view of a SQL database that holds an event log, such as `analytics.impressions`.

    `url_variable`: the environment variable that holds the database's SQLAlchemy URL.
    """

    name: str
    url_variable: str

    def __post_init__(self) -> None:
        parts = self.name.split(".")
        if len(parts) > 3 or not all(part and not _NO_TABLE.search(part) for part in parts):
            raise SpecError(
                "table.name",
                self.name,
                "the name of a table without quotes, such as impressions or analytics.impressions",
            )
        _check_variable("table.url_variable", self.url_variable)


def _check_variable(key: str, name: str) -> None:
    if not name.isidentifier():
        right = "the name of the environment variable that holds the database's URL, such as WAREHOUSE_URL"
        raise SpecError(key, name, right)


@dataclass(frozen=True)
class EventLog:
    """A time-partitioned table of exposures or of outcomes.

    `location` is a folder below the root of event logs, "" where a `table` holds the log; `lookahead` says how far
    ahead partitions are listed; `known_delay` how long after an instant a training may still wait for rows of before
    it; `restatement` how long after its end a partition may change and be acted on, None for ever.
    """

    key: str
    location: str
    partitions: Calendar
    lookahead: Duration
    columns: Columns
    arrival: Marker | Watermark | Settled = Marker()
    known_delay: timedelta = timedelta(0)
    restatement: Duration | None = None
    table: Table | None = None

    def __post_init__(self) -> None:
        check_key("key", self.key)
        self._check_place()
        if self.partitions_ahead > _MOST_AHEAD:
            longest = f"{_MOST_AHEAD} partitions, one each {self.partitions.every}"
            raise SpecError(
                "lookahead", str(self.lookahead), f"the longest evaluation window + horizon, at most {longest}"
            )

    def _check_place(self) -> None:
        if self.table is None and not self.location.strip():
            raise SpecError("location", None, "a folder below the root of event logs, or `table` instead")
        if self.table is None:
            check_folder("location", self.location, "a folder below the root of event logs, such as ads/impressions")
            return
        if self.location:
            raise SpecError("table", self.table.name, f"either table or location, which is {self.location!r}")
        if not isinstance(self.arrival, Watermark):
            raise SpecError(
                "arrival", None, "a watermark: {query: ..., url_variable: ...}, as a table has no files to tell by"
            )

    @property
    def place(self) -> str:
        """The folder or the table that holds it."""
        return self.location or f"table {self.table.name if self.table else ''}"

    @property
    def service(self) -> str:
        """The first part of the key."""
        return self.key.split("/")[0]

    @property
    def partitions_ahead(self) -> int:
        """How many partitions beyond the present are listed."""
        unit = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
        # One more than the quotient: where clocks change, elapsed time reaches one partition further.
        return -(-self.lookahead.elapsed // unit[self.partitions.every]) + 1
