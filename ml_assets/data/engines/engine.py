"""What reading examples asks of an engine, so that the same expressions run on DuckDB and on Spark.

Belongs here: what both have in common. Does not belong here: labels, history, which rows of a log count.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
from ibis import ir

from ml_assets.data.engines.parquet import Untyped
from ml_assets.paths import AnyPath

if TYPE_CHECKING:
    import pandas as pd

#: The column of a table that was read which names the file of each row.
FILE = "_file"


class EventLogError(Exception):
    """The files of an event log do not hold what its declaration says."""


class UnreadableError(Exception):
    """Files that an engine cannot read."""


class Engine(Protocol):
    """Runs Ibis expressions over Parquet files. Instants are in UTC, to the microsecond."""

    def read(self, files: Sequence[AnyPath], untyped: Untyped, left_out: Collection[str]) -> ir.Table:
        """The rows of some files, columns by name, and the column FILE.

        Args: `untyped`: as of `read_parquet`; `left_out`: columns, in lower case, that are not read.
        Raises: UnreadableError.
        """

    def name_of(self, file: AnyPath) -> str:
        """What the column FILE says of the rows of a file."""

    def take(self, frame: "pd.DataFrame | Any") -> ir.Table:
        """A frame as a table: pandas, or the engine's own."""

    def to_arrow(self, table: ir.Table) -> pa.Table:
        """The rows of an expression, collected."""

    def restored(self, rows: pa.Table, files: Sequence[AnyPath]) -> pa.Table:
        """Collected rows; columns of these files have the types that they have there, which the engine may lack."""

    def working(self) -> AbstractContextManager[None]:
        """Says in words, as an EventLogError, what the engine runs out of meanwhile."""
