"""What one notebook is asked to do, as plain values that travel to its kernel in a JSON file.

Light: the code location imports this. What the notebook makes of it is `notebooks.step`.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ml_assets.paths import PathField

#: Tag of the run that a notebook sees: the path of the file that holds its order.
ORDER_TAG = "ml_assets/order"
#: Name of the file in an artifact that holds a saved table; a folder of part files where Spark's executors wrote it.
TABLE = "data.parquet"
#: Name of the file, beside the order, in which a notebook leaves its result.
RESULT_FILE = "result.json"


class FromVariable(BaseModel):
    """A value that the kernel asks an environment variable for, so that it is not written down."""

    env: str


class PartitionOrder(BaseModel):
    """The files of an event partition, which holds the instants in [start, end)."""

    key: str
    start: datetime
    end: datetime
    files: list[PathField]


class TableOrder(BaseModel):
    """A table, and the environment variable in which its reader finds the URL: no order holds a password."""

    name: str
    url_variable: str


class LogOrder(BaseModel):
    """The rows of an event log to read: event time in [start, end), known before `known_before` where given.

    They are in the files of the partitions, or in `table`.
    """

    key: str
    partitions: list[PartitionOrder]
    schema_file: PathField | None
    time: str
    row_key: list[str]
    known: str | None
    deleted: str | None
    start: datetime
    end: datetime
    known_before: datetime | None
    table: TableOrder | None = None


class FeatureOrder(BaseModel):
    """A function of the rows of before an exposure."""

    function: str
    column: str | None


class HistoryOrder(BaseModel):
    """Features of an exposure from the rows of a log with the same `by`, of `within` before it."""

    log: LogOrder
    by: list[str]
    within: timedelta
    features: dict[str, FeatureOrder]


class ExamplesOrder(BaseModel):
    """The labelled examples to make of two event logs, and their history.

    `memory`: that reading them may take before it goes to disk, such as `4GB`; None: most of the machine's. `engine`:
    duckdb or spark.
    """

    exposures: LogOrder
    outcomes: LogOrder
    keys: list[str]
    by_id: bool
    within: timedelta
    observed_until: datetime
    history: list[HistoryOrder]
    memory: str | None = None
    engine: str = "duckdb"


class StepOrder(BaseModel):
    """One partition of one step: where its artifact goes, and what it may read.

    `folder`: of this machine, where the notebook writes. `shared`: where the artifact goes in the end, if elsewhere;
    machines other than this one write there.

    `config`: what the notebook reads of the model's; `unseen`: the other keys of it. `cutoff`: the end of the
    partition. `windows`: of exposures and of outcomes. `inputs`: folder of each upstream artifact by step name.
    `examples`: of training and evaluation data. `scratch`: the artifact is a trial, and may be saved again. `spark`:
    the settings of a Spark session, should the notebook need one.
    """

    # Numbers of `config` that are not finite, which JSON has no words for.
    model_config = ConfigDict(ser_json_inf_nan="constants")

    asset: str
    step: str
    partition: str
    cutoff: datetime
    windows: dict[str, tuple[datetime, datetime]]
    run_id: str
    attribution: timedelta
    horizon: timedelta | None
    config: dict[str, Any]
    unseen: list[str] = []
    folder: Path
    shared: PathField | None = None
    inputs: dict[str, PathField]
    examples: ExamplesOrder | None
    scratch: bool = False
    spark: dict[str, str | FromVariable] | None = None


class ReadRecord(BaseModel):
    """What was read of a log; see `data.log_rows.Read`."""

    log: str
    role: str
    partitions: list[str]
    rows: int
    latest_event: datetime | None
    latest_known: datetime | None
    without_key: int = 0
    without_time: int = 0
    left_out: list[str] = []


class StepResult(BaseModel):
    """What a notebook left behind: the version of what it saved, what it reported, and what it read of logs.

    `figures`: PNG images in base64.
    """

    data_version: str | None = None
    numbers: dict[str, bool | int | float | str] = {}
    figures: dict[str, str] = {}
    reads: list[ReadRecord] = []
