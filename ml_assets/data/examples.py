"""Reads labelled examples: the label expression over the rows of event logs, by DuckDB or by Spark."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd
import pyarrow as pa
from ibis import ir

from ml_assets.data.artifacts.tables import without_maps
from ml_assets.data.engines.duckdb_engine import DuckDbEngine
from ml_assets.data.engines.engine import Engine
from ml_assets.data.history import with_history
from ml_assets.data.labels import label_examples, select_events
from ml_assets.data.logs.log_files import ExamplesQuery, HistoryFiles
from ml_assets.data.logs.log_rows import LogRows, Read
from ml_assets.data.versions import comparable
from ml_assets.domain.contents import Wanted
from ml_assets.domain.declared.history import Feature
from ml_assets.domain.declared.near_misses import suggestions
from ml_assets.domain.declared.spec import FEATURE_TIME

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from ml_assets.data.engines.spark_engine import SparkEngine

_ROW = "_example"
_NULLABLE = {
    pa.type_for_alias(name.lower()): pd.api.types.pandas_dtype(name)
    for name in ("boolean", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
}


class ExampleReader:
    """Reads from files by one engine, and keeps a record of what it read (`reads`).

    Args: `memory`: the most that DuckDB takes, such as "2GB"; None is its default, 80% of the machine's. What does not
    fit is spilled to a folder where temporary files go, which the reader takes with it. The frames that are returned,
    and Python with its libraries, come on top. `spark`: the engine to read by instead of DuckDB.
    """

    def __init__(self, memory: str | None = None, *, spark: "SparkEngine | None" = None) -> None:
        self._spark = spark
        self._engine: Engine = spark or DuckDbEngine(memory)
        self._rows = LogRows(self._engine)

    @property
    def reads(self) -> list[Read]:
        """What was read so far, log by log."""
        return self._rows.reads

    def examples(self, query: ExamplesQuery) -> pd.DataFrame:
        """The labelled examples, by event time, key, and then the other columns: the same rows, the same order.

        Returns: one row per exposure: the exposure log's columns and those of `label_examples`.
        Raises: EventLogError when a file lacks a column, an event time has no time zone, or too many rows lie outside
        of their partition.
        """
        names = query.exposures.selection.columns
        with self._engine.working():
            examples = self._examples(query)
            order = dict.fromkeys((names.time, *names.key, *examples.columns))
            found = self._engine.to_arrow(
                examples.order_by([one for name in order for one in comparable(examples[name])])
            )
            found = self._engine.restored(found, query.exposures.some_files)
        return _to_pandas(found, plain=[name for name in found.column_names if not found[name].null_count])

    def write_examples(self, path: Path, query: ExamplesQuery) -> None:
        """Write the labelled examples to a Parquet file, without holding them in memory.

        The rows are those of `examples`, in no order: to sort them would take longer than to label them, and the data
        version does not depend on it (see `data.content`). A file that is there is replaced, once all is written.
        Raises: EventLogError as `examples`.
        """
        if not isinstance(self._engine, DuckDbEngine):
            raise TypeError("write_examples writes one file, by DuckDB; Spark's frames are saved by its executors")
        with self._engine.working():
            examples = self._examples(query)
            self._engine.write(examples, path)

    def spark_examples(self, query: ExamplesQuery) -> "DataFrame":
        """The labelled examples as a Spark frame that is not computed yet: the rows of `examples`, in no order.

        Raises: EventLogError as `examples`; TypeError when the engine is DuckDB.
        """
        engine = self._as_spark()
        with engine.working():
            examples = self._examples(query)
            return engine.to_spark(examples)

    def with_history(self, examples: pd.DataFrame, histories: Sequence[HistoryFiles], *, time: str) -> pd.DataFrame:
        """The examples with the columns of their history; see `data.history.with_history`.

        Args: `time`: the column of the examples that holds the exposure's event time.
        Raises: EventLogError as `examples`; ValueError when the examples lack a column, or have one of the same name.
        """
        by, features = _check_history(examples, histories, time)
        skinny = examples[by].apply(_whole_numbers).assign(**{_ROW: range(len(examples))})
        names = [*features, FEATURE_TIME]
        with self._engine.working():
            nulls = [name for name in by if skinny[name].isna().all()]
            table = self._with_history(self._engine.take(skinny), histories, time, nulls)
            rows = self._engine.to_arrow(table.order_by(_ROW).select(*names))
            rows = self._values_restored(rows, histories)
        counts = [name for name, feature in features.items() if feature.function == "count"]
        found = _to_pandas(rows, plain=counts)
        return examples.assign(**{name: found[name].set_axis(examples.index) for name in names})

    def with_spark_history(self, examples: "DataFrame", histories: Sequence[HistoryFiles], *, time: str) -> "DataFrame":
        """A Spark frame of examples with the columns of their history, which is not computed yet.

        Raises: as `with_history`; TypeError when the engine is DuckDB.
        """
        _check_history(examples, histories, time)
        engine = self._as_spark()
        with engine.working():
            return engine.to_spark(self._with_history(engine.take(examples), histories, time))

    def _values_restored(self, rows: pa.Table, histories: Sequence[HistoryFiles]) -> pa.Table:
        """Features that are a value of the log have the type that it has there."""
        for history in histories:
            for name, feature in history.features.items():
                if feature.function in ("last", "min", "max") and feature.column:
                    values = pa.table({feature.column: rows[name]})
                    restored = self._engine.restored(values, history.log.some_files)
                    rows = rows.set_column(rows.column_names.index(name), name, restored[feature.column])
        return rows

    def _with_history(
        self, table: ir.Table, histories: Sequence[HistoryFiles], time: str, nulls: Collection[str] = ()
    ) -> ir.Table:
        """Args: `nulls`: the columns of the examples that hold nothing, so that their type says nothing."""
        wanted = Wanted({})
        for history in histories:
            columns = history.log.selection.columns
            wanted = wanted.with_history(history.log.key, columns, history.by, _columns_of(history))
        self._rows.check(wanted, *(history.log for history in histories))
        for history in histories:
            rows = self._rows.table(history.log, history.by, "history", _columns_of(history))
            for name in history.by:
                if name in nulls:
                    table = table.mutate(**{name: ibis.null(rows[name].type())})
                rows = self._rows.fitted(rows, history.log, name, table)
                if rows[name].type().is_uuid() and table[name].type().is_string():
                    # As `examples` gives them: pandas has none.
                    table = table.mutate(**{name: table[name].cast("uuid")})
            table = with_history(
                table,
                rows,
                example_time=time,
                columns=history.log.selection.columns,
                by=history.by,
                within=history.within,
                features=history.features,
            )
        return table

    def _as_spark(self) -> "SparkEngine":
        if self._spark is None:
            raise TypeError("examples are Spark frames only where the engine is spark")
        return self._spark

    def _examples(self, query: ExamplesQuery) -> ir.Table:
        exposures, outcomes, keys = query.exposures, query.outcomes, query.keys
        logs = [(log.key, log.selection.columns) for log in (exposures, outcomes)]
        self._rows.check(Wanted.of_logs(logs, keys), exposures, outcomes)
        shown, done = self._rows.table(exposures, keys, "exposures"), self._rows.table(outcomes, keys, "outcomes")
        for key in keys:
            shown, done = (
                self._rows.fitted(shown, exposures, key, done),
                self._rows.fitted(done, outcomes, key, shown),
            )
        return label_examples(
            select_events(shown, exposures.selection),
            select_events(done, outcomes.selection),
            exposure_time=exposures.selection.columns.time,
            outcome_columns=outcomes.selection.columns,
            keys=keys,
            by_id=query.by_id,
            within=query.within,
            observed_until=query.observed_until,
        )


def _to_pandas(table: pa.Table, *, plain: Sequence[str]) -> pd.DataFrame:
    """Whole numbers and booleans stay what they are also where some are missing; in the columns `plain` none is."""
    frame = without_maps(table).to_pandas(types_mapper=_NULLABLE.get)
    types = {name: table.schema.field(name).type for name in plain}
    return frame.astype({name: dtype.to_pandas_dtype() for name, dtype in types.items() if dtype in _NULLABLE})


def _whole_numbers(column: pd.Series) -> pd.Series:
    """Numbers of which pandas made floats because some are missing; others stay what they are.

    Beyond 2 ** 53 floats stand for several whole numbers each.
    """
    if column.dtype.kind != "f":
        return column
    there = column.dropna()
    return column.astype("Int64") if ((there % 1 == 0) & (there.abs() < 2**53)).all() else column


def _check_history(examples: Any, histories: Sequence[HistoryFiles], time: str) -> tuple[list[str], dict[str, Feature]]:
    """The columns of the examples that their history needs, and its features."""
    features = {name: one for history in histories for name, one in history.features.items()}
    by = list(dict.fromkeys([time, *(name for history in histories for name in history.by)]))
    # Engines tell no case apart in names.
    there = {str(name).lower() for name in examples.columns}
    lacking = [name for name in by if name not in examples.columns]
    taken = [name for name in (*features, FEATURE_TIME) if name.lower() in there]
    if lacking or taken:
        hint = suggestions(lacking, examples.columns)
        raise ValueError(
            f"history needs the columns {lacking} of the examples{hint}, and adds {taken}, which they have"
        )
    return by, features


def _columns_of(history: HistoryFiles) -> list[str]:
    return [feature.column for feature in history.features.values() if feature.column]
