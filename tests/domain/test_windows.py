"""Which instants a step reads, and which event partitions hold them: the table of windows, with dates."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.domain.calendar import Interval
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration, parse_duration
from ml_assets.domain.windows import evaluation_windows, needed, training_windows, windows_of

MakeModel = Callable[..., Model]


def _horizon(text: str | None) -> Duration | None:
    return parse_duration(text, key="horizon") if text else None


def _local(model: Model, interval: Interval) -> tuple[str, str]:
    """The ends of an interval as a clock in the model's zone shows them."""
    start, end = (moment.astimezone(model.partitions.zone) for moment in (interval.start, interval.end))
    return f"{start:%m-%d %H:%M}", f"{end:%m-%d %H:%M}"


def _spans(model: Model, indices: dict[str, range]) -> dict[str, tuple[str, str]]:
    """The first and the last key that each log needs."""
    calendars = {log.key.removeprefix("ads/"): log.partitions for log in model.logs}
    short = {key.removeprefix("ads/"): part for key, part in indices.items()}
    return {key: (calendars[key].key(part.start), calendars[key].key(part.stop - 1)) for key, part in short.items()}


@pytest.mark.parametrize(
    ("training", "horizon", "exposures", "outcomes"),
    [
        # cutoff(2026-02-28) is 2026-03-01 00:00 in Tokyo.
        (("28d", "0d", "7d"), None, ("02-01 00:00", "03-01 00:00"), ("02-01 00:00", "03-01 00:00")),
        (("28d", "2d", "7d"), None, ("01-30 00:00", "02-27 00:00"), ("01-30 00:00", "03-01 00:00")),
        (("2w", "1w", "7d"), None, ("02-08 00:00", "02-22 00:00"), ("02-08 00:00", "03-01 00:00")),
        (("28d", "2d", "7d"), "6h", ("03-01 00:00", "03-03 00:00"), ("03-01 00:00", "03-03 06:00")),
        (("28d", "2d", "7d"), "7d", ("03-01 00:00", "03-03 00:00"), ("03-01 00:00", "03-10 00:00")),
    ],
)
def test_windows_lie_around_the_cutoff(
    make_model: MakeModel,
    training: tuple[str, str, str],
    horizon: str | None,
    exposures: tuple[str, str],
    outcomes: tuple[str, str],
) -> None:
    model = make_model(training=training, evaluation=("2d", "6h", "7d"), timezone="Asia/Tokyo")
    windows = windows_of(model, model.partitions.index_of("2026-02-28"), _horizon(horizon))
    assert _local(model, windows.exposures) == exposures
    assert _local(model, windows.outcomes) == outcomes
    assert windows.observed_until == windows.outcomes.end


def test_training_counts_outcomes_within_the_attribution_and_evaluation_within_the_horizon(
    make_model: MakeModel,
) -> None:
    model = make_model(training=("28d", "0d", "7d"), evaluation=("1d", "3d"))
    assert training_windows(model, 40).within == timedelta(hours=168)
    assert evaluation_windows(model, 40, Duration(3, "d")).within == timedelta(hours=72)


def test_training_knows_what_was_known_at_the_cutoff_and_evaluation_the_newest(make_model: MakeModel) -> None:
    model = make_model(outcomes={"known_delay": timedelta(hours=6)})
    cutoff = datetime(2026, 2, 10, tzinfo=UTC)
    training = training_windows(model, model.partitions.index_of("2026-02-09"))
    assert training.cutoff == training.known_before(model.exposures) == cutoff
    assert training.known_before(model.outcomes) == cutoff + timedelta(hours=6)
    evaluation = evaluation_windows(model, 40, Duration(7, "d"))
    assert evaluation.known_before(model.outcomes) is None


@pytest.mark.parametrize(
    ("fields", "partition", "horizon", "spans"),
    [
        (
            {"training": ("28d", "2d", "7d")},
            "2026-02-28",
            None,
            {"impressions": ("2026-01-30", "2026-02-26"), "conversions": ("2026-01-30", "2026-02-28")},
        ),
        (
            {},
            "2026-02-28",
            "7d",
            {"impressions": ("2026-03-01", "2026-03-01"), "conversions": ("2026-03-01", "2026-03-08")},
        ),
        (
            {},
            "2026-02-28",
            "1h",
            {"impressions": ("2026-03-01", "2026-03-01"), "conversions": ("2026-03-01", "2026-03-02")},
        ),
        ({"same_log": True}, "2026-02-28", "7d", {"impressions": ("2026-03-01", "2026-03-08")}),
        ({"same_log": True, "training": ("28d", "2d", "7d")}, "2026-02-28", None, {"impressions": ("2026-01-30", "2026-02-28")}),
        (
            {"outcomes": {"every": "hour"}, "timezone": "Asia/Kathmandu"},
            "2026-02-28",
            "90m",
            {
                "impressions": ("2026-03-01", "2026-03-01"),
                "conversions": ("2026-03-01-00:00+0545", "2026-03-02-01:00+0545"),
            },
        ),
        (
            {"every": "week", "training": ("4w", "1w", "7d"), "evaluation": ("1w", "7d"), "outcomes": {"every": "day"}},
            "2026-02-05",
            None,
            {"impressions": ("2026-01-08", "2026-01-29"), "conversions": ("2026-01-08", "2026-02-11")},
        ),
    ],
)  # fmt: skip
def test_a_window_needs_the_partitions_that_it_reaches_into(
    make_model: MakeModel,
    fields: dict[str, Any],
    partition: str,
    horizon: str | None,
    spans: dict[str, tuple[str, str]],
) -> None:
    model = make_model(**fields)
    windows = windows_of(model, model.partitions.index_of(partition), _horizon(horizon))
    assert _spans(model, needed(model, windows)) == spans


@pytest.mark.parametrize(
    ("partition", "end", "last"),
    [
        ("2017-03-05", "03-10 00:00", "2017-03-09"),
        ("2017-03-09", "03-14 01:00", "2017-03-14"),  # the clocks go forward on 2017-03-12
        ("2017-03-11", "03-16 00:00", "2017-03-15"),  # within the evaluation window, which is one calendar day
        ("2017-11-03", "11-07 23:00", "2017-11-07"),  # the clocks go back on 2017-11-05
    ],
)
def test_a_horizon_of_elapsed_time_reaches_into_one_partition_more_in_spring(
    make_model: MakeModel, partition: str, end: str, last: str
) -> None:
    model = make_model(evaluation=("1d", "3d"), start="2017-01-01", timezone="America/New_York")
    windows = evaluation_windows(model, model.partitions.index_of(partition), Duration(3, "d"))
    assert _local(model, windows.outcomes)[1] == end
    assert _spans(model, needed(model, windows))["conversions"][1] == last


@st.composite
def specifications(draw: st.DrawFn) -> dict[str, Any]:
    """Fields of models with all kinds of calendars, windows and gaps, near changes of the clocks."""
    every = draw(st.sampled_from(["hour", "day", "week"]))
    unit = draw(st.sampled_from(["h", "d"] if every == "hour" else [every[0]]))
    window, gap, judged = draw(st.integers(2, 6)), draw(st.integers(0, 3)), draw(st.integers(1, 3))
    finer = {"hour": ["hour"], "day": ["hour", "day"], "week": ["hour", "day", "week"]}[every]
    fields: dict[str, Any] = {
        "every": every,
        "start": str(draw(st.dates(date(2018, 10, 20), date(2018, 11, 20)))),
        "timezone": draw(st.sampled_from(["America/New_York", "America/Sao_Paulo", "Europe/Berlin", "Asia/Kathmandu"])),
        "training": (f"{window}{unit}", f"{gap}{unit}", draw(st.sampled_from(["1h", "90m"]))),
        "evaluation": (f"{judged}{unit}", draw(st.sampled_from(["30m", "6h", "3d", "1w"]))),
    }
    if draw(st.booleans()):
        return {**fields, "same_log": True}
    return {**fields, "outcomes": {"every": draw(st.sampled_from(finer))}}


@given(specifications(), st.integers(0, 30))
@settings(max_examples=100)
def test_training_and_evaluation_never_share_an_exposure_and_meet_at_the_cutoff(
    make_model: MakeModel, fields: dict[str, Any], later: int
) -> None:
    model = make_model(**fields)
    index, horizon = model.first_index + later, model.evaluation.horizons[0]
    training, evaluation = training_windows(model, index), evaluation_windows(model, index, horizon)
    cutoff = model.partitions.interval(index).end
    assert training.exposures.start < training.exposures.end <= cutoff == evaluation.exposures.start
    assert training.outcomes == Interval(training.exposures.start, cutoff)
    assert evaluation.outcomes == Interval(cutoff, evaluation.exposures.end + horizon.elapsed)
    assert training.exposures.start >= max(log.partitions.origin for log in model.logs)


@given(specifications(), st.integers(0, 30))
@settings(max_examples=100)
def test_windows_of_days_and_weeks_begin_and_end_where_partitions_do(
    make_model: MakeModel, fields: dict[str, Any], later: int
) -> None:
    model = make_model(**fields)
    index = model.first_index + later
    exposures = [windows_of(model, index, h).exposures for h in (None, model.evaluation.horizons[0])]
    for edge in (edge for interval in exposures for edge in (interval.start, interval.end)):
        assert model.partitions.interval(model.partitions.index(edge)).start == edge


@given(specifications(), st.integers(0, 30), st.booleans())
@settings(max_examples=100)
def test_exactly_the_partitions_that_a_window_touches_are_needed(
    make_model: MakeModel, fields: dict[str, Any], later: int, training: bool
) -> None:
    model = make_model(**fields)
    windows = windows_of(model, model.first_index + later, None if training else model.evaluation.horizons[0])
    found = needed(model, windows)
    assert list(found) == [log.key for log in model.logs]
    for log in model.logs:
        read = [windows.exposures] if log is model.exposures else []
        read += [windows.outcomes] if log is model.outcomes else []
        around = log.partitions.index(windows.exposures.start), log.partitions.index(windows.outcomes.end)
        candidates = range(around[0] - 2, around[1] + 3)
        assert list(found[log.key]) == [i for i in candidates if _touches(log.partitions.interval(i), read)]


def _touches(partition: Interval, intervals: Iterable[Interval]) -> bool:
    return any(max(part.start, partition.start) < min(part.end, partition.end) for part in intervals)
