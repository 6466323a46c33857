"""A shop with leaks to be planted into: its events, what is made of them, and guards that are switched off."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_assets.data import labels
from ml_assets.data.artifacts.store import ArtifactStore
from ml_assets.data.logs import log_rows
from ml_assets.data.logs.event_files import partition_folder
from ml_assets.data.no_leak import Verdict
from ml_assets.domain.calendar import Calendar, Every
from ml_assets.domain.declared.event_log import Columns, EventLog
from ml_assets.domain.declared.history import Feature, History
from ml_assets.domain.declared.spec import Evaluation, Join, Model, Training
from ml_assets.domain.durations import Duration
from ml_assets.domain.windows import Windows
from ml_assets.notebooks.context import Context, Run
from ml_assets.notebooks.order import ReadRecord, StepResult
from ml_assets.notebooks.step import Step
from ml_assets.orchestration.checks import verify_no_leak
from ml_assets.orchestration.partitions import partitions_definition
from ml_assets.orchestration.recorded.facts import materialization
from ml_assets.orchestration.running import orders, pins

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
TODAY = datetime(2027, 1, 1, tzinfo=UTC)
DELAY = 2 * HOUR
SHORT, LONG = Duration(24, "h"), Duration(2, "d")

Row = dict[str, Any]


def declared(zone: str, start: date = date(2026, 5, 1), *, every: Every = "day", known: bool = True) -> Model:
    """Clicks that sales follow, with history of both: a daily model on logs of days or of hours."""
    days = Calendar("day", start, zone, start + timedelta(days=16))

    def log(name: str) -> EventLog:
        columns = Columns("at", (name,), "known", "gone") if known else Columns("at", (name,))
        delay = DELAY if known else timedelta(0)
        return EventLog(
            f"shop/{name}s", f"shop/{name}s", replace(days, every=every), Duration(5, "d"), columns, known_delay=delay
        )

    clicks, sales = log("click"), log("sale")
    return Model(
        name="shop/buy",
        exposures=clicks,
        outcomes=sales,
        join=Join(("click",), by_id=True),
        training=Training(Duration(3, "d"), Duration(0, "d"), Duration(2, "d")),
        evaluation=Evaluation(Duration(1, "d"), (SHORT, LONG)),
        history=(
            History(clicks, Duration(2, "d"), ("user",), {"clicks_2d": Feature("count", None)}),
            History(sales, Duration(1, "d"), ("user",), {"spent_1d": Feature("sum", "price")}),
        ),
        calendar=days,
    )


def without_history(model: Model) -> Model:
    return replace(model, history=())


def click(number: int, at: datetime, **changes: Any) -> Row:
    return {"click": number, "at": at, "known": at, "gone": False, "user": number, **changes}


def sale(number: int, at: datetime, **changes: Any) -> Row:
    """A sale that follows the click of the same number."""
    return {
        "sale": number,
        "click": number,
        "at": at,
        "known": at,
        "gone": False,
        "user": number,
        "price": 1,
        **changes,
    }


def table(rows: list[Row]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[*(rows[0] if rows else sale(0, TODAY))])
    return frame.astype(
        {"at": "datetime64[us, UTC]", "known": "datetime64[us, UTC]", "gone": "boolean", "user": "int64"}
    )


@dataclass(frozen=True)
class Made:
    """One partition of training or evaluation data: what is stored, and what was read."""

    key: str
    horizon: Duration | None
    folder: Path
    rows: pd.DataFrame
    reads: list[ReadRecord]

    @property
    def clicks(self) -> list[int]:
        return self.rows["click"].tolist()

    @property
    def labels(self) -> dict[int, int]:
        return dict(zip(self.clicks, self.rows["label"].tolist(), strict=True))


@dataclass
class World:
    """A shop: its model, its files, and what was made of them."""

    home: Path
    model: Model
    made: int = 0

    def __post_init__(self) -> None:
        self.instance = dg.DagsterInstance.ephemeral()
        self.store = ArtifactStore(self.home / "artifacts")
        self.events = self.home / "events"

    def arrive(self, clicks: list[Row], sales: list[Row]) -> "World":
        """Write the logs anew, each row into the partition of its event time. Every partition has arrived."""
        shutil.rmtree(self.events, ignore_errors=True)
        for log, rows in zip(self.model.logs, (clicks, sales), strict=True):
            calendar = log.partitions
            places: dict[int, list[int]] = {0: []}
            for place, row in enumerate(rows):
                places.setdefault(calendar.index(row["at"]), []).append(place)
            assert max(places) < (calendar.length or 0)
            # One frame is sliced: there may be hundreds of partitions.
            whole = pa.Table.from_pandas(table(rows), preserve_index=False)
            for index in range(calendar.length or 0):
                self._file(
                    log,
                    calendar.key(index),
                    whole.take(pa.array(places[index], pa.int64())) if index in places else None,
                )
        return self

    def file(self, log: EventLog, key: str, rows: list[Row]) -> None:
        self._file(log, key, pa.Table.from_pandas(table(rows), preserve_index=False) if rows else None)

    def _file(self, log: EventLog, key: str, rows: pa.Table | None) -> None:
        folder = partition_folder(self.events, log, key)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "_SUCCESS").touch()
        if rows is not None:
            pq.write_table(rows, folder / f"part-{len(list(folder.iterdir()))}.parquet")

    def make(self, key: str, horizon: Duration | None = None) -> Made:
        """What the standard notebook makes of a partition."""
        step = "evaluation_data" if horizon else "training_data"
        pinned = pins.pin(
            self.instance, self.model, step, horizon, key, as_of=TODAY, events_root=self.events, store=self.store
        ).events
        assert pinned is not None
        self.made += 1
        folder = self.home / f"run-{self.made}"
        folder.mkdir()
        order = orders.step_order(
            self.model,
            step,
            horizon,
            key,
            cutoff=pinned.windows.cutoff,
            run_id=folder.name,
            folder=folder,
            inputs={},
            events=pinned,
            events_root=self.events,
        )
        result_file = folder.with_suffix(".json")
        notebook = Step(order, result_file, Context(Run({}), logging.getLogger("a notebook")))
        rows = notebook.history(notebook.examples())
        notebook.save(rows)
        result = StepResult.model_validate_json(result_file.read_text(encoding="utf-8"))
        return Made(key, horizon, folder, rows, result.reads)

    def publish(self, made: Made) -> None:
        """Reported from outside of a run, it belongs to the run without a name."""
        asset = self.model.asset("evaluation_data" if made.horizon else "training_data", made.horizon)
        folder = self.store.prepare(asset, made.key, "")
        shutil.copytree(made.folder, folder, dirs_exist_ok=True)
        self.store.publish(folder, {"data_version": "v1"})
        self.instance.report_runless_asset_event(materialization(asset, made.key, "v1"))

    def verify(self, made: Made, *, reads: list[ReadRecord] | None = None) -> Verdict:
        dagster = partitions_definition(self.model.partitions)
        return verify_no_leak(
            self.instance,
            self.store,
            self.model,
            made.horizon,
            made.key,
            cutoff=dagster.time_window_for_partition_key(made.key).end,
            folder=made.folder,
            reads=made.reads if reads is None else reads,
        )


D = "2026-05-08"
CUTOFF = datetime(2026, 5, 8, 16, tzinfo=UTC)
BOUND = CUTOFF + DELAY
SHOWN = CUTOFF - 30 * HOUR


def known_before(rows: list[Row], instant: datetime) -> list[Row]:
    return [row for row in rows if row["known"] < instant]


def no_known_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order says, each row counts."""
    for module in (labels, log_rows):
        monkeypatch.setattr(module, "was_known", lambda log, selection: ibis.literal(value=True))


def newest_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order asks for the newest knowledge."""
    monkeypatch.setattr(Windows, "known_before", lambda windows, log: None)


UNKNOWING = pytest.mark.parametrize("switch_off", [no_known_bound, newest_in_training])
SwitchOff = Callable[[pytest.MonkeyPatch], None]


def reading(change: Callable[[Model, int, Duration | None], Windows]) -> SwitchOff:
    """Orders have other windows than the model's."""
    return lambda monkeypatch: monkeypatch.setattr(pins, "windows_of", change)


def every(step: timedelta, start: datetime, end: datetime) -> list[Row]:
    """Clicks all the time."""
    return [click(number, start + number * step) for number in range((end - start) // step)]
