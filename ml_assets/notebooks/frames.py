"""The kinds of frames that a notebook may ask for, and how one becomes the other."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pandas as pd

from ml_assets.data.artifacts.tables import arrow_to_pandas
from ml_assets.notebooks.order import FromVariable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: What a notebook may ask for.
Kind = Literal["pandas", "spark"]
Frame: TypeAlias = "pd.DataFrame | DataFrame"


def is_spark(frame: Any) -> bool:
    """Whether it is a Spark frame."""
    return hasattr(frame, "toArrow")


def to_pandas(frame: Frame) -> pd.DataFrame:
    """The frame as pandas: instants aware, in UTC; whole numbers and booleans nullable where some are missing.

    Raises: TypeError for what is neither a pandas nor a Spark frame; ValueError for columns that a stored table cannot
    have: names that are no text, or twice the same.
    """
    if isinstance(frame, pd.DataFrame):
        _check_columns(frame)
        return frame
    if not is_spark(frame):
        raise TypeError(f"{type(frame).__name__} is no table: pandas or Spark frames are")
    return arrow_to_pandas(frame.toArrow())


def _check_columns(frame: pd.DataFrame) -> None:
    names = list(frame.columns)
    others = [name for name in names if not isinstance(name, str)]
    if others:
        raise ValueError(
            f"the columns {others} have names that are no text, which a stored table turns into text: rename them, "
            f"such as frame.rename(columns={{{others[0]!r}: {str(others[0])!r}}})"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"the columns {twice} are there more than once; give each a name of its own")


def given_as(
    frame: pd.DataFrame, kind: Kind, *, settings: "Mapping[str, str | FromVariable] | None" = None, name: str = ""
) -> Any:
    """A pandas frame as the kind that was asked for.

    Args: `settings`, `name`: of the Spark session, where there is none yet; see `notebooks.spark`.
    Raises: ValueError for another kind, or for a column that Spark cannot hold as it is, such as instants finer than
    microseconds; SparkMissingError.
    """
    check_kind(kind)
    if kind == "pandas":
        return frame
    from ml_assets.data.engines.spark_tables import as_spark_holds_it
    from ml_assets.notebooks.spark import spark_session

    # Before a session is made: that takes seconds.
    table = as_spark_holds_it(frame)
    return spark_session(settings, name=name).createDataFrame(table)


def check_kind(kind: Kind) -> None:
    """Raises: ValueError for a kind of frame that there is not."""
    if kind not in ("pandas", "spark"):
        raise ValueError(f"frame is {kind!r}: pandas and spark are known")
