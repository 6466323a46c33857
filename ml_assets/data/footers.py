"""What the footers of Parquet files tell without reading their rows: how many there are, and the types of columns."""

import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from ml_assets.domain import contents
from ml_assets.domain.agreement import Agreement, Misfits
from ml_assets.domain.contents import Alike, Column, Contents, Wanted
from ml_assets.paths import AnyPath, AwayError

#: A footer is small: what takes time is to ask for it.
_AT_ONCE = 16
_LONGEST_DECIMAL = 38
_LONG_DECIMAL = re.compile(r"decimal256\((39|[4-7]\d),")
_NUMBERS = {contents.INTEGER, contents.FLOAT, contents.BOOLEAN}
#: Beside text, these are read as text.
_AS_TEXT = {contents.TEXT, contents.INSTANT, "date"}


class FooterError(ValueError):
    """A file is no Parquet file, or none that can be read here. The message names it."""


class Footer(NamedTuple):
    """How many rows a file has, and its columns by name, in their order."""

    rows: int
    columns: Mapping[str, Column]


#: By file: its footer, or why that cannot be read.
Footers = Mapping[AnyPath, Footer | OSError | FooterError]


def read_footers(files: Iterable[AnyPath], *, until: float | None = None) -> Footers:
    """The footers of some files, many at once. Args: `until`: by `time.monotonic`; later ones are left out."""
    files = list(files)
    if not files:
        return {}
    with ThreadPoolExecutor(min(_AT_ONCE, len(files))) as pool:
        found = zip(files, pool.map(_read, files, repeat(until)), strict=True)
    return {file: footer for file, footer in found if footer is not None}


def contents_of(fingerprint: str, files: Sequence[AnyPath], footers: Footers) -> Contents:
    """What is seen of the files of an event partition; those that cannot be read hold nothing that is known."""
    there = [(file, footer) for file in files if isinstance(footer := footers[file], Footer)]
    alike: dict[tuple[tuple[str, Column], ...], Alike] = {}
    for file, footer in there:
        columns = tuple(footer.columns.items())
        known = alike.get(columns, Alike(footer.columns, f"{file.parent.name}/{file.name}", 0))
        alike[columns] = known._replace(number=known.number + 1)
    unreadable = next((str(footer) for file in files if isinstance(footer := footers[file], Exception)), "")
    rows = sum(footer.rows for _, footer in there)
    return Contents(fingerprint, rows, tuple(alike.values()), unreadable=unreadable)


def check_files(files: Mapping[str, Mapping[str, Sequence[AnyPath]]], wanted: Wanted) -> Misfits:
    """Which event partitions of one window may not be read with the others, by log, with the reason in words.

    Args: `files`: by log key and event partition.
    """
    return misfits_of(
        files, read_footers(file for of in files.values() for there in of.values() for file in there), wanted
    )


def misfits_of(files: Mapping[str, Mapping[str, Sequence[AnyPath]]], footers: Footers, wanted: Wanted) -> Misfits:
    """As `check_files`, of files whose footers have been read."""
    seen = {log: {one: contents_of("", there, footers) for one, there in of.items()} for log, of in files.items()}
    return Agreement(wanted, seen).misfits(seen)


def untyped_columns(files: Iterable[AnyPath], footers: Footers) -> dict[AnyPath, frozenset[str]]:
    """The columns without a type of each file that has such."""
    found = {
        file: frozenset(name for name, column in footer.columns.items() if column.family == contents.UNTYPED)
        for file in files
        if isinstance(footer := footers[file], Footer)
    }
    return {file: names for file, names in found.items() if names}


def mixed_columns(files: Iterable[AnyPath], footers: Footers) -> frozenset[str]:
    """The columns of which no engine makes one, as their types differ too much: a list in one file, a date in another.

    Numbers of every type are numbers together, and beside text most are text. A decimal of more than 38 digits is one
    of them by itself: DuckDB would read other numbers.
    """
    kinds: dict[str, set[Column]] = {}
    for footer in (footers[file] for file in files):
        for name, column in footer.columns.items() if isinstance(footer, Footer) else ():
            if column.family not in {contents.UNTYPED, contents.TWICE}:
                kinds.setdefault(name.lower(), set()).add(column)
    return frozenset(name for name, columns in kinds.items() if not _make_one(columns))


def _make_one(columns: Collection[Column]) -> bool:
    if any(_LONG_DECIMAL.match(column.type) for column in columns):
        return False
    families = {column.family for column in columns}
    if len(families) == 1:
        return families != {contents.NESTED} or len({column.type for column in columns}) == 1
    others = {family for family in families if family not in _NUMBERS and not family.startswith("decimal")}
    return not others or (contents.TEXT in others and others <= _AS_TEXT)


def column_of(kind: pa.DataType) -> Column:
    """The family of an Arrow type, and what it is called."""
    return Column(_family(kind), str(kind))


def _read(path: AnyPath, until: float | None) -> Footer | OSError | FooterError | None:
    if until is not None and time.monotonic() > until:
        return None
    try:
        if isinstance(path, Path):
            with pq.ParquetFile(str(path)) as file:
                return _footer(file)
        with path.open("rb") as opened, pq.ParquetFile(opened) as file:
            return _footer(file)
    except AwayError:
        # Nothing is known of the file.
        raise
    except OSError as error:
        return error
    except (pa.ArrowException, UnicodeDecodeError) as error:
        return FooterError(f"{path}: {error}")


def _footer(file: pq.ParquetFile) -> Footer:
    columns: dict[str, Column] = {}
    for field in file.schema_arrow:
        column = column_of(field.type)
        columns[field.name] = Column(contents.TWICE, column.type) if field.name in columns else column
    return Footer(file.metadata.num_rows, columns)


def _family(kind: pa.DataType) -> str:
    """Types of one family are read as one without a loss."""
    if types.is_dictionary(kind):
        return _family(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return contents.UUID if kind.extension_name == "arrow.uuid" else _family(kind.storage_type)
    if types.is_timestamp(kind):
        return contents.INSTANT if kind.tz else "timestamp without a time zone"
    if types.is_decimal(kind):
        # DuckDB has no longer ones, and reads them as floats.
        return f"decimal with {kind.scale} places" if kind.precision <= _LONGEST_DECIMAL else contents.FLOAT
    families = {
        contents.UNTYPED: types.is_null,
        contents.INTEGER: types.is_integer,
        contents.TEXT: lambda one: types.is_string(one) or types.is_large_string(one) or types.is_string_view(one),
        contents.FLOAT: types.is_floating,
        contents.BOOLEAN: types.is_boolean,
        contents.NESTED: types.is_nested,
        contents.TIME_OF_DAY: types.is_time,
        "date": types.is_date,
        "duration": types.is_duration,
    }
    return next((family for family, matches in families.items() if matches(kind)), "binary")
