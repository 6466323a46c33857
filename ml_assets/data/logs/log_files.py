"""What is asked of event logs: files, the rows of them that count, and what examples are made of them.

Plain values belong here; what reads them does not.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ml_assets.data.labels import Selection
from ml_assets.domain.calendar import Interval
from ml_assets.domain.declared.event_log import Table
from ml_assets.domain.declared.history import Feature
from ml_assets.paths import AnyPath


@dataclass(frozen=True)
class PartitionFiles:
    """The files of an event partition, and the instants that it holds."""

    key: str
    interval: Interval
    files: tuple[AnyPath, ...]


@dataclass(frozen=True)
class LogFiles:
    """The rows of a log that count, and the partitions that hold them.

    `schema_file`: any file of the log, which gives the columns when no file holds rows of the window. `table`: where a
    SQL database holds the log; its partitions have no files then.
    """

    key: str
    partitions: tuple[PartitionFiles, ...]
    schema_file: AnyPath | None
    selection: Selection
    table: Table | None = None

    @property
    def files(self) -> list[AnyPath]:
        """The files of all partitions."""
        return [path for partition in self.partitions for path in partition.files]

    @property
    def some_files(self) -> list[AnyPath]:
        """The files of all partitions, or else the one that gives the columns; none where there is not even that."""
        return self.files or ([self.schema_file] if self.schema_file else [])


@dataclass(frozen=True)
class ExamplesQuery:
    """The exposures of a window, each to be labelled by its outcomes; see `data.labels.label_examples`.

    `keys`: the columns that both logs share; `by_id`: whether they name one exposure, or an entity that may have many.
    """

    exposures: LogFiles
    outcomes: LogFiles
    keys: tuple[str, ...]
    by_id: bool
    within: timedelta
    observed_until: datetime


@dataclass(frozen=True)
class HistoryFiles:
    """A log, and the features that the rows of before an exposure make."""

    log: LogFiles
    by: tuple[str, ...]
    within: timedelta
    features: dict[str, Feature]
