"""A stored table: one Parquet file, or a folder of part files that executors wrote."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from ml_assets.data.artifacts.store import table_files
from ml_assets.paths import AnyPath

#: Whole numbers and booleans stay what they are also where some are missing.
NULLABLE = {
    pa.bool_(): pd.BooleanDtype(),
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
}


def read_table(path: AnyPath) -> pd.DataFrame:
    """The rows of a stored table, with the dtypes that they had when they were saved."""
    elsewhere = None if isinstance(path, Path) else path.fs
    if not path.is_dir():
        return pd.read_parquet(name_in(path), filesystem=elsewhere)
    files = [name_in(file) for file in table_files(path)]
    # Each has the columns of the whole: they were written from one frame.
    schema = pq.read_schema(files[0], filesystem=elsewhere)
    return arrow_to_pandas(ds.dataset(files, schema=schema, filesystem=elsewhere).to_table())


def first_rows_of(path: AnyPath, rows: int, *, lacking: Sequence[str] = (), where: str | None = None) -> pd.DataFrame:
    """The first rows of a stored table, as `read_table` gives them.

    Args: `lacking`: columns, of each of which the first row without a value follows; `where`: a column that must be
    true, if it is one of booleans.
    """
    elsewhere = None if isinstance(path, Path) else path.fs
    files = [name_in(file) for file in table_files(path)]
    stored = ds.dataset(files, schema=pq.read_schema(files[0], filesystem=elsewhere), filesystem=elsewhere)
    chosen = where is not None and pa.types.is_boolean(stored.schema.field(where).type)
    right = ds.field(where) if chosen else ds.scalar(value=True)
    missing = [stored.head(1, filter=right & ds.field(name).is_null(nan_is_null=True)) for name in lacking]
    table = pa.concat_tables([stored.head(rows, filter=right), *missing])
    return arrow_to_pandas(table) if path.is_dir() else table.to_pandas()


def columns_of(path: AnyPath) -> list[str]:
    """The names of a stored table's columns."""
    elsewhere = None if isinstance(path, Path) else path.fs
    names: list[str] = pq.read_schema(name_in(table_files(path)[0]), filesystem=elsewhere).names
    return names


def name_in(path: AnyPath) -> str:
    """The name of a file in its own file system."""
    return str(path) if isinstance(path, Path) else path.path


def arrow_to_pandas(table: pa.Table) -> pd.DataFrame:
    """A table as pandas: whole numbers and booleans are nullable where some are missing, and else plain."""
    frame = without_maps(table).to_pandas(types_mapper=NULLABLE.get)
    missing = (name for name in table.column_names if table[name].null_count)
    return frame.astype(plain_dtypes(table.schema, nullable=missing))


def without_maps(table: pa.Table) -> pa.Table:
    """The table with lists of records (key, value) instead of maps, of which pandas makes what Parquet cannot hold."""
    plain = pa.schema([(field.name, _without_maps(field.type)) for field in table.schema])
    return table if plain.equals(table.schema.remove_metadata()) else table.cast(plain)


def _without_maps(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_map(kind):
        return pa.list_(pa.struct([("key", _without_maps(kind.key_type)), ("value", _without_maps(kind.item_type))]))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _without_maps(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(_without_maps(kind.value_type))
    return kind


def plain_dtypes(schema: pa.Schema, *, nullable: Iterable[str]) -> dict[str, object]:
    """The dtypes of the whole numbers and booleans in which none is missing: all but the columns `nullable`."""
    kept = set(nullable)
    return {
        field.name: field.type.to_pandas_dtype()
        for field in schema
        if field.type in NULLABLE and field.name not in kept
    }
