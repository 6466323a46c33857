"""Parquet files as a table of DuckDB, wherever they lie."""

from collections.abc import Collection, Mapping, Sequence
from glob import escape
from pathlib import Path
from types import MappingProxyType

import ibis
from ibis import ir, util
from ibis.backends.duckdb import Backend

from ml_assets.data.engines.read_once import ReadOnce
from ml_assets.paths import AnyPath

#: By file: the names of its columns without a type.
Untyped = Mapping[AnyPath, frozenset[str]]
NO_UNTYPED: Untyped = MappingProxyType({})


def read_parquet(
    connection: Backend,
    paths: Sequence[AnyPath],
    *,
    file_column: str | None = None,
    untyped: Untyped = NO_UNTYPED,
    left_out: Collection[str] = (),
) -> ir.Table:
    """The rows of some files, with the columns of all, by name.

    Args: `file_column`: the name of a column that tells each row's file, as `str(path)`; `untyped`: the columns without
    a type, of files that have such: they get the type that other files have, where DuckDB would find one for both;
    `left_out`: columns, in lower case, that are not read.
    Raises: duckdb.Error when a file cannot be read; FileNotFoundError for one that is not there.
    """
    for protocol, remote in {path.protocol: path for path in paths if not isinstance(path, Path)}.items():
        # DuckDB's own way to S3 is an extension that it loads from the Internet, and knows nothing of other stores.
        if connection.con.filesystem_is_registered(protocol):
            connection.con.unregister_filesystem(protocol)
        connection.con.register_filesystem(ReadOnce(remote.fs))
    options = ["hive_partitioning = false", "union_by_name = true"]
    if file_column is not None:
        options.append(f"filename = {_quoted(file_column)}")
    groups: dict[frozenset[str], list[str]] = {}
    for path in paths:
        groups.setdefault(untyped.get(path, frozenset()), []).append(_quoted(escape(str(path))))
    selections = []
    unread = f"COLUMNS(name -> lower(name) NOT IN ({', '.join(map(_quoted, sorted(left_out)))}))" if left_out else "*"
    for typeless, files in groups.items():
        exclude = f"EXCLUDE ({', '.join(map(_name, sorted(typeless)))})" if typeless else ""
        rows = f"SELECT * {exclude} FROM read_parquet([{', '.join(files)}], {', '.join(options)})"  # noqa: S608  (quoted)
        selections.append(f"SELECT {unread} FROM ({rows})")  # noqa: S608  (likewise)
    name = util.gen_name("parquet")
    connection.raw_sql(f"CREATE TEMP VIEW {name} AS {' UNION ALL BY NAME '.join(selections)}")
    table = connection.table(name)
    missing = {one for one in frozenset().union(*groups) if one.lower() not in left_out} - set(table.columns)
    nowhere = dict.fromkeys(sorted(missing), ibis.null("int32"))
    return table.mutate(**nowhere) if nowhere else table


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
