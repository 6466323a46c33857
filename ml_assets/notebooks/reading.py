"""Reads the examples that an order asks for."""

import pandas as pd

from ml_assets.data.examples import LogFiles, read_examples
from ml_assets.data.labels import Selection
from ml_assets.domain.calendar import Interval
from ml_assets.domain.spec import Columns
from ml_assets.notebooks.order import ExamplesOrder, LogOrder


def read(order: ExamplesOrder) -> pd.DataFrame:
    """The labelled examples of an order; see `data.examples.read_examples` for columns and errors."""
    return read_examples(
        _log_files(order.exposures),
        _log_files(order.outcomes),
        keys=order.keys,
        by_id=order.by_id,
        within=order.within,
        observed_until=order.observed_until,
    )


def _log_files(order: LogOrder) -> LogFiles:
    columns = Columns(order.time, tuple(order.row_key), order.known)
    selection = Selection(columns, Interval(order.start, order.end), order.known_before)
    return LogFiles(order.key, tuple(order.files), order.schema_file, selection)
