"""Writes down what one notebook is asked to do, from what its partition is made from."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from ml_assets.data.logs.event_files import EventFolder
from ml_assets.domain.calendar import Calendar, Interval
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.windows import windows_of
from ml_assets.notebooks.order import (
    ExamplesOrder,
    FeatureOrder,
    FromVariable,
    HistoryOrder,
    LogOrder,
    PartitionOrder,
    StepOrder,
    TableOrder,
)
from ml_assets.orchestration.arrival.sources import arrival_of
from ml_assets.orchestration.running.pins import EventPins
from ml_assets.paths import AnyPath


def step_order(
    model: Model,
    step: str,
    horizon: Duration | None,
    partition: str,
    *,
    cutoff: datetime,
    run_id: str,
    folder: Path,
    inputs: Mapping[str, AnyPath],
    events: EventPins | None,
    events_root: AnyPath,
    scratch: bool = False,
    shared: AnyPath | None = None,
    spark: dict[str, str | FromVariable] | None = None,
    config_keys: frozenset[str] | None = None,
) -> StepOrder:
    """The order of one partition of one step; see `notebooks.order` for what each part means.

    Args: `config_keys`: the keys of `config` that the notebook is known to read; None: all of them.
    """
    seen = model.config.keys() if config_keys is None else config_keys
    windows = windows_of(model, model.partitions.index_of(partition), horizon)
    bounds = {"exposures": windows.exposures, "outcomes": windows.outcomes}
    return StepOrder(
        asset=model.asset(step, horizon),
        step=step,
        partition=partition,
        cutoff=cutoff,
        windows={name: (one.start, one.end) for name, one in bounds.items()},
        run_id=run_id,
        attribution=model.training.attribution.elapsed,
        horizon=horizon.elapsed if horizon else None,
        config={key: value for key, value in model.config.items() if key in seen},
        unseen=sorted(model.config.keys() - seen),
        folder=folder,
        shared=shared,
        inputs=dict(inputs),
        examples=examples_order(model, events, events_root, engine=model.engine_of(step)) if events else None,
        scratch=scratch,
        spark=spark,
    )


def examples_order(model: Model, events: EventPins, events_root: AnyPath, *, engine: str = "duckdb") -> ExamplesOrder:
    """The files and bounds that a notebook reads its examples from."""
    windows = events.windows

    def log_order(log: EventLog, interval: Interval, known_before: datetime | None) -> LogOrder:
        calendar, folder = log.partitions, None if log.table else EventFolder(events_root, log)
        partitions = [
            _partition_order(calendar, partition, folder.data_files(partition) if folder else [])
            for partition in events.fingerprints[log.key]
            if calendar.index_of(partition) in calendar.indices(interval)
        ]
        files = [path for partition in partitions for path in partition.files]
        return LogOrder(
            key=log.key,
            partitions=partitions,
            schema_file=_schema_file(log, files, events_root, folder, events.as_of),
            time=log.columns.time,
            row_key=list(log.columns.key),
            known=log.columns.known,
            deleted=log.columns.deleted,
            start=interval.start,
            end=interval.end,
            known_before=known_before,
            table=TableOrder(name=log.table.name, url_variable=log.table.url_variable) if log.table else None,
        )

    return ExamplesOrder(
        exposures=log_order(model.exposures, windows.exposures, windows.known_before(model.exposures)),
        outcomes=log_order(model.outcomes, windows.outcomes, windows.known_before(model.outcomes)),
        keys=list(model.join.columns),
        by_id=model.join.by_id,
        within=windows.within,
        observed_until=windows.observed_until,
        memory=model.memory,
        engine=engine,
        history=[
            HistoryOrder(
                # What was known of each row is a matter of each exposure's own time: of the last one's at most.
                log=log_order(history.log, windows.history[history.log.key], windows.exposures.end),
                by=list(history.by),
                within=history.window.elapsed,
                features={
                    name: FeatureOrder(function=feature.function, column=feature.column)
                    for name, feature in history.features.items()
                },
            )
            for history in model.history
        ],
    )


def _partition_order(calendar: Calendar, partition: str, files: list[AnyPath]) -> PartitionOrder:
    interval = calendar.interval(calendar.index_of(partition))
    return PartitionOrder(key=partition, start=interval.start, end=interval.end, files=files)


def _schema_file(
    log: EventLog, files: list[AnyPath], root: AnyPath, folder: EventFolder | None, as_of: datetime
) -> AnyPath | None:
    """A file that tells the columns; a table tells its own."""
    if files or folder is None:
        return next(iter(files), None)
    # Of a partition that has arrived: others may be written at this moment.
    arrived = reversed(list(arrival_of(log, as_of=as_of).ask(root, log).arrived))
    return next((files[0] for partition in arrived if (files := folder.data_files(partition))), None)
