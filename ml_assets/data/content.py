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
    schema = [(str(name), str(dtype)) for name, dtype in frame.dtypes.items()]
    rows = pd.util.hash_pandas_object(_with_one_nan(frame), index=False).to_numpy(np.uint64)
    result = hashlib.blake2b(repr(schema).encode(), digest_size=8)
    result.update(np.sort(rows).tobytes())
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
