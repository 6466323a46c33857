"""One tick of all sensors, 50 models x 4 assets, beside Dagster's own automation conditions on the same graph.

On a real instance, with the folders of the event logs on disk, where all has arrived and is materialized.
`python -m benchmarks.sensor_tick [FILE]` prints the table, and writes it to FILE as JSON.
"""

import json
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import AssetEventTagsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from rich.console import Console
from rich.table import Table

from ml_assets.domain import windows
from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared.event_log import Columns, EventLog
from ml_assets.domain.declared.spec import Evaluation, Join, Model, Training
from ml_assets.domain.durations import Duration
from ml_assets.domain.maturity import Arrivals
from ml_assets.domain.owed.due import State
from ml_assets.domain.owed.facts import Made, metrics_inputs, model_inputs
from ml_assets.domain.versions import digest
from ml_assets.orchestration import sensors
from ml_assets.orchestration.arrival.sources import arrival_of
from ml_assets.orchestration.assets import code_versions, event_log_definitions, model_definitions
from ml_assets.orchestration.recorded.facts import materialization, note_begun
from ml_assets.orchestration.recorded.memo import Memo
from ml_assets.orchestration.resources import default_resources
from ml_assets.project.home import open_instance

MODELS, SERVICES = 50, 5
PARTITIONS = (1_000, 100)
ROUNDS = 3
#: Dagster's conditions are given fewer models where a tick of all would take longer than two minutes.
PEER_MODELS = {1_000: MODELS, 100: MODELS}
REPOSITORY = Path(__file__).parents[1]
_RUN = "00000000-0000-0000-0000-{:012}"
_JOB = "__ASSET_JOB"
_HORIZON = Duration(1, "d")
#: Stands in the row of a template for what differs by partition.
_PARTITION, _VERSION, _ITS_RUN = "<partition>", "<version>", "<run>"


@dataclass(frozen=True)
class World:
    """Everything that the sensors look at, in `root`."""

    root: Path
    partitions: int
    number_of_services: int = SERVICES
    models_each: int = MODELS // SERVICES
    horizons: tuple[Duration, ...] = (_HORIZON,)

    @cached_property
    def services(self) -> dict[str, tuple[list[EventLog], list[Model]]]:
        """The logs and the models of each service."""
        return {f"service_{number}": self._service(f"service_{number}") for number in range(self.number_of_services)}

    @property
    def models(self) -> list[Model]:
        """The models of all services."""
        return [model for _, models in self.services.values() for model in models]

    @property
    def _lookahead(self) -> Duration:
        return Duration(2 + max(horizon.count for horizon in self.horizons), "d")

    @property
    def as_of(self) -> datetime:
        """The instant at which so many partitions are expected."""
        model = self.models[0]
        return model.partitions.interval(model.first_index + self.partitions).start

    @property
    def events(self) -> Path:
        """The root of event logs."""
        return self.root / "events"

    def open_instance(self) -> dg.DagsterInstance:
        """The instance."""
        return open_instance(self.root / "home")

    def _service(self, service: str) -> tuple[list[EventLog], list[Model]]:
        days = Calendar("day", date(2023, 1, 1), "Europe/Berlin")
        logs = [
            EventLog(f"{service}/{name}", f"{service}/{name}", days, self._lookahead, Columns("event_time", ("id",)))
            for name in ("exposures", "outcomes")
        ]
        models = [
            Model(
                name=f"{service}/model_{number}",
                exposures=logs[0],
                outcomes=logs[1],
                join=Join(("id",), by_id=True),
                training=Training(Duration(28, "d"), Duration(0, "d"), Duration(7, "d")),
                evaluation=Evaluation(Duration(1, "d"), self.horizons),
            )
            for number in range(self.models_each)
        ]
        return logs, models

    def make(self) -> None:
        """Let all arrive and be made."""
        instance = self.open_instance()
        code = code_versions(self.models, REPOSITORY)
        book = _Book(instance)
        for logs, models in self.services.values():
            arrived: dict[str, dict[str, str]] = {}
            for log in logs:
                arrived[log.key] = self._arrive(log)
                book.write([(log.key, partition, version, None, 0) for partition, version in arrived[log.key].items()])
            for model in models:
                book.write(_made(model, self.partitions, code, Arrivals(logs, arrived), book.next_id))
        book.end()
        instance.dispose()

    def _arrive(self, log: EventLog) -> dict[str, str]:
        """Write the folders of a log up to `as_of`. Returns: the fingerprints, as the sensor takes them."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(
            pa.table({"id": pa.array([], pa.int64()), "event_time": pa.array([], pa.timestamp("us", "UTC"))}), sink
        )
        rows = sink.getvalue().to_pybytes()
        for index in log.partitions.complete_before(self.as_of):
            folder = self.events / log.location / f"date={log.partitions.key(index)}"
            folder.mkdir(parents=True)
            (folder / "part-0.parquet").write_bytes(rows)
            (folder / "_SUCCESS").touch()
        return dict(arrival_of(log, as_of=self.as_of).ask(self.events, log).arrived)


#: What is recorded: asset, partition, data version, what it was made from (inputs and code); in the run of that number.
_Fact = tuple[str, str, str, tuple[str, str] | None, int]


class _Book:
    """Writes facts in bulk: the rows that the storage makes for one partition of an asset, with others' names in them.

    Reporting them one by one would take hours.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        storage = instance.event_log_storage
        if not isinstance(storage, SqlEventLogStorage):
            raise TypeError(f"{type(storage).__name__} is no SQL storage")
        self._instance, self._storage = instance, storage
        self._now = time.time()
        self._templates: dict[str, dict[str, Any]] = {}
        self._last: dict[str, tuple[int, _Fact]] = {}
        self.next_id = (storage.get_maximum_record_id() or 0) + 1

    def write(self, facts: Sequence[_Fact]) -> None:
        """Write facts, which get the ids from `next_id` on."""
        rows = [self._row(fact, number) for number, fact in enumerate(facts, start=self.next_id)]
        tags = [
            {
                "event_id": row["id"],
                "asset_key": row["asset_key"],
                "key": DATA_VERSION_TAG,
                "value": version,
                "event_timestamp": row["timestamp"],
            }
            for row, (_, _, version, _, _) in zip(rows, facts, strict=True)
        ]
        with self._storage.index_connection() as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
            connection.execute(AssetEventTagsTable.insert(), tags)
        for asset, partition, _, made_from, run in facts:
            if made_from is not None:
                note_begun(self._instance, asset, partition, *made_from, _RUN.format(run))
        self.next_id += len(rows)

    def end(self) -> None:
        """Write what is kept of each asset as a whole, by its last materialization."""
        for number, fact in self._last.values():
            self._storage.store_asset_event(self._entry(fact), number)

    def _row(self, fact: _Fact, number: int) -> dict[str, Any]:
        asset, partition, version, _, run = fact
        if asset not in self._templates:
            entry = self._entry((asset, _PARTITION, _VERSION, None, run))
            if set(indexed := self._storage._tags_for_asset_event(entry)) != {DATA_VERSION_TAG}:
                raise RuntimeError(f"the storage indexes {set(indexed)}: the rows written here would be others")
            row = self._storage._event_to_row(entry)
            self._templates[asset] = {**row, "event": row["event"].replace(_RUN.format(run), _ITS_RUN)}
        self._last[asset] = number, fact
        row, run_id = self._templates[asset], _RUN.format(run)
        text = row["event"].replace(_PARTITION, partition).replace(_VERSION, version).replace(_ITS_RUN, run_id)
        return {**row, "id": number, "run_id": run_id, "partition": partition, "event": text}

    def _entry(self, fact: _Fact) -> EventLogEntry:
        asset, partition, version, _, run = fact
        kind, data = DagsterEventType.ASSET_MATERIALIZATION, materialization(asset, partition, version)
        event = DagsterEvent(
            event_type_value=kind.value, job_name=_JOB, event_specific_data=StepMaterializationData(data)
        )
        return EventLogEntry(
            error_info=None,
            user_message="",
            level="debug",
            run_id=_RUN.format(run),
            timestamp=self._now,
            job_name=_JOB,
            dagster_event=event,
        )


def _made(model: Model, partitions: int, code: Mapping[str, str], arrivals: Arrivals, first_id: int) -> list[_Fact]:
    """What runs record of a model, ten partitions each, when the first of these facts gets `first_id`."""
    facts: list[_Fact] = []

    def make(asset: str, index: int, inputs: str) -> Made:
        partition, run = model.partitions.key(index), first_id + index // model.partitions_per_run
        made = Made(first_id + len(facts), digest(asset, partition), inputs, code[asset])
        facts.append((asset, partition, made.data_version, (inputs, code[asset]), run))
        return made

    training = windows.Needs(model, None)
    evaluations = {horizon: windows.Needs(model, horizon) for horizon in model.evaluation.horizons}
    for index in range(model.first_index, model.first_index + partitions):
        training_data = make(model.asset("training_data"), index, arrivals.inputs(training.of(index)))
        trained = make(model.asset("model"), index, model_inputs(training_data))
        for horizon, evaluation in evaluations.items():
            needed = evaluation.of(index)
            if arrivals.mature(needed):
                evaluated = make(model.asset("evaluation_data", horizon), index, arrivals.inputs(needed))
                make(model.asset("metrics", horizon), index, metrics_inputs(evaluated, trained))
    return facts


def _ours(world: World) -> dict[str, float]:
    """CPU seconds of the first tick of all sensors, and of the next."""
    services = world.services.values()
    codes = [code_versions(models, REPOSITORY) for _, models in services]
    memos = [Memo() for _ in services]
    seconds = []
    for _ in range(2):
        # As a code server does: a tick has an instance of its own.
        instances = [world.open_instance() for _ in services]
        before = time.process_time()
        ticks = [
            sensors.look(instance, logs, models, code=code, events_root=world.events, as_of=world.as_of, memo=memo)
            for (logs, models), instance, code, memo in zip(services, instances, codes, memos, strict=True)
        ]
        seconds.append(time.process_time() - before)
        for instance in instances:
            instance.dispose()
    _check(world, ticks)
    return {"first": seconds[0], "steady": seconds[1]}


def _check(world: World, ticks: Sequence[sensors.Tick]) -> None:
    """See that the workload is what it says."""
    found = Counter(
        status.state
        for tick in ticks
        for of in tick.found.values()
        for asset in of.values()
        for status in asset.values()
    )
    # The newest evaluations wait for their outcomes: those of a window of one day and a horizon.
    waiting = len(world.models) * 2 * sum(1 + horizon.count for horizon in world.horizons)
    assets = 2 + 2 * len(world.horizons)
    expected = {State.DONE: len(world.models) * assets * world.partitions - waiting, State.WAITING: waiting}
    if found != expected or any(tick.arrivals for tick in ticks):
        raise RuntimeError(f"{dict(found)} were found, not {expected}")


def _theirs(world: World) -> dict[str, float]:
    """CPU seconds of Dagster's first evaluation of a condition that asks for what is missing, and of the next."""
    warnings.filterwarnings("ignore", category=dg.PreviewWarning)
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    missing = dg.AutomationCondition.missing() & ~dg.AutomationCondition.any_deps_missing()
    condition = missing & ~dg.AutomationCondition.in_progress() & ~dg.AutomationCondition.execution_failed()
    assets: list[Any] = []
    for logs, models in world.services.values():
        assets += [asset for log in logs for asset in event_log_definitions(log).assets or ()]
        for model in models[: PEER_MODELS[world.partitions] // SERVICES]:
            for asset in model_definitions(model, REPOSITORY).assets or ():
                assets.append(
                    asset.map_asset_specs(lambda spec: spec.replace_attributes(automation_condition=condition))
                )
    resources = default_resources()
    definitions = dg.Definitions(assets=assets, resources=resources)
    definitions.get_repository_def()
    seconds, cursor = [], None
    for _ in range(2):
        instance = world.open_instance()
        before = time.process_time()
        result = dg.evaluate_automation_conditions(definitions, instance, evaluation_time=world.as_of, cursor=cursor)
        seconds.append(time.process_time() - before)
        if result.total_requested:
            raise RuntimeError(f"the condition asks for {result.total_requested} partitions, though all are made")
        cursor = result.cursor
        instance.dispose()
    return {"first": seconds[0], "steady": seconds[1]}


_SIDES: dict[str, Callable[[World], dict[str, float]]] = {"ours": _ours, "theirs": _theirs}


def _run(side: str, world: World) -> dict[str, float]:
    return _SIDES[side](world)


def measure(rounds: int = ROUNDS, sizes: Sequence[int] = PARTITIONS) -> dict[str, dict[str, Any]]:
    """Median CPU seconds by number of partitions; both sides take turns, each time in a process of its own."""
    found: dict[str, dict[str, Any]] = {}
    for partitions in sizes:
        with tempfile.TemporaryDirectory() as root:
            world = World(Path(root), partitions)
            world.make()
            runs: dict[str, list[dict[str, float]]] = {side: [] for side in _SIDES}
            with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
                for _ in range(rounds):
                    for side in _SIDES:
                        runs[side].append(processes.submit(_run, side, world).result())
        found[str(partitions)] = {
            side: {tick: statistics.median(run[tick] for run in of) for tick in ("first", "steady")}
            for side, of in runs.items()
        } | {"models of theirs": PEER_MODELS[partitions]}
    return found


def main(path: Path | None = None) -> None:
    """Print the table, and write it as JSON."""
    found = measure()
    table = Table(
        title=f"A tick of all sensors, {MODELS} models x 4 assets, median CPU seconds of {ROUNDS} processes each"
    )
    for heading in ("partitions", "tick", "CPU s", "Dagster's conditions, CPU s", "ratio"):
        table.add_column(heading)
    for partitions, of in found.items():
        models = of["models of theirs"]
        note = "" if models == MODELS else f" ({models} models)"
        for tick in ("first", "steady"):
            ours, theirs = of["ours"][tick], of["theirs"][tick]
            table.add_row(partitions, tick, f"{ours:.2f}", f"{theirs:.2f}{note}", f"{ours / theirs:.2f}")
    many, few = (found[str(partitions)]["ours"]["steady"] for partitions in PARTITIONS)
    table.caption = (
        f"A steady tick at {PARTITIONS[0]} partitions takes {many / few:.1f} times the CPU of one at {PARTITIONS[1]}"
    )
    Console().print(table)
    if path is not None:
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
