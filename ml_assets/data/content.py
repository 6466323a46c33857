"""Hashes of content: equal for equal schema and rows, whatever the file, the order of rows, the run or the time."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd


def hash_frame(frame: pd.DataFrame) -> str:
    """Hash a table's schema and its rows in canonical order (16 hexadecimal digits).

    Rows are a multiset: their order does not count, repeated rows do. Columns count with their order and dtype.
    Raises: TypeError when a column holds values that have no hash (lists, dicts).
    """
    return hash_sorted(frame, [np.sort(hash_rows(frame))])


def hash_rows(frame: pd.DataFrame) -> np.ndarray:
    """A hash of each row (uint64), whatever other rows there are.

    Raises: TypeError as `hash_frame`.
    """
    return pd.util.hash_pandas_object(_with_one_nan(frame), index=False).to_numpy(np.uint64)


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


def _with_one_nan(frame: pd.DataFrame) -> pd.DataFrame:
    """NaN has many bit patterns, of which arithmetic leaves any and Parquet keeps one."""
    result = frame.copy(deep=False)
    for name in frame.select_dtypes(np.floating):
        result[name] = frame[name].where(frame[name].notna())
    return result
