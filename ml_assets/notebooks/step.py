"""What a notebook sees: its examples, its inputs, and where its artifact and numbers go.

A notebook reads event logs and artifacts through its step alone, never by a path of its own.
"""

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from logging import Logger
from pathlib import Path
from typing import Any

import pandas as pd

from ml_assets.data.content import hash_files, hash_frame
from ml_assets.data.store import load_artifact
from ml_assets.notebooks.order import ORDER_TAG, RESULT_FILE, StepOrder, StepResult

TABLE = "data.parquet"


class StepError(Exception):
    """A notebook asked its step for something that it cannot have."""


class Step:
    """One partition of one step, as its notebook sees it.

    Attributes: `asset`, `partition` (keys), `config` (of the model's specification), `attribution` and `horizon`
    (timedelta; the horizon of evaluation data and metrics, else None), `log` (a logger that Dagster shows).
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

        Returns: the exposure log's columns, `label` (0 or 1), `label_age` (seconds) and `mature`.
        Raises: StepError in a step that has no windows.
        """
        if self._order.examples is None:
            raise StepError(f"{self.asset} reads no event log; it has the inputs {sorted(self._order.inputs)}")
        # Ibis and DuckDB load slowly; steps that read no event log do without.
        from ml_assets.notebooks.reading import read

        return read(self._order.examples)

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

    def _refuse_second_save(self) -> None:
        if self._result.data_version is not None:
            raise StepError(f"{self.asset}: the artifact of this step has been saved; a step saves once")

    def _finish(self, **changes: Any) -> None:
        self._result = self._result.model_copy(update=changes)
        self._result_file.write_text(self._result.model_dump_json(), encoding="utf-8")
