"""What the footers of Parquet files tell without reading their rows."""

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ml_assets.paths import AnyPath


class FooterError(ValueError):
    """A file is no Parquet file, or none that can be read here. The message names it."""


class Footers(NamedTuple):
    """How many rows some files hold together, and the name and type of each column of the first."""

    rows: int
    columns: list[tuple[str, str]]


def read_footers(files: Iterable[AnyPath]) -> Footers:
    """Raises: FooterError; OSError for a file that cannot be opened."""
    rows, columns = 0, list[tuple[str, str]]()
    for path in files:
        try:
            with path.open("rb") as opened, pq.ParquetFile(opened) as file:
                rows += file.metadata.num_rows
                columns = columns or [(field.name, str(field.type)) for field in file.schema_arrow]
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise FooterError(f"{path}: {error}") from error
    return Footers(rows, columns)
