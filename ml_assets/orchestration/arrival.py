"""Which event partitions have arrived, asked of the source itself. Not what follows from it: that is the domain's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol

import dagster as dg

from ml_assets.data.event_files import fingerprint, partition_folder, partition_folders
from ml_assets.domain.event_log import EventLog, Marker, Watermark


class SourceError(Exception):
    """A source did not say what has arrived."""


class Arrival(Protocol):
    """How a log says which of its partitions are complete."""

    def arrived(self, root: Path, log: EventLog, partitions: Iterable[str] | None = None) -> Mapping[str, str]:
        """The partitions that have arrived, with the fingerprints of their files; all of the log, or of those given.

        Raises: an error when the source cannot be asked. Nothing is known then, and nothing has arrived by mistake.
        """
        ...


@dataclass(frozen=True)
class MarkerArrival:
    """A partition is complete when a file, written last, lies beside its data."""

    declared: Marker

    def arrived(self, root: Path, log: EventLog, partitions: Iterable[str] | None = None) -> Mapping[str, str]:
        """The partitions whose marker exists. Raises: FileNotFoundError when the log has no folder."""
        marker = self.declared.file
        folders = _folders(root, log, partitions)
        return {
            partition: fingerprint(folder, marker)
            for partition, folder in folders.items()
            if (folder / marker).exists()
        }


@dataclass(frozen=True)
class WatermarkArrival:
    """A partition is complete when it ends at or before the instant up to which a load-status table says so."""

    declared: Watermark

    def arrived(self, root: Path, log: EventLog, partitions: Iterable[str] | None = None) -> Mapping[str, str]:
        """The partitions that end by the watermark; one without a folder has no events.

        Raises: SourceError when the database cannot be asked or gives no instant; FileNotFoundError when the log has no
        folder.
        """
        complete_until = self._ask(log)
        calendar = log.partitions
        ended = range(0) if complete_until is None else calendar.complete_before(complete_until)
        complete = {calendar.key(index) for index in ended}
        asked = complete if partitions is None else complete & set(partitions)
        folders = _folders(root, log, None)
        return {name: fingerprint(folders.get(name, partition_folder(root, log, name))) for name in sorted(asked)}

    def _ask(self, log: EventLog) -> datetime | None:
        # Only who has such a log pays for SQLAlchemy's drivers.
        import sqlalchemy as sa

        where = f"event log {log.key}: the watermark query {self.declared.query!r}"
        url = dg.EnvVar(self.declared.url_variable).get_value()
        if not url:
            raise SourceError(
                f"event log {log.key}: the environment variable {self.declared.url_variable} is not set; "
                "it holds the URL of the database that the watermark is asked of"
            )
        try:
            engine = sa.create_engine(url, poolclass=sa.NullPool)
            with engine.connect() as connection:
                rows = [tuple(row) for row in connection.execute(sa.text(self.declared.query))]
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            raise SourceError(f"{where} failed: {error}") from error
        if len(rows) != 1 or len(rows[0]) != 1:
            raise SourceError(f"{where} gave {len(rows)} rows; it must give one row of one column, an instant")
        return _instant(rows[0][0], where)


def arrival_of(log: EventLog) -> Arrival:
    """How a log says what has arrived, as declared."""
    if isinstance(log.arrival, Watermark):
        return WatermarkArrival(log.arrival)
    return MarkerArrival(log.arrival)


def _instant(value: Any, where: str) -> datetime | None:
    """Null says that nothing is complete yet."""
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        hint = "a date does not say when it ends" if type(value) is date else "such as a timestamptz"
        raise SourceError(f"{where} gave {value!r}; it must give an instant with a time zone, {hint}")
    return value.astimezone(UTC)


def _folders(root: Path, log: EventLog, partitions: Iterable[str] | None) -> dict[str, Path]:
    if partitions is not None:
        return {partition: partition_folder(root, log, partition) for partition in partitions}
    # A log may reach further back than its declared start; what is no partition does not concern us.
    folders = partition_folders(root, log)
    return {partition: folder for partition, folder in folders.items() if log.partitions.holds(partition)}
