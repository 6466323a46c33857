"""Hashes of content: equal for equal schema and rows, whatever the file, the order of rows, the run or the time."""

import hashlib
from collections.abc import Hashable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype

_NESTED = (list, tuple, dict, np.ndarray)


def hash_frame(frame: pd.DataFrame) -> str:
    """Hash a table's schema and its rows in canonical order (16 hexadecimal digits).

    Rows are a multiset: their order does not count, repeated rows do. Columns count with their order and dtype. Of
    lists and records their values count, whatever Python holds them in: Parquet gives others back than it was given.
    Raises: TypeError when a column holds values that have no hash, such as sets.
    """
    return hash_sorted(frame, [np.sort(hash_rows(frame))])


def hash_rows(frame: pd.DataFrame) -> np.ndarray:
    """A hash of each row (uint64), whatever other rows there are.

    Raises: TypeError as `hash_frame`.
    """
    return pd.util.hash_pandas_object(_hashable(frame), index=False).to_numpy(np.uint64)


def hash_sorted(like: pd.DataFrame, hashes: Iterable[np.ndarray]) -> str:
    """The hash of a table from its row hashes, sorted, in any number of pieces.

    Args: `like`: a frame with the columns and dtypes of the table.
    """
    schema = [(str(name), str(dtype)) for name, dtype in like.dtypes.items()]
    result = hashlib.blake2b(repr(schema).encode(), digest_size=8)
    for some in hashes:
        result.update(some.tobytes())
    return result.hexdigest()


def hash_files(files: Iterable[Path], *, relative_to: Path) -> str:
    """Hash the names and bytes of files (16 hexadecimal digits); for formats that are written deterministically."""
    result = hashlib.blake2b(digest_size=8)
    for path in sorted(files):
        content = path.read_bytes()
        result.update(f"{path.relative_to(relative_to).as_posix()}\0{len(content)}\0".encode())
        result.update(content)
    return result.hexdigest()


def _hashable(frame: pd.DataFrame) -> pd.DataFrame:
    result = frame.copy(deep=False)
    for name in frame.select_dtypes(np.floating):
        # NaN has many bit patterns, of which arithmetic leaves any and Parquet keeps one.
        result[name] = frame[name].where(frame[name].notna())
    for name in frame.select_dtypes(object):
        # Of a column of words or of dates it is told without looking at each value in Python.
        if infer_dtype(frame[name], skipna=True).startswith("mixed"):
            result[name] = [f"\0{_as_text(value)}" if isinstance(value, _NESTED) else value for value in frame[name]]
            _refuse_unhashable(result[name])
    return result


def _refuse_unhashable(column: pd.Series) -> None:
    odd = next((value for value in column if not isinstance(value, Hashable)), None)
    if odd is not None:
        raise TypeError(f"column {column.name!r} holds values without a hash, such as {odd!r} ({type(odd).__name__})")


def _as_text(value: Any) -> str:  # noqa: PLR0911
    """A nested value: what is missing in a record is left out, and 1.0 is 1, as Parquet and pandas have it."""
    match value:
        case dict():
            there = {str(name): one for name, one in value.items() if not _is_missing(one)}
            return "{" + ",".join(f"{name!r}:{_as_text(there[name])}" for name in sorted(there)) + "}"
        case list() | tuple() | np.ndarray():
            return "[" + ",".join(map(_as_text, value)) + "]"
        case bool() | np.bool_():
            return str(bool(value))
        case float() | np.floating() if not _is_missing(value):
            return str(int(value)) if float(value).is_integer() else repr(float(value))
        case datetime() | date() | np.datetime64() if not _is_missing(value):
            time = pd.Timestamp(value)
            return (time.tz_convert(None) if time.tzinfo else time).isoformat(timespec="nanoseconds")
        case timedelta() | np.timedelta64() if not _is_missing(value):
            return str(pd.Timedelta(value))
        case str() | bytes():
            return repr(value)
    return "-" if _is_missing(value) else str(value)


def _is_missing(value: Any) -> bool:
    return value is None or (not isinstance(value, _NESTED) and bool(pd.isna(value)))
