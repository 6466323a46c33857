"""Runs a whole notebook on frames that a test gives: without Dagster, without an instance, in a real kernel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd

from ml_assets.data.artifacts.content import hash_files
from ml_assets.data.artifacts.store import ArtifactStore
from ml_assets.data.artifacts.tables import read_table
from ml_assets.data.logs.event_files import partition_folder
from ml_assets.domain.declared.event_log import EventLog, Marker
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.windows import needed, windows_of
from ml_assets.models.saved import load_model, save_model
from ml_assets.notebooks.code.standard import find_notebook
from ml_assets.notebooks.code.version import config_keys_of
from ml_assets.notebooks.frames import is_spark, to_pandas
from ml_assets.notebooks.order import TABLE, StepOrder
from ml_assets.notebooks.running.run import Notebook, run_on_order
from ml_assets.orchestration.running.orders import step_order
from ml_assets.orchestration.running.pins import EventPins, upstream_assets
from ml_assets.project.project import Project


@dataclass(frozen=True)
class NotebookResult:
    """What a notebook left behind: its artifact, what it reported, and the executed notebook.

    `numbers`: numbers and words by name; `figures`: PNG images in base64 by name.
    """

    folder: Path
    data_version: str | None
    numbers: Mapping[str, int | float | str]
    figures: Mapping[str, str]
    notebook: nbformat.NotebookNode

    @property
    def table(self) -> pd.DataFrame:
        """The table that it saved."""
        return read_table(self.folder / TABLE)

    def load_model(self) -> Any:
        """The model that it saved."""
        return load_model(self.folder)


class RunNotebook:
    """Runs the notebook of an asset that the project declares.

    `kernels`: tells, when one is started, the address of the warm process to fork it from; None: they start cold.
    """

    def __init__(self, project: Project, folder: Path, kernels: Callable[[], Path | None] = lambda: None) -> None:
        self._project = project
        self._folder = folder
        self._kernels = kernels
        self._runs = 0

    def __call__(
        self,
        asset: str,
        partition: str | None = None,
        *,
        logs: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> NotebookResult:
        """Run it once, from top to bottom, in the notebook's folder.

        Args: `partition`: the model's first one where it is left out. `logs`: of training and evaluation data, the rows
        of each event log by its key. `inputs`: of the other steps, what each upstream step saved: a table, a fitted
        model, or the result of another run. Tables are pandas or Spark frames. `config`: instead of the declared one.
        Raises: NotebookError as a run of Dagster does, when a cell raises, the kernel dies or nothing is saved;
        ValueError for an asset, a log or an input that there is not, and for rows of a log without instants.
        """
        model, step, horizon = self._project.find(asset)
        model = _read_from_files(model if config is None else replace(model, config=dict(config)))
        calendar = model.partitions
        index = model.first_index if partition is None else calendar.index_of(partition)

        self._runs += 1
        work = self._folder / f"run-{self._runs}"
        (work / "artifact").mkdir(parents=True)
        notebook = find_notebook(self._project.root, getattr(model.notebooks, step))
        order = step_order(
            model,
            step,
            horizon,
            calendar.key(index),
            cutoff=calendar.interval(index).end,
            run_id="test",
            folder=work / "artifact",
            inputs=_write_inputs(model, step, horizon, inputs or {}, work),
            events=_write_logs(model, step, horizon, index, logs or {}, work / "events"),
            events_root=work / "events",
            config_keys=config_keys_of(notebook),
        )
        return _run(notebook, order, work, self._kernels)


def _read_from_files(model: Model) -> Model:
    """The model with logs in files, which arrive by marker: a test asks no database."""

    def log(one: EventLog) -> EventLog:
        return replace(one, arrival=Marker(), table=None, location=one.location or one.key)

    history = tuple(replace(one, log=log(one.log)) for one in model.history)
    return replace(model, exposures=log(model.exposures), outcomes=log(model.outcomes), history=history)


def _write_inputs(
    model: Model, step: str, horizon: Duration | None, given: Mapping[str, Any], work: Path
) -> dict[str, Path]:
    names = upstream_assets(model, step, horizon)
    if given.keys() != names.keys():
        raise ValueError(f"{model.asset(step, horizon)} has the inputs {sorted(names)}; the test gives {sorted(given)}")
    folders = {}
    for name, value in given.items():
        if isinstance(value, NotebookResult):
            folders[name] = value.folder
            continue
        folder = folders[name] = work / name
        folder.mkdir()
        # A table may have a column `predict`.
        if hasattr(value, "predict") and not isinstance(value, pd.DataFrame) and not is_spark(value):
            save_model(value, folder)
        else:
            to_pandas(value).to_parquet(folder / TABLE, index=False)
        ArtifactStore.publish(folder, {"data_version": hash_files(folder.iterdir(), relative_to=folder)})
    return folders


def _write_logs(  # noqa: PLR0917
    model: Model, step: str, horizon: Duration | None, index: int, given: Mapping[str, Any], root: Path
) -> EventPins | None:
    """Write the rows of each log into its partitions; every partition that is needed has arrived."""
    logs = {} if upstream_assets(model, step, horizon) else {log.key: log for log in model.logs}
    if given.keys() != logs.keys():
        raise ValueError(f"{model.asset(step, horizon)} reads the logs {sorted(logs)}; the test gives {sorted(given)}")
    if not logs:
        return None
    windows = windows_of(model, index, horizon)
    parts = needed(model, windows)
    fingerprints = {key: dict.fromkeys(_write_log(log, parts[key], given[key], root), "") for key, log in logs.items()}
    return EventPins(windows, datetime.now(UTC), fingerprints, "")


def _write_log(log: EventLog, indices: range, rows: Any, root: Path) -> list[str]:
    calendar, frame, name = log.partitions, to_pandas(rows), log.columns.time
    if name not in frame or not isinstance(frame[name].dtype, pd.DatetimeTZDtype):
        has = dict(frame.dtypes.astype(str))
        raise ValueError(f"the rows of {log.key} need a column {name!r} of instants with a time zone; they have {has}")
    time, keys = frame[name], []
    for index in indices:
        if index < 0 or not calendar.holds(key := calendar.key(index)):
            continue
        interval = calendar.interval(index)
        folder = partition_folder(root, log, key)
        folder.mkdir(parents=True)
        frame[(time >= interval.start) & (time < interval.end)].to_parquet(folder / "part-0.parquet", index=False)
        (folder / Marker.file).touch()
        keys.append(key)
    return keys


def _run(notebook: Path, order: StepOrder, work: Path, kernels: Callable[[], Path | None]) -> NotebookResult:
    order_file = work / "order.json"
    order_file.write_text(order.model_dump_json(), encoding="utf-8")
    opening = (
        "from pathlib import Path\n\nfrom ml_assets.notebooks.context import context_of_order\n\n"
        f"context = context_of_order(Path({str(order_file)!r}))"
    )
    opened = Notebook.read(notebook, opening)
    result = run_on_order(opened, order, order_file, kernels=kernels())
    ArtifactStore.publish(order.folder, {"data_version": result.data_version})
    return NotebookResult(order.folder, result.data_version, result.numbers, result.figures, opened.node)
