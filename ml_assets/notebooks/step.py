"""What a notebook sees: its examples, its inputs, and where its artifact and numbers go.

A notebook reads event logs and artifacts through its step alone, never by a path of its own. The step is the same in a
Dagster run, in Jupyter and in a test.
"""

import shutil
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from logging import Logger
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ml_assets.data.artifacts.content import hash_files, hash_frame
from ml_assets.data.artifacts.store import ArtifactStore, load_artifact
from ml_assets.data.artifacts.tables import read_table
from ml_assets.domain.calendar import Interval
from ml_assets.notebooks.code.config_reads import SeenConfig
from ml_assets.notebooks.frames import Frame, Kind, check_kind, given_as, is_spark, to_pandas
from ml_assets.notebooks.order import ORDER_TAG, RESULT_FILE, TABLE, ExamplesOrder, StepOrder, StepResult
from ml_assets.notebooks.reported import read_report
from ml_assets.paths import AnyPath, local_copy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pyspark.sql import DataFrame, SparkSession

    from ml_assets.notebooks.reading import OrderReader


class StepError(Exception):
    """A notebook asked its step for something that it cannot have."""


class Step:
    """One partition of one step, as its notebook sees it.

    Attributes: `asset`, `partition` (keys), `cutoff` (the partition's end), `windows` (of exposures and outcomes),
    `config` (of the model's specification), `attribution` and `horizon` (timedelta; the horizon of evaluation data and
    metrics, else None), `log` (a logger that Dagster shows while the notebook runs).
    Tables are pandas frames, or Spark's where asked for by `frame="spark"`; `save` takes both. `frame`: the kind that
    the engine of this step holds without converting: "spark" where the model declares `engine: spark`.
    """

    def __init__(self, order: StepOrder, result_file: Path, context: Any) -> None:
        self._order = order
        self._context = context
        self._result_file = result_file
        # A notebook that takes its step twice goes on with what it has left behind; a trial begins anew.
        begun = result_file.exists() and not order.scratch
        self._result = StepResult.model_validate_json(result_file.read_bytes()) if begun else StepResult()
        self._earlier_reads = self._result.reads
        self._tables_read: set[str] = set()

    @classmethod
    def of(cls, context: Any) -> "Step":
        """The step of the context that the cell tagged `parameters` sets.

        Raises: StepError when the context is of no step.
        """
        path = context.run.tags.get(ORDER_TAG)
        if path is None:
            raise StepError(
                "this context has no partition; let the cell tagged `parameters` say `from ml_assets.jupyter import "
                'context_of` and `context = context_of("ads/cvr/model")`, with your asset'
            )
        order = StepOrder.model_validate_json(Path(path).read_text(encoding="utf-8"))
        return cls(order, Path(path).with_name(RESULT_FILE), context)

    @property
    def log(self) -> Logger:
        """A logger, shown while the notebook runs."""
        # Asked for late: under Dagster it opens the instance.
        log: Logger = self._context.log
        return log

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
    def windows(self) -> Mapping[str, Interval]:
        """The half-open intervals of event time in which this partition has its `exposures` and `outcomes`, in UTC.

        Those of training for training data and model, those of this horizon for evaluation data and metrics.
        """
        return {name: Interval(*bounds) for name, bounds in self._order.windows.items()}

    @property
    def config(self) -> Mapping[str, Any]:
        """The `config` of the model's specification: what this notebook reads of it, where that is known."""
        order = self._order
        return SeenConfig(order.asset, order.config, order.unseen) if order.unseen else order.config

    @property
    def attribution(self) -> timedelta:
        """How long after an exposure an outcome counts in training."""
        return self._order.attribution

    @property
    def horizon(self) -> timedelta | None:
        """How long after an exposure an outcome counts in this evaluation."""
        return self._order.horizon

    @property
    def frame(self) -> Kind:
        """The kind of frame that the engine of this step holds: ask for it, and nothing is converted or collected."""
        return "spark" if self._order.examples is not None and self._order.examples.engine == "spark" else "pandas"

    @property
    def spark(self) -> "SparkSession":
        """The Spark session of this notebook, with the settings of the project; it is stopped with the kernel.

        Raises: SparkMissingError when there is no Java.
        """
        from ml_assets.notebooks.spark import spark_session

        return spark_session(self._order.spark, name=f"{self.asset} {self.partition}")

    def examples(self, frame: Kind = "pandas") -> Any:
        """The labelled examples of this step's windows, ordered by event time.

        Returns: the exposure log's columns, `label` (0 or 1), `label_age` (seconds), `mature`, `outcome_time` and
        `outcome_known`. Keep the exposure's key and times, and those of the outcome: the check `no_leak` verifies them.
        A Spark frame of the engine spark is not computed yet, and its rows are in no order.
        Raises: StepError in a step that has no windows.
        """
        check_kind(frame)
        lazy = frame == self.frame == "spark"
        examples = self._reader.spark_examples() if lazy else self._reader.examples()
        self._finish(reads=[*self._earlier_reads, *self._reader.reads])
        return examples if lazy else self._given_as(examples, frame)

    def history(self, examples: Frame) -> Any:
        """The examples with the history features that the specification declares, and `feature_time`.

        Each feature is made of rows that happened before the exposure and were known before it, no others. Without
        declared history the examples come back as they are.
        Args: `examples`: with the exposure's event time and the columns that the history is `by`.
        Raises: StepError in a step that has no windows; ValueError for a column that is missing, or there already.
        """
        if not self._examples_order.history:
            return examples
        lazy = is_spark(examples) and self.frame == "spark"
        result = self._reader.history(examples if lazy else to_pandas(examples))
        self._finish(reads=[*self._earlier_reads, *self._reader.reads])
        return result if lazy else self._given_as(result, "spark" if is_spark(examples) else "pandas")

    def read(self, step: str, frame: Kind = "pandas") -> Any:
        """The table that an upstream step saved, such as `step.read("training_data")`.

        A Spark frame is read by the executors.
        """
        check_kind(frame)
        path = self._input(step) / TABLE
        self._tables_read.add(step)
        if frame == "pandas":
            return read_table(path)
        from ml_assets.data.engines.spark_tables import read_stored

        return read_stored(self.spark, path)

    def files_of(self, step: str) -> Path:
        """The folder on this machine with the files that an upstream step saved, such as `step.files_of("model")`.

        Raises: StepError when the step is not upstream.
        """
        return local_copy(self._input(step), self._result_file.parent / "inputs" / step)

    def load_model(self) -> Any:
        """The model that `save_model` saved upstream: `predict(frame)` gives a probability for each row.

        Raises: StepError when the model is not upstream; FileNotFoundError or ValueError for files of another kind.
        """
        from ml_assets.models.saved import load_model

        return load_model(self.files_of("model"))

    def save(self, frame: Frame) -> Any:
        """Save a pandas or Spark frame as this step's artifact; it is published when the notebook ends well.

        A Spark frame is written by the executors, examples in the order that they have in pandas.
        Returns: the table as it is stored, as the kind that was given.
        """
        self._begin_save()
        path = self._order.folder / TABLE
        if is_spark(frame):
            stored, version = self._save_spark(frame, (self._order.shared or self._order.folder) / TABLE)
        else:
            stored = to_pandas(frame)
            stored.to_parquet(path, index=False)
            version = hash_frame(stored)
        self._end_save(version)
        return stored

    def _save_spark(self, frame: Any, path: AnyPath) -> "tuple[DataFrame, str]":
        from ml_assets.data.engines.spark_tables import hash_spark, write_table

        order: list[str] = []
        if self._order.examples is not None:
            # So that what is made of the rows does not depend on the engine either.
            log = self._order.examples.exposures
            order = [name for name in dict.fromkeys((log.time, *log.row_key, *frame.columns)) if name in frame.columns]
        stored = write_table(frame, path, order=order)
        return stored, hash_spark(stored)

    def save_files(self, write: Callable[[Path], object]) -> None:
        """Let `write` put files into a folder, as this step's artifact, such as `step.save_files(model.save)`."""
        self._begin_save()
        folder = self._order.folder
        write(folder)
        files = [path for path in folder.rglob("*") if path.is_file()]
        if not files:
            raise StepError(f"{self.asset}: nothing was written into the folder given")
        self._end_save(hash_files(files, relative_to=folder))

    def save_model(self, model: Any) -> None:
        """Save a standard model, or a fitted scikit-learn classifier, as this step's artifact.

        Raises: ValueError for a model that could not be loaded without running code of its own, or that cannot predict
        the rows of a table that this step has read, and so those of evaluation data either.
        """
        from ml_assets.models.saved import as_saved
        from ml_assets.notebooks.trained_on import check_trained_on

        saved = as_saved(model)
        for step in self._tables_read:
            check_trained_on(saved, step, self._input(step) / TABLE)
        self.save_files(saved.save)

    def report(self, **values: "float | str | Figure | Axes") -> None:
        """Report numbers, words and matplotlib figures; they become metadata of the partition, which Dagster shows.

        The last of a name counts.
        Raises: ValueError for NaN or infinity: leave out what is not known, and say why in words; and for a name of
        what a run shows beside the report, such as `lineage`. TypeError for what is neither a number nor words nor a
        figure.
        """
        before = self._result
        numbers, figures = read_report(values, [*before.numbers, *before.figures])
        kept = {name: one for name, one in before.numbers.items() if name not in figures}
        shown = {name: one for name, one in before.figures.items() if name not in numbers}
        self._finish(numbers={**kept, **numbers}, figures={**shown, **figures})

    def _input(self, step: str) -> AnyPath:
        if step not in self._order.inputs:
            raise StepError(f"{self.asset} has no input {step!r}; it has {sorted(self._order.inputs)}")
        return load_artifact(self._order.inputs[step]).folder

    @property
    def _examples_order(self) -> ExamplesOrder:
        if self._order.examples is None:
            raise StepError(f"{self.asset} reads no event log; it has the inputs {sorted(self._order.inputs)}")
        return self._order.examples

    @cached_property
    def _reader(self) -> "OrderReader":
        # Ibis and DuckDB load slowly; steps that read no event log do without.
        from ml_assets.notebooks.reading import OrderReader

        return OrderReader(self._examples_order, lambda: self.spark)

    def _given_as(self, frame: pd.DataFrame, kind: Kind) -> Any:
        return given_as(frame, kind, settings=self._order.spark, name=f"{self.asset} {self.partition}")

    def _begin_save(self) -> None:
        if self._order.scratch:
            shutil.rmtree(self._order.folder, ignore_errors=True)
            self._order.folder.mkdir()
        elif self._result.data_version is not None:
            raise StepError(f"{self.asset}: the artifact of this step has been saved; a step saves once")

    def _end_save(self, data_version: str) -> None:
        self._finish(data_version=data_version)
        if self._order.scratch:
            ArtifactStore.publish(
                self._order.folder, {"asset": self.asset, "partition": self.partition, "data_version": data_version}
            )
            self.log.info(f"saved in {self._order.folder}, data version {data_version}; nothing was published")

    def _finish(self, **changes: Any) -> None:
        self._result = self._result.model_copy(update=changes)
        self._result_file.write_text(self._result.model_dump_json(), encoding="utf-8")
