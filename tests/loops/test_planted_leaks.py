"""Leaks that are planted, each kept out by its guard, and caught in the stored rows where the guard is switched off.

Rows go the way of the standard notebooks, from real files to a stored table. The cutoff that the check goes by is the
end of Dagster's own partition.
"""

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ibis import ir
from pandas.testing import assert_frame_equal

from ml_assets.data import history, labels, log_rows
from ml_assets.data.engine import EventLogError
from ml_assets.data.event_files import partition_folder
from ml_assets.data.no_leak import Verdict
from ml_assets.data.store import ArtifactStore
from ml_assets.domain.calendar import Calendar, Every, Interval
from ml_assets.domain.durations import Duration
from ml_assets.domain.event_log import Columns, EventLog
from ml_assets.domain.history import Feature, History
from ml_assets.domain.spec import Evaluation, Join, Model, Training
from ml_assets.domain.windows import Windows, windows_of
from ml_assets.notebooks.context import Context, Run
from ml_assets.notebooks.order import ReadRecord, StepResult
from ml_assets.notebooks.step import Step
from ml_assets.orchestration.checks import verify_no_leak
from ml_assets.orchestration.partitions import partitions_definition
from ml_assets.orchestration.recorded.facts import materialization
from ml_assets.orchestration.running import orders, pins

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
TODAY = datetime(2027, 1, 1, tzinfo=UTC)
DELAY = 2 * HOUR
SHORT, LONG = Duration(24, "h"), Duration(2, "d")
SHARED = "the exposure is in training and in evaluation data"

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


def in_zone(model: Model, zone: str) -> Model:
    """The same declaration in another time zone."""

    def moved(log: EventLog) -> EventLog:
        return replace(log, partitions=replace(log.partitions, timezone=zone))

    return replace(
        model,
        exposures=moved(model.exposures),
        outcomes=moved(model.outcomes),
        history=tuple(replace(one, log=moved(one.log)) for one in model.history),
        calendar=replace(model.partitions, timezone=zone),
    )


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


@pytest.fixture
def shop(tmp_path: Path) -> World:
    """In Shanghai, where a day begins at 16:00 UTC of the day before."""
    return World(tmp_path, declared("Asia/Shanghai"))


@pytest.fixture
def plain_shop(tmp_path: Path) -> World:
    """The shop without history, which takes three times as long as labels."""
    return World(tmp_path, without_history(declared("Asia/Shanghai")))


D = "2026-05-08"
CUTOFF = datetime(2026, 5, 8, 16, tzinfo=UTC)
BOUND = CUTOFF + DELAY
SHOWN = CUTOFF - 30 * HOUR


def random_shop(rng: np.random.Generator, model: Model, count: int = 300) -> tuple[list[Row], list[Row]]:
    """Clicks and the sales that follow them, some known late, some corrected or taken back, some more than once."""
    calendar = model.exposures.partitions
    assert calendar.finish is not None
    seconds = int((calendar.finish - calendar.origin).total_seconds()) - 3 * 86_400

    def versions(row: Row) -> list[Row]:
        found = [{**row, "known": row["at"] + int(rng.integers(0, 4 * 3600)) * timedelta(seconds=1)}]
        while rng.random() < 0.3:
            moved = row["at"] + int(rng.integers(-600, 600)) * timedelta(seconds=1)
            same = calendar.index(moved) == calendar.index(row["at"])
            later = found[-1]["known"] + int(rng.integers(1, 4 * 86_400)) * timedelta(seconds=1)
            gone = bool(rng.random() < 0.3)
            found.append({**found[-1], "at": moved if same else row["at"], "known": later, "gone": gone})
        return found

    clicks, sales = [], []
    for number in range(count):
        at = calendar.origin + int(rng.integers(0, seconds)) * timedelta(seconds=1)
        clicks += versions(click(number, at, user=int(rng.integers(0, 8))))
        if rng.random() < 0.5:
            bought = at + int(rng.integers(0, 60 * 3600)) * timedelta(seconds=1)
            price = int(rng.integers(1, 50))
            sales += versions(sale(number, bought, user=clicks[-1]["user"], price=price))
    return clicks, sales


def known_before(rows: list[Row], instant: datetime) -> list[Row]:
    return [row for row in rows if row["known"] < instant]


SEEDS = pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])


@SEEDS
def test_a_backfill_today_gives_the_rows_of_that_day(seed: int, shop: World) -> None:
    clicks, sales = random_shop(np.random.default_rng(seed), shop.model)
    today = shop.arrive(clicks, sales).make(D)
    that_day = shop.arrive(known_before(clicks, BOUND), known_before(sales, BOUND)).make(D)
    assert_frame_equal(today.rows, that_day.rows)
    assert today.reads[:2] == that_day.reads[:2]
    assert [read.role for read in today.reads] == ["exposures", "outcomes", "history", "history"]
    assert len(today.rows) > 30
    assert today.rows["label"].nunique() == 2
    assert today.rows["clicks_2d"].nunique() > 3


@SEEDS
def test_what_is_made_of_a_random_shop_keeps_to_every_rule(seed: int, shop: World) -> None:
    shop.arrive(*random_shop(np.random.default_rng(seed), shop.model))
    for horizon in (None, SHORT, LONG):
        made = shop.make(D, horizon)
        assert len(made.rows) > 10
        assert str(shop.verify(made)) == f"{len(made.rows)} rows keep to every rule"
        shop.publish(made)
    assert shop.verify(shop.make(D)).passed


# --- guards, and how they are switched off


def no_known_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order says, each row counts."""
    for module in (labels, log_rows):
        monkeypatch.setattr(module, "was_known", lambda log, selection: ibis.literal(value=True))


def newest_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order asks for the newest knowledge."""
    monkeypatch.setattr(Windows, "known_before", lambda windows, log: None)


UNKNOWING = pytest.mark.parametrize("switch_off", [no_known_bound, newest_in_training])
SwitchOff = Callable[[pytest.MonkeyPatch], None]


def sees(since: Callable[[ir.Table, Columns], ir.Value]) -> SwitchOff:
    """Exposures see rows of the history from another instant on."""

    def switch_off(monkeypatch: pytest.MonkeyPatch) -> None:
        honest = history._as_known

        def blind(log: ir.Table, columns: Columns, within: timedelta) -> ir.Table:
            seen = honest(log, columns, within)
            return seen.mutate(_since=since(seen, columns))

        monkeypatch.setattr(history, "_as_known", blind)

    return switch_off


def reading(change: Callable[[Model, int, Duration | None], Windows]) -> SwitchOff:
    """Orders have other windows than the model's."""
    return lambda monkeypatch: monkeypatch.setattr(pins, "windows_of", change)


# --- a conversion that was known after the cutoff


@pytest.mark.parametrize(
    ("known", "label"), [(BOUND - MICROSECOND, 1), (BOUND, 0), (BOUND + MICROSECOND, 0), (CUTOFF + 40 * DAY, 0)]
)
def test_a_conversion_known_after_the_cutoff_is_no_label(known: datetime, label: int, plain_shop: World) -> None:
    made = plain_shop.arrive([click(1, SHOWN)], [sale(1, SHOWN + HOUR, known=known)]).make(D)
    assert made.labels == {1: label}
    assert plain_shop.verify(made).passed
    outcomes = next(read for read in made.reads if read.role == "outcomes")
    assert outcomes.rows == label


@UNKNOWING
@pytest.mark.parametrize("known", [BOUND, CUTOFF + 40 * DAY])
def test_a_conversion_known_after_the_cutoff_is_caught(
    known: datetime, switch_off: SwitchOff, plain_shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [sale(number, SHOWN + HOUR, known=known) for number in range(20)]
    plain_shop.arrive([click(number, SHOWN) for number in range(30)], late)
    switch_off(monkeypatch)
    made = plain_shop.make(D)
    assert sum(made.labels.values()) == 20
    rule = f"outcome_known is not before {BOUND.isoformat()}"
    assert plain_shop.verify(made, reads=[]).leaks == {rule: 20}


@UNKNOWING
def test_an_exposure_known_after_the_cutoff_is_kept_out_and_caught(
    switch_off: SwitchOff, plain_shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clicks = [click(1, SHOWN, known=BOUND - MICROSECOND), click(2, SHOWN, known=BOUND)]
    plain_shop.arrive(clicks, [])
    assert plain_shop.make(D).clicks == [1]
    switch_off(monkeypatch)
    made = plain_shop.make(D)
    assert plain_shop.verify(made, reads=[]).leaks == {f"known is not before {BOUND.isoformat()}": 1}


# --- a feature from the future

FROM_THE_FUTURE = {
    "at the same instant": click(2, SHOWN, user=1),
    "a moment later": click(2, SHOWN + MICROSECOND, user=1),
    "a day later": click(2, SHOWN + DAY, user=1),
    "known at the instant": click(2, SHOWN - HOUR, user=1, known=SHOWN),
    "known later": click(2, SHOWN - HOUR, user=1, known=SHOWN + DAY),
    "known before it happens": click(2, SHOWN + HOUR, user=1, known=SHOWN - HOUR),
}


@pytest.mark.parametrize("row", FROM_THE_FUTURE.values(), ids=FROM_THE_FUTURE)
def test_a_feature_from_the_future_is_not_seen(row: Row, shop: World) -> None:
    past = click(3, SHOWN - 2 * HOUR, user=1)
    made = shop.arrive([past, click(1, SHOWN), row], [sale(9, SHOWN + HOUR, click=1, user=1)]).make(D)
    one = made.rows.set_index("click").loc[1]
    assert (one["clicks_2d"], one["feature_time"]) == (1, past["at"])
    assert pd.isna(one["spent_1d"])
    assert shop.verify(made).passed


FORESIGHT = {
    "neither clock": sees(lambda log, columns: log["_since"] - ibis.interval(days=2)),
    "no known time": sees(lambda log, columns: log[columns.time]),
    "no event time": sees(lambda log, columns: log[columns.known]),
}


@pytest.mark.parametrize(
    ("guard", "row"),
    [
        *(("neither clock", row) for row in FROM_THE_FUTURE),
        *(("no known time", row) for row in ("known at the instant", "known later")),
        ("no event time", "known before it happens"),
    ],
)
def test_a_feature_from_the_future_is_caught(
    guard: str, row: str, shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.arrive([click(1, SHOWN), FROM_THE_FUTURE[row]], [])
    FORESIGHT[guard](monkeypatch)
    made = shop.make(D)
    verdict = shop.verify(made)
    future = made.rows[made.rows["feature_time"] >= made.rows["at"]]
    assert 1 in future["click"].tolist()
    assert verdict.leaks == {"feature_time is not before the exposure": len(future)}


@pytest.mark.parametrize("horizon", [None, SHORT])
def test_every_feature_from_the_future_is_caught_in_a_random_shop(
    horizon: Duration | None, shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by what exposures count more than they may."""
    clicks, sales = random_shop(np.random.default_rng(5), shop.model)
    shop.arrive([row for row in clicks if not row["gone"]], sales)
    honest = shop.make(D, horizon).rows.set_index("click")
    FORESIGHT["no known time"](monkeypatch)
    made = shop.make(D, horizon)
    foreseen = made.rows.set_index("click")["clicks_2d"] > honest["clicks_2d"]
    assert 5 < foreseen.sum() < len(honest)
    assert shop.verify(made).leaks["feature_time is not before the exposure"] >= foreseen.sum()


# --- an exposure in both sets


def around(instant: datetime) -> list[Row]:
    """Clicks up to the instant and from it on."""
    steps = [-DAY, -MICROSECOND, timedelta(0), MICROSECOND, DAY - MICROSECOND, DAY]
    return [click(number, instant + step) for number, step in enumerate(steps)]


@pytest.mark.parametrize("horizon", [SHORT, LONG])
def test_no_exposure_is_in_both_sets(horizon: Duration, plain_shop: World) -> None:
    plain_shop.arrive(around(CUTOFF), [])
    training, evaluation = plain_shop.make(D), plain_shop.make(D, horizon)
    assert (training.clicks, evaluation.clicks) == ([0, 1], [2, 3, 4])
    plain_shop.publish(training)
    assert plain_shop.verify(evaluation).passed
    plain_shop.publish(evaluation)
    assert plain_shop.verify(training).passed


def day_early(model: Model, index: int, horizon: Duration | None) -> Windows:
    """Evaluation takes the day before the cutoff as well."""
    windows = windows_of(model, index, horizon)
    if horizon is None:
        return windows
    start = windows.cutoff - DAY
    return replace(
        windows, exposures=Interval(start, windows.exposures.end), outcomes=Interval(start, windows.outcomes.end)
    )


@pytest.mark.parametrize("horizon", [SHORT, LONG])
def test_an_exposure_in_both_sets_is_caught(
    horizon: Duration, plain_shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_shop.arrive(around(CUTOFF), [])
    plain_shop.publish(plain_shop.make(D))
    reading(day_early)(monkeypatch)
    verdict = plain_shop.verify(plain_shop.make(D, horizon))
    assert verdict.leaks == {f"the exposure is before {CUTOFF.isoformat()}": 2, SHARED: 2}


def test_training_that_reaches_into_an_evaluation_is_caught(plain_shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plain_shop.arrive(around(CUTOFF), [])
    plain_shop.publish(plain_shop.make(D, LONG))
    reading(lambda model, index, horizon: windows_of(model, index + 1, horizon))(monkeypatch)
    leaks = plain_shop.verify(plain_shop.make(D), reads=[]).leaks
    assert leaks == {
        f"the exposure is not before {CUTOFF.isoformat()}": 3,
        f"known is not before {BOUND.isoformat()}": 1,
        SHARED: 3,
    }


def test_an_exposure_that_a_correction_moved_out_of_training_is_caught_in_the_evaluation(plain_shop: World) -> None:
    """Its times are within all bounds: only its key tells."""
    later = CUTOFF + 10 * DAY
    moved = [click(1, SHOWN), click(1, SHOWN, known=later, gone=True), click(1, CUTOFF + HOUR, known=later)]
    plain_shop.arrive([*moved, click(2, SHOWN), click(3, CUTOFF)], [])
    training, evaluation = plain_shop.make(D), plain_shop.make(D, SHORT)
    assert plain_shop.verify(evaluation).passed
    assert training.clicks == [1, 2]
    plain_shop.publish(training)
    assert plain_shop.verify(evaluation).leaks == {SHARED: 1}


# --- a corrected label that existed only later

CORRECTIONS = {
    "moved into the attribution": (
        [sale(1, SHOWN - HOUR), sale(1, SHOWN + HOUR, known=BOUND)],
        0,
        {f"outcome_known is not before {BOUND.isoformat()}": 1},
    ),
    "of another click first": (
        [sale(1, SHOWN + HOUR, click=2), sale(1, SHOWN + HOUR, known=BOUND)],
        0,
        {f"outcome_known is not before {BOUND.isoformat()}": 1},
    ),
    "taken back before, and no longer": (
        [
            sale(1, SHOWN + HOUR),
            sale(1, SHOWN + HOUR, known=SHOWN + 2 * HOUR, gone=True),
            sale(1, SHOWN + HOUR, known=BOUND),
        ],
        0,
        {f"outcome_known is not before {BOUND.isoformat()}": 1},
    ),
    # These leave no row behind: what was read tells.
    "moved out of the attribution": ([sale(1, SHOWN + HOUR), sale(1, SHOWN - HOUR, known=BOUND)], 1, {}),
    "taken back": ([sale(1, SHOWN + HOUR), sale(1, SHOWN + HOUR, known=BOUND, gone=True)], 1, {}),
}


@pytest.mark.parametrize(("sales", "label"), [case[:2] for case in CORRECTIONS.values()], ids=CORRECTIONS)
def test_a_corrected_label_that_existed_only_later_is_not_trained_on(
    sales: list[Row], label: int, plain_shop: World
) -> None:
    made = plain_shop.arrive([click(1, SHOWN)], sales).make(D)
    assert made.labels == {1: label}
    assert plain_shop.verify(made).passed


@UNKNOWING
@pytest.mark.parametrize(("sales", "label", "in_rows"), CORRECTIONS.values(), ids=CORRECTIONS)
def test_a_corrected_label_that_existed_only_later_is_caught(
    sales: list[Row],
    label: int,
    in_rows: Mapping[str, int],
    switch_off: SwitchOff,
    plain_shop: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain_shop.arrive([click(1, SHOWN)], sales)
    switch_off(monkeypatch)
    made = plain_shop.make(D)
    assert made.labels == {1: 1 - label}
    assert plain_shop.verify(made, reads=[]).leaks == in_rows
    of_reads = f"outcomes of shop/sales were read that were known at or after {BOUND.isoformat()}"
    assert plain_shop.verify(made).leaks == {**in_rows, of_reads: 1}


def test_evaluation_takes_the_label_that_is_known_by_now(plain_shop: World) -> None:
    shown = CUTOFF + HOUR
    sales = [sale(1, shown + HOUR), sale(1, shown + HOUR, known=TODAY, gone=True), sale(2, shown + HOUR, known=TODAY)]
    made = plain_shop.arrive([click(1, shown), click(2, shown)], sales).make(D, SHORT)
    assert made.labels == {1: 0, 2: 1}
    assert plain_shop.verify(made).passed


# --- a time zone that is off by one day

ZONES = pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "America/New_York"])
STEPS = pytest.mark.parametrize("horizon", [None, SHORT], ids=["training", "evaluation"])


def every(step: timedelta, start: datetime, end: datetime) -> list[Row]:
    """Clicks all the time."""
    return [click(number, start + number * step) for number in range((end - start) // step)]


def all_the_time(model: Model) -> list[Row]:
    calendar = model.exposures.partitions
    assert calendar.finish is not None
    return every(30 * MINUTE, calendar.origin, calendar.finish - 3 * DAY)


def days_of(made: Made, zone: str) -> dict[str, int]:
    """How many clicks there are of each local day."""
    return made.rows["at"].dt.tz_convert(zone).dt.date.astype(str).value_counts(sort=False).to_dict()


@pytest.mark.slow
@ZONES
def test_days_are_those_of_the_log_wherever_it_lies(zone: str, tmp_path: Path) -> None:
    world = World(tmp_path, without_history(declared(zone)))
    world.arrive(all_the_time(world.model), [])
    training, evaluation = world.make(D), world.make(D, SHORT)
    assert days_of(training, zone) == dict.fromkeys(("2026-05-06", "2026-05-07", "2026-05-08"), 48)
    assert days_of(evaluation, zone) == {"2026-05-09": 48}
    assert world.verify(training).passed
    assert world.verify(evaluation).passed


WRONG_DAYS = {
    "days of UTC": lambda model, index, horizon: windows_of(in_zone(model, "UTC"), index, horizon),
    "a day early": lambda model, index, horizon: windows_of(model, index - 1, horizon),
    "a day late": lambda model, index, horizon: windows_of(model, index + 1, horizon),
}


@pytest.mark.slow
@STEPS
@ZONES
@pytest.mark.parametrize("wrong", WRONG_DAYS)
def test_windows_of_another_time_zone_or_day_are_caught(
    wrong: str, zone: str, horizon: Duration | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, without_history(declared(zone)))
    world.arrive(all_the_time(world.model), [])
    honest = set(world.make(D, horizon).clicks)
    reading(WRONG_DAYS[wrong])(monkeypatch)
    made = world.make(D, horizon)
    verdict = world.verify(made, reads=[])
    caught = [count for rule, count in verdict.leaks.items() if rule.startswith("the exposure is")]
    assert sum(caught) == len(set(made.clicks) - honest) > 0


@pytest.mark.slow
@ZONES
def test_a_log_that_files_days_of_utc_under_another_time_zone_is_refused(zone: str, tmp_path: Path) -> None:
    world = World(tmp_path, without_history(declared(zone)))
    world.arrive([], [])
    of_utc = in_zone(world.model, "UTC").exposures.partitions
    rows = all_the_time(world.model)
    for index in range(of_utc.length or 0):
        of_day = [row for row in rows if row["at"] in of_utc.interval(index)]
        world.file(world.model.exposures, of_utc.key(index), of_day)
    with pytest.raises(
        EventLogError, match=r"shop/clicks: \d+ of \d+ rows in (partition 2026-05-\d\d|3 partitions) have a at outside"
    ):
        world.make(D)


# --- an hour that clocks repeat, and one that they leave out

BERLIN = ZoneInfo("Europe/Berlin")
#: The days on which clocks change, how long they are, and the day before, whose model is judged by them.
CHANGES = {"2026-10-25": (25, "2026-10-24"), "2026-03-29": (23, "2026-03-28")}
CHANGING = pytest.mark.parametrize("day", CHANGES)
EVERY = pytest.mark.parametrize("every_", ["day", "hour"])


def berlin(home: Path, day: str, *, each: Every, known: bool = False) -> World:
    """Clicks every ten minutes around a day on which clocks change."""
    start = date.fromisoformat(day) - timedelta(days=8)
    world = World(home, without_history(declared("Europe/Berlin", start, every=each, known=known)))
    midnight = datetime.fromisoformat(day).replace(tzinfo=BERLIN).astimezone(UTC)
    return world.arrive(every(10 * MINUTE, midnight - 4 * DAY, midnight + 4 * DAY), [])


@pytest.mark.slow
@CHANGING
@EVERY
def test_each_event_of_a_day_on_which_clocks_change_counts_once(day: str, every_: Every, tmp_path: Path) -> None:
    hours, before = CHANGES[day]
    world = berlin(tmp_path, day, each=every_)
    evaluation, training = world.make(before, SHORT), world.make(day)
    for made, wanted in ((evaluation, [day]), (training, sorted(days_of(training, "Europe/Berlin")))):
        of_hour = made.rows.groupby(made.rows["at"].dt.floor("h")).size()
        assert (of_hour == 6).all()
        assert made.rows["click"].is_unique
        assert days_of(made, "Europe/Berlin") == {one: 6 * (hours if one == day else 24) for one in wanted}
        assert world.verify(made).passed
    # The model's next evaluation begins where this one ends.
    following = world.make(day, SHORT)
    assert following.clicks[0] == evaluation.clicks[-1] + 1


@pytest.mark.slow
@CHANGING
def test_each_event_of_an_hour_that_clocks_change_is_in_one_partition(day: str, tmp_path: Path) -> None:
    world = berlin(tmp_path, day, each="hour")
    calendar = world.model.exposures.partitions
    dagster = partitions_definition(calendar)
    midnight = datetime.fromisoformat(day).replace(tzinfo=BERLIN).astimezone(UTC)
    hours, _ = CHANGES[day]
    for row in every(10 * MINUTE, midnight, midnight + hours * HOUR):
        keys = [calendar.key(index) for index in range(calendar.length or 0) if row["at"] in calendar.interval(index)]
        assert keys == [calendar.key(calendar.index(row["at"]))]
        window = dagster.time_window_for_partition_key(keys[0])
        assert window.start.astimezone(UTC) <= row["at"] < window.end.astimezone(UTC)


HOURLY = {"2026-10-25": range(6), "2026-03-29": range(-1, 4)}


def hourly(world: World) -> World:
    """A model of each hour, judged by the hour after it."""
    model = world.model
    world.model = replace(
        model,
        training=Training(Duration(3, "h"), Duration(0, "h"), Duration(1, "h")),
        evaluation=Evaluation(Duration(1, "h"), (SHORT,)),
        calendar=model.exposures.partitions,
    )
    return world


@pytest.mark.slow
@CHANGING
def test_the_hours_around_a_change_of_clocks_judge_one_model_each(day: str, tmp_path: Path) -> None:
    world = hourly(berlin(tmp_path, day, each="hour"))
    calendar = world.model.partitions
    first = calendar.index(datetime.fromisoformat(day).replace(tzinfo=BERLIN).astimezone(UTC))
    made = [world.make(calendar.key(first + hour), SHORT) for hour in HOURLY[day]]
    assert [len(one.rows) for one in made] == [6] * len(made)
    clicks = [number for one in made for number in one.clicks]
    assert clicks == list(range(clicks[0], clicks[0] + 6 * len(made)))
    assert all(world.verify(one).passed for one in made)


def by_wall_clock(model: Model, index: int, horizon: Duration | None) -> Windows:
    """Of two hours of one name, the first."""
    name = model.partitions.key(index)[:16]
    while model.partitions.key(index - 1)[:16] == name:
        index -= 1
    return windows_of(model, index, horizon)


@pytest.mark.slow
def test_an_hour_that_is_taken_for_the_one_before_it_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = hourly(berlin(tmp_path, "2026-10-25", each="hour"))
    first, second = "2026-10-25-02:00+0200", "2026-10-25-02:00+0100"
    reading(by_wall_clock)(monkeypatch)
    assert world.make(first, SHORT).clicks == world.make(second, SHORT).clicks
    assert world.verify(world.make(first, SHORT)).passed
    verdict = world.verify(world.make(second, SHORT))
    assert verdict.leaks == {"the exposure is before 2026-10-25T02:00:00+00:00": 6}
    assert "2026-10-25T02:00:00" in str(verdict)
    # Training takes the hours before, among them one that it should not reach back to.
    assert world.verify(world.make(second)).leaks == {"the exposure is before 2026-10-24T23:00:00+00:00": 6}


def days_of_24_hours(model: Model, index: int, horizon: Duration | None) -> Windows:
    """As if each day had 24 hours from its beginning on."""
    windows = windows_of(model, index, horizon)
    error = model.partitions.interval(index).start + DAY - windows.cutoff
    return replace(
        windows,
        cutoff=windows.cutoff + error,
        exposures=Interval(windows.exposures.start + error, windows.exposures.end + error),
        outcomes=Interval(windows.outcomes.start + error, windows.outcomes.end + error),
    )


@pytest.mark.slow
@CHANGING
@EVERY
@STEPS
def test_a_day_that_is_taken_to_have_24_hours_is_caught(
    day: str, every_: Every, horizon: Duration | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = berlin(tmp_path, day, each=every_)
    reading(days_of_24_hours)(monkeypatch)
    # An hour too early, or an hour too late.
    assert list(world.verify(world.make(day, horizon), reads=[]).leaks.values()) == [6]
    assert world.verify(world.make(CHANGES[day][1], horizon)).passed


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False], ids=["known", "not known"])
def test_an_hour_that_was_filed_into_both_partitions_of_its_name_counts_once(known: bool, tmp_path: Path) -> None:
    """By a log that files by the wall clock: few rows are taken for dirt, many are refused."""
    world = berlin(tmp_path, "2026-10-25", each="hour", known=known)
    log, calendar = world.model.exposures, world.model.exposures.partitions
    start = datetime(2026, 10, 25, 0, tzinfo=UTC)
    both = ["2026-10-25-02:00+0200", "2026-10-25-02:00+0100"]
    honest = world.make("2026-10-24", SHORT).rows
    for key, other in zip(both, both[::-1], strict=True):
        clicks = [row for row in honest.to_dict("records") if row["at"] in calendar.interval(calendar.index_of(other))]
        world.file(log, key, [click(row["click"], row["at"]) for row in clicks[:5]])
    assert_frame_equal(world.make("2026-10-24", SHORT).rows, honest)
    for key in both:
        world.file(log, key, every(MINUTE, start, start + 2 * HOUR))
    with pytest.raises(EventLogError, match=r"65 of 131 rows in partition 2026-10-25-02:00\+0200"):
        world.make("2026-10-24", SHORT)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "needs"),
    [
        ("2026-10-23", ["2026-10-24", "2026-10-25"]),
        ("2026-10-24", ["2026-10-25", "2026-10-26"]),
        ("2026-03-26", ["2026-03-27", "2026-03-28"]),
        ("2026-03-27", ["2026-03-28", "2026-03-29", "2026-03-30"]),
        ("2026-03-28", ["2026-03-29", "2026-03-30"]),
    ],
)
def test_where_a_day_has_23_hours_a_horizon_of_24_reaches_one_partition_more(
    key: str, needs: list[str], tmp_path: Path
) -> None:
    day = "2026-03-29" if key < "2026-04" else "2026-10-25"
    world = berlin(tmp_path, day, each="day", known=False)
    end = datetime.fromisoformat(needs[0]).replace(tzinfo=BERLIN).astimezone(UTC) + (
        CHANGES.get(needs[0], (24,))[0] * HOUR
    )
    shown = end - 10 * MINUTE
    clicks = [click(1, shown), click(2, shown)]
    sales = [sale(1, shown + DAY - MICROSECOND), sale(2, shown + DAY)]
    made = world.arrive(clicks, sales).make(key, SHORT)
    assert made.labels == {1: 1, 2: 0}
    assert next(list(read.partitions) for read in made.reads if read.role == "outcomes") == needs
    assert world.verify(made).passed
