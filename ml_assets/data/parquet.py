"""Parquet files as a table of DuckDB, wherever they lie."""

from collections.abc import Sequence
from glob import escape
from pathlib import Path

from ibis import ir, util
from ibis.backends.duckdb import Backend

from ml_assets.paths import AnyPath


def read_parquet(connection: Backend, paths: Sequence[AnyPath], *, file_column: str | None = None) -> ir.Table:
    """The rows of some files, with the columns of all, by name.

    Args: `file_column`: the name of a column that tells each row's file, as `str(path)`.
    Raises: duckdb.Error when a file cannot be read; FileNotFoundError for one that is not there.
    """
    for protocol, path in {path.protocol: path for path in paths if not isinstance(path, Path)}.items():
        # DuckDB's own way to S3 is an extension that it loads from the Internet, and knows nothing of other stores.
        if not connection.con.filesystem_is_registered(protocol):
            connection.con.register_filesystem(path.fs)
    files = ", ".join(_quoted(escape(str(path))) for path in paths)
    options = ["hive_partitioning = false", "union_by_name = true"]
    if file_column is not None:
        options.append(f"filename = {_quoted(file_column)}")
    name = util.gen_name("parquet")
    rows = f"SELECT * FROM read_parquet([{files}], {', '.join(options)})"  # noqa: S608  (quoted)
    connection.raw_sql(f"CREATE TEMP VIEW {name} AS {rows}")
    return connection.table(name)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
