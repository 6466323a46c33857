"""What a notebook sees: its examples, its inputs, and where its artifact and numbers go.

A notebook reads event logs and artifacts through its step alone, never by a path of its own.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from logging import Logger
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ml_assets.data.content import hash_files, hash_frame
from ml_assets.data.store import load_artifact
from ml_assets.notebooks.order import ORDER_TAG, RESULT_FILE, TABLE, ExamplesOrder, StepOrder, StepResult

if TYPE_CHECKING:
    from ml_assets.notebooks.reading import OrderReader


class StepError(Exception):
    """A notebook asked its step for something that it cannot have."""


class Step:
    """One partition of one step, as its notebook sees it.

    Attributes: `asset`, `partition` (keys), `cutoff` (the partition's end), `config` (of the model's specification),
    `attribution` and `horizon` (timedelta; the horizon of evaluation data and metrics, else None), `log` (a logger that
    Dagster shows).
    """

    def __init__(self, order: StepOrder, result_file: Path, log: Logger) -> None:
        self._order = order
        self._result_file = result_file
        self._result = StepResult()
        self.log = log

    @classmethod
    def of(cls, context: Any) -> "Step":
        """The step of a dagstermill context.

        Raises: StepError when the notebook does not run under Dagster.
        """
        path = context.run.tags.get(ORDER_TAG)
        if path is None:
            raise StepError(
                "this notebook was started by hand: it has no partition. "
                "Materialize a partition of its asset in the Dagster UI instead"
            )
        order = StepOrder.model_validate_json(Path(path).read_text(encoding="utf-8"))
        return cls(order, Path(path).with_name(RESULT_FILE), context.log)

    @property
    def asset(self) -> str:
        """The asset key."""
        return self._order.asset

    @property
    def partition(self) -> str:
        """The partition key."""
        return self._order.partition

    @property
    def cutoff(self) -> datetime:
        """The end of the partition, in UTC: the model knows no event at or after it."""
        return self._order.cutoff

    @property
    def config(self) -> Mapping[str, Any]:
        """The `config` of the model's specification."""
        return self._order.config

    @property
    def attribution(self) -> timedelta:
        """How long after an exposure an outcome counts in training."""
        return self._order.attribution

    @property
    def horizon(self) -> timedelta | None:
        """How long after an exposure an outcome counts in this evaluation."""
        return self._order.horizon

    def examples(self) -> pd.DataFrame:
        """The labelled examples of this step's windows, ordered by event time.

        Returns: the exposure log's columns, `label` (0 or 1), `label_age` (seconds), `mature`, `outcome_time` and
        `outcome_known`. Keep the exposure's key and times, and those of the outcome: the check `no_leak` verifies them.
        Raises: StepError in a step that has no windows.
        """
        examples = self._reader.examples()
        self._finish(reads=self._reader.reads)
        return examples

    def history(self, examples: pd.DataFrame) -> pd.DataFrame:
        """The examples with the history features that the specification declares, and `feature_time`.

        Each feature is made of rows that happened before the exposure and were known before it, no others. Without
        declared history the examples come back as they are.
        Args: `examples`: with the exposure's event time and the columns that the history is `by`.
        Raises: StepError in a step that has no windows; ValueError for a column that is missing, or there already.
        """
        if not self._examples_order.history:
            return examples
        examples = self._reader.history(examples)
        self._finish(reads=self._reader.reads)
        return examples

    def read(self, step: str) -> pd.DataFrame:
        """The table that an upstream step saved, such as `step.read("training_data")`."""
        return pd.read_parquet(self.files_of(step) / TABLE)

    def files_of(self, step: str) -> Path:
        """The folder with the files that an upstream step saved, such as `step.files_of("model")`.

        Raises: StepError when the step is not upstream.
        """
        if step not in self._order.inputs:
            raise StepError(f"{self.asset} has no input {step!r}; it has {sorted(self._order.inputs)}")
        return load_artifact(self._order.inputs[step]).folder

    def save(self, frame: pd.DataFrame) -> None:
        """Save a table as this step's artifact; it is published when the notebook ends well."""
        self._refuse_second_save()
        frame.to_parquet(self._order.folder / TABLE, index=False)
        self._finish(data_version=hash_frame(frame))

    def save_files(self, write: Callable[[Path], object]) -> None:
        """Let `write` put files into a folder, as this step's artifact, such as `step.save_files(model.save)`."""
        self._refuse_second_save()
        folder = self._order.folder
        write(folder)
        files = [path for path in folder.rglob("*") if path.is_file()]
        if not files:
            raise StepError(f"{self.asset}: nothing was written into the folder given")
        self._finish(data_version=hash_files(files, relative_to=folder))

    def report(self, **numbers: float | str) -> None:
        """Report numbers and words; they become metadata of the partition, which Dagster plots.

        Raises: ValueError for NaN or infinity: leave out what is not known, and say why in words. TypeError for what
        is neither a number nor words.
        """
        values = {}
        for name, number in numbers.items():
            value = number.item() if hasattr(number, "item") else number
            if not isinstance(value, (int, float, str)):
                raise TypeError(f"{name} is a {type(value).__name__}: report numbers and words alone")
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} is {value}: leave out what is not known, and report the reason in words")
            values[name] = value
        self._finish(numbers={**self._result.numbers, **values})

    @property
    def _examples_order(self) -> ExamplesOrder:
        if self._order.examples is None:
            raise StepError(f"{self.asset} reads no event log; it has the inputs {sorted(self._order.inputs)}")
        return self._order.examples

    @cached_property
    def _reader(self) -> "OrderReader":
        # Ibis and DuckDB load slowly; steps that read no event log do without.
        from ml_assets.notebooks.reading import OrderReader

        return OrderReader(self._examples_order)

    def _refuse_second_save(self) -> None:
        if self._result.data_version is not None:
            raise StepError(f"{self.asset}: the artifact of this step has been saved; a step saves once")

    def _finish(self, **changes: Any) -> None:
        self._result = self._result.model_copy(update=changes)
        self._result_file.write_text(self._result.model_dump_json(), encoding="utf-8")
