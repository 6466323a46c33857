"""Reads from event logs what an order asks for."""

from dataclasses import asdict

import pandas as pd

from ml_assets.data.examples import ExampleReader, HistoryFiles, LogFiles, PartitionFiles
from ml_assets.data.labels import Selection
from ml_assets.domain.calendar import Interval
from ml_assets.domain.event_log import Columns, Table
from ml_assets.domain.history import Feature
from ml_assets.notebooks.order import ExamplesOrder, HistoryOrder, LogOrder, ReadRecord


class OrderReader:
    """Reads the examples of one order and their history; see `data.examples` for columns and errors."""

    def __init__(self, order: ExamplesOrder) -> None:
        self._order = order
        self._reader = ExampleReader(memory=order.memory)

    @property
    def reads(self) -> list[ReadRecord]:
        """What was read so far."""
        return [ReadRecord(**asdict(read)) for read in self._reader.reads]

    def examples(self) -> pd.DataFrame:
        """The labelled examples."""
        order = self._order
        return self._reader.examples(
            _log_files(order.exposures),
            _log_files(order.outcomes),
            keys=order.keys,
            by_id=order.by_id,
            within=order.within,
            observed_until=order.observed_until,
        )

    def history(self, examples: pd.DataFrame) -> pd.DataFrame:
        """The examples with the columns of their history."""
        histories = [_history_files(history) for history in self._order.history]
        return self._reader.with_history(examples, histories, time=self._order.exposures.time)


def _history_files(order: HistoryOrder) -> HistoryFiles:
    features = {name: Feature(feature.function, feature.column) for name, feature in order.features.items()}
    return HistoryFiles(_log_files(order.log), tuple(order.by), order.within, features)


def _log_files(order: LogOrder) -> LogFiles:
    columns = Columns(order.time, tuple(order.row_key), order.known, order.deleted)
    selection = Selection(columns, Interval(order.start, order.end), order.known_before)
    partitions = (PartitionFiles(one.key, Interval(one.start, one.end), tuple(one.files)) for one in order.partitions)
    table = Table(order.table.name, order.table.url_variable) if order.table else None
    return LogFiles(order.key, tuple(partitions), order.schema_file, selection, table)
