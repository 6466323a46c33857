"""Days of another time zone, and hours that clocks repeat or leave out: each event counts once, in its own partition."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pandas.testing import assert_frame_equal

from ml_assets.data.engines.engine import EventLogError
from ml_assets.domain.calendar import Every, Interval
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.spec import Evaluation, Model, Training
from ml_assets.domain.durations import Duration
from ml_assets.domain.windows import Windows, windows_of
from ml_assets.orchestration.partitions import partitions_definition
from tests.loops.leaks import (
    DAY,
    HOUR,
    MICROSECOND,
    SHORT,
    D,
    Made,
    Row,
    World,
    click,
    declared,
    every,
    reading,
    sale,
    without_history,
)

MINUTE = timedelta(minutes=1)


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


ZONES = pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "America/New_York"])
STEPS = pytest.mark.parametrize("horizon", [None, SHORT], ids=["training", "evaluation"])


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
