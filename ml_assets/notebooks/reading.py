"""Reads from event logs what an order asks for."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd

from ml_assets.data.examples import ExampleReader
from ml_assets.data.labels import Selection
from ml_assets.data.logs.log_files import ExamplesQuery, HistoryFiles, LogFiles, PartitionFiles
from ml_assets.domain.calendar import Interval
from ml_assets.domain.declared.event_log import Columns, Table
from ml_assets.domain.declared.history import Feature
from ml_assets.notebooks.frames import is_spark
from ml_assets.notebooks.order import ExamplesOrder, HistoryOrder, LogOrder, ReadRecord

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


class OrderReader:
    """Reads the examples of one order and their history; see `data.examples` for columns and errors.

    Args: `session`: makes the Spark session, where the engine is spark.
    """

    def __init__(self, order: ExamplesOrder, session: "Callable[[], SparkSession]") -> None:
        self._order = order
        if order.engine == "spark":
            from ml_assets.data.engines.spark_engine import SparkEngine

            self._reader = ExampleReader(spark=SparkEngine(session()))
        else:
            self._reader = ExampleReader(memory=order.memory)

    @property
    def reads(self) -> list[ReadRecord]:
        """What was read so far."""
        return [ReadRecord(**asdict(read)) for read in self._reader.reads]

    def examples(self) -> pd.DataFrame:
        """The labelled examples."""
        return self._reader.examples(self._query())

    def spark_examples(self) -> "DataFrame":
        """The labelled examples as a Spark frame that is not computed yet; the engine is spark."""
        return self._reader.spark_examples(self._query())

    def history(self, examples: Any) -> Any:
        """The examples with the columns of their history: pandas, or of Spark where the engine is spark."""
        histories = [_history_files(history) for history in self._order.history]
        if is_spark(examples):
            return self._reader.with_spark_history(examples, histories, time=self._order.exposures.time)
        return self._reader.with_history(examples, histories, time=self._order.exposures.time)

    def _query(self) -> ExamplesQuery:
        order = self._order
        return ExamplesQuery(
            _log_files(order.exposures),
            _log_files(order.outcomes),
            keys=tuple(order.keys),
            by_id=order.by_id,
            within=order.within,
            observed_until=order.observed_until,
        )


def _history_files(order: HistoryOrder) -> HistoryFiles:
    features = {name: Feature(feature.function, feature.column) for name, feature in order.features.items()}
    return HistoryFiles(_log_files(order.log), tuple(order.by), order.within, features)


def _log_files(order: LogOrder) -> LogFiles:
    columns = Columns(order.time, tuple(order.row_key), order.known, order.deleted)
    selection = Selection(columns, Interval(order.start, order.end), order.known_before)
    partitions = (PartitionFiles(one.key, Interval(one.start, one.end), tuple(one.files)) for one in order.partitions)
    table = Table(order.table.name, order.table.url_variable) if order.table else None
    return LogFiles(order.key, tuple(partitions), order.schema_file, selection, table)
