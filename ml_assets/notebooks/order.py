"""What one notebook is asked to do, as plain values that travel to its kernel in a JSON file.

Light: the code location imports this. What the notebook makes of it is `notebooks.step`.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

#: Tag of the run that a notebook sees: the path of the file that holds its order.
ORDER_TAG = "ml_assets/order"
#: Name of the file, beside the order, in which a notebook leaves its result.
RESULT_FILE = "result.json"


class LogOrder(BaseModel):
    """The rows of an event log to read: event time in [start, end), known before `known_before` where given."""

    key: str
    files: list[Path]
    schema_file: Path | None
    time: str
    row_key: list[str]
    known: str | None
    start: datetime
    end: datetime
    known_before: datetime | None


class ExamplesOrder(BaseModel):
    """The labelled examples to make of two event logs."""

    exposures: LogOrder
    outcomes: LogOrder
    keys: list[str]
    by_id: bool
    within: timedelta
    observed_until: datetime


class StepOrder(BaseModel):
    """One partition of one step: where its artifact goes, and what it may read.

    `inputs`: folder of each upstream artifact by step name. `examples`: for training and evaluation data only.
    """

    asset: str
    step: str
    partition: str
    run_id: str
    attribution: timedelta
    horizon: timedelta | None
    config: dict[str, Any]
    folder: Path
    inputs: dict[str, Path]
    examples: ExamplesOrder | None


class StepResult(BaseModel):
    """What a notebook left behind: the version of the content that it saved, and the numbers that it reported."""

    data_version: str | None = None
    numbers: dict[str, int | float | str] = {}
