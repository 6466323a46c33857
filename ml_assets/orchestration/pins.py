"""Pins what one partition of one step is made from, at the start of its run, and refuses what is not there.

The pins are what lineage records: event partitions with their fingerprints, upstream artifacts with their versions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from ml_assets.data.event_files import data_files, partition_folder, partition_folders
from ml_assets.data.store import Artifact, ArtifactStore
from ml_assets.domain.due import Made, metrics_inputs, model_inputs, training_inputs
from ml_assets.domain.durations import Duration
from ml_assets.domain.maturity import ImmatureWindowError, Maturity, describe_missing, maturity
from ml_assets.domain.spec import EventLog, Model
from ml_assets.domain.windows import Windows, needed, rows_known_by, windows_of
from ml_assets.notebooks.order import ExamplesOrder, LogOrder
from ml_assets.orchestration.arrival import arrived_by_marker
from ml_assets.orchestration.facts import asset_key

_UPSTREAM = {
    "training_data": (),
    "model": ("training_data",),
    "evaluation_data": (),
    "metrics": ("evaluation_data", "model"),
}


class MissingInputError(Exception):
    """A partition was asked for whose upstream partition does not exist."""


class ChangedWhileReadError(Exception):
    """An event partition was written while a notebook read it."""


@dataclass(frozen=True)
class UpstreamPin:
    """One upstream artifact: which materialization it is, and where it lies."""

    asset: str
    made: Made
    run_id: str
    artifact: Artifact


@dataclass(frozen=True)
class EventPins:
    """The event partitions of a step's windows, as they were at the start."""

    windows: Windows
    maturity: Maturity


@dataclass(frozen=True)
class Pins:
    """Everything that one partition of one step is made from; `inputs` is its digest, as `due` computes it."""

    inputs: str
    upstream: Mapping[str, UpstreamPin]
    events: EventPins | None


def pin(
    instance: dg.DagsterInstance,
    model: Model,
    step: str,
    horizon: Duration | None,
    partition: str,
    *,
    as_of: datetime,
    events_root: Path,
    store: ArtifactStore,
) -> Pins:
    """Find the inputs of a partition as they are now.

    Raises: ImmatureWindowError when event partitions have not arrived, naming them, or when rows that training counts
    may still become known; MissingInputError when an upstream partition was not materialized.
    """
    if step in ("training_data", "evaluation_data"):
        events = _pin_events(model, horizon, partition, as_of, events_root)
        return Pins(training_inputs(events.maturity.inputs), {}, events)
    upstream = {}
    for name in _UPSTREAM[step]:
        asset = model.asset(name, horizon if name == "evaluation_data" else None)
        upstream[name] = _pin_upstream(instance, store, asset, partition)
    if step == "model":
        return Pins(model_inputs(upstream["training_data"].made), upstream, None)
    return Pins(metrics_inputs(upstream["evaluation_data"].made, upstream["model"].made), upstream, None)


def check_unchanged(model: Model, events: EventPins, events_root: Path) -> None:
    """Refuse what was read while it changed.

    Raises: ChangedWhileReadError that names the event partitions; running again reads them anew.
    """
    now = _arrived(model, events.windows, events_root)
    for log, before in events.maturity.fingerprints.items():
        changed = sorted(partition for partition in before if now[log].get(partition) != before[partition])
        if changed:
            raise ChangedWhileReadError(
                f"{log} {', '.join(changed)} changed while it was read; run the partition again"
            )


def examples_order(model: Model, events: EventPins, events_root: Path) -> ExamplesOrder:
    """The files and bounds that a notebook reads its examples from."""
    windows = events.windows

    def log_order(log: EventLog, start: datetime, end: datetime) -> LogOrder:
        partitions = events.maturity.fingerprints[log.key]
        files = [path for partition in partitions for path in data_files(partition_folder(events_root, log, partition))]
        return LogOrder(
            key=log.key,
            files=files,
            schema_file=files[0] if files else _any_file(events_root, log),
            time=log.columns.time,
            row_key=list(log.columns.key),
            known=log.columns.known,
            start=start,
            end=end,
            known_before=windows.known_before(log),
        )

    return ExamplesOrder(
        exposures=log_order(model.exposures, windows.exposures.start, windows.exposures.end),
        outcomes=log_order(model.outcomes, windows.outcomes.start, windows.outcomes.end),
        keys=list(model.join.columns),
        by_id=model.join.by_id,
        within=windows.within,
        observed_until=windows.observed_until,
    )


def _pin_events(model: Model, horizon: Duration | None, partition: str, as_of: datetime, root: Path) -> EventPins:
    windows = windows_of(model, model.partitions.index_of(partition), horizon)
    state = maturity(model, windows, _arrived(model, windows, root))
    if not state.mature:
        edge = "outcomes within the horizon" if horizon else "rows of the training window"
        raise ImmatureWindowError(
            f"{model.asset('evaluation_data' if horizon else 'training_data', horizon)} {partition} is immature: "
            f"{describe_missing(model, state.missing)} has not arrived. "
            f"Without it, {edge} that are still to come would count as negatives or be missing."
        )
    known_by = rows_known_by(model, windows)
    if known_by is not None and as_of < known_by:
        raise ImmatureWindowError(
            f"{model.asset('training_data')} {partition} is immature: rows of its window may become known until "
            f"{known_by.isoformat()} (known_delay), and it is {as_of.isoformat()}"
        )
    return EventPins(windows, state)


def _arrived(model: Model, windows: Windows, root: Path) -> dict[str, dict[str, str]]:
    logs = {log.key: log for log in model.logs}
    return {
        key: arrived_by_marker(root, logs[key], [logs[key].partitions.key(index) for index in indices])
        for key, indices in needed(model, windows).items()
    }


def _pin_upstream(instance: dg.DagsterInstance, store: ArtifactStore, asset: str, partition: str) -> UpstreamPin:
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=asset_key(asset), asset_partitions=[partition]), limit=1
    ).records
    if not records:
        raise MissingInputError(f"{asset} {partition} does not exist; materialize it first")
    event = records[0].asset_materialization
    version = (event.tags or {}).get(DATA_VERSION_TAG, "") if event else ""
    made = Made(records[0].storage_id, version, None, None)
    return UpstreamPin(asset, made, records[0].run_id, store.load(asset, partition, records[0].run_id))


def _any_file(root: Path, log: EventLog) -> Path | None:
    folders = reversed(partition_folders(root, log).values())
    return next((files[0] for folder in folders if (files := data_files(folder))), None)
