"""What follows from a model's declaration: its first partition, its assets, its start."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.errors import SpecError
from ml_assets.domain.windows import evaluation_windows, needed

MakeLog = Callable[..., EventLog]
MakeModel = Callable[..., Model]


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        ({"training": ("28d", "0d", "7d")}, "2026-01-28"),
        ({"training": ("28d", "2d", "7d")}, "2026-01-30"),
        ({"training": ("4w", "0d", "7d"), "outcomes": {"start": "2026-02-01"}}, "2026-02-28"),
        ({"training": ("28d", "0d", "7d"), "outcomes": {"start": "2025-01-01"}}, "2026-01-28"),
        ({"training": ("1d", "0d", "1h"), "timezone": "Asia/Tokyo"}, "2026-01-01"),
        ({"every": "week", "training": ("4w", "0d", "7d"), "evaluation": ("1w", "7d")}, "2026-01-22"),
        ({"every": "hour", "training": ("1d", "2h", "1h"), "evaluation": ("1h", "1h")}, "2026-01-02-01:00+0000"),
        ({"training": ("28d", "0d", "7d"), "start": "2018-11-04", "timezone": "America/Sao_Paulo"}, "2018-12-01"),
    ],
)
def test_the_first_partition_is_the_first_whose_training_window_lies_inside_the_logs(
    make_model: MakeModel, fields: dict[str, Any], first: str
) -> None:
    model = make_model(**fields)
    assert model.partitions.key(model.first_index) == first


@pytest.mark.parametrize(
    ("every", "lookahead", "ahead"),
    [("day", "8d", 9), ("day", "1h", 2), ("hour", "2d", 49), ("hour", "30m", 2), ("week", "2w", 3), ("week", "15d", 4)],
)
def test_partitions_ahead_are_one_more_than_the_lookahead_holds(
    make_log: MakeLog, every: str, lookahead: str, ahead: int
) -> None:
    assert make_log(every=every, lookahead=lookahead).partitions_ahead == ahead


@given(
    every=st.sampled_from(["hour", "day"]),
    zone=st.sampled_from(["America/New_York", "America/Sao_Paulo", "Asia/Tokyo"]),
    day=st.dates(date(2017, 1, 1), date(2018, 12, 1)),
    minutes=st.integers(0, 24 * 60 - 1),
    window=st.integers(1, 3),
    hours=st.integers(1, 200),
)
@example(every="day", zone="America/New_York", day=date(2017, 3, 12), minutes=300, window=1, hours=72)
@settings(max_examples=60)
def test_a_lookahead_of_window_and_horizon_lists_all_that_the_newest_partition_is_judged_by(
    make_model: MakeModel, every: str, zone: str, day: date, minutes: int, window: int, hours: int
) -> None:
    model = make_model(
        training=("2d", "0d", "1h"),
        evaluation=(f"{window}d", f"{hours}h"),
        lookahead=f"{24 * window + hours}h",
        start="2017-01-01",
        timezone=zone,
        outcomes={"every": every},
    )
    as_of = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=2, minutes=minutes)
    newest = model.partitions.index(as_of) - 1
    for key, indices in needed(model, evaluation_windows(model, newest, Duration(hours, "h"))).items():
        log = next(log for log in model.logs if log.key == key)
        assert indices.stop <= log.partitions.index(as_of) + log.partitions_ahead


def test_assets_are_named_after_the_model_the_step_and_the_horizon(make_model: MakeModel) -> None:
    model = make_model(name="ads/cvr")
    assert model.asset("training_data") == "ads/cvr/training_data"
    assert model.asset("metrics", Duration(7, "d")) == "ads/cvr/metrics_7d"


def test_a_model_on_one_log_reads_it_once_and_has_its_partitions(make_model: MakeModel) -> None:
    one, two = make_model(same_log=True), make_model()
    assert [log.key for log in one.logs] == ["ads/impressions"]
    assert [log.key for log in two.logs] == ["ads/impressions", "ads/conversions"]
    assert two.partitions == two.exposures.partitions
    assert two.exposures.service == "ads"


def test_an_engine_is_declared_for_all_steps_or_by_step_and_changes_no_declaration(make_model: MakeModel) -> None:
    plain = make_model()
    large, mixed = (replace(plain, engine=engine) for engine in ("spark", {"training_data": "spark"}))
    steps = ("training_data", "model", "evaluation_data", "metrics")
    assert [plain.engine_of(step) for step in steps] == ["duckdb"] * 4
    # The others read no logs.
    assert [large.engine_of(step) for step in steps] == ["spark", "duckdb", "spark", "duckdb"]
    assert [mixed.engine_of(step) for step in steps] == ["spark", "duckdb", "duckdb", "duckdb"]
    for step, horizon in plain.steps:
        assert large.declaration_of(step, horizon) == plain.declaration_of(step, horizon)


@pytest.mark.parametrize(
    ("start", "first"),
    [(None, "2026-01-28"), ("2026-01-05", "2026-01-28"), ("2026-01-28", "2026-01-28"), ("2026-03-01", "2026-03-01")],
)
def test_a_model_begins_at_its_start_and_not_before_it_can_be_trained(
    make_model: MakeModel, start: str | None, first: str
) -> None:
    model = replace(make_model(), start=date.fromisoformat(start) if start else None)
    assert model.partitions.key(model.first_index) == first


def test_a_start_within_a_week_leaves_that_week_out(make_model: MakeModel) -> None:
    model = make_model(every="week", training=("4w", "0d", "7d"), evaluation=("1w", "7d"), start="2026-01-01")
    begun = {day: replace(model, start=date(2026, 3, day)) for day in (5, 6)}
    assert {day: one.partitions.key(one.first_index) for day, one in begun.items()} == {
        5: "2026-03-05",
        6: "2026-03-12",
    }


def test_the_hours_of_a_model_begin_at_the_midnight_of_its_start(make_model: MakeModel) -> None:
    model = make_model(
        every="hour", training=("6h", "0d", "1h"), evaluation=("1h", "1h"), timezone="Asia/Tokyo", start="2026-01-01"
    )
    begun = replace(model, start=date(2026, 2, 3))
    assert begun.partitions.key(begun.first_index) == "2026-02-03-00:00+0900"


@pytest.mark.parametrize(
    ("start", "right"),
    [(date(2025, 12, 31), "from 2026-01-01 to before 2026-06-01"), (date(2026, 6, 1), "to before 2026")],
)
def test_a_start_outside_of_the_partitions_is_refused(make_model: MakeModel, start: date, right: str) -> None:
    with pytest.raises(
        SpecError, match=rf"^start: '{start}' is not accepted; a local date within the model's.*{right}"
    ):
        replace(make_model(end="2026-06-01"), start=start)


def test_results_do_not_depend_on_a_start(make_model: MakeModel) -> None:
    model = make_model()
    begun = replace(model, start=date(2026, 3, 1))
    assert [begun.declaration_of(*step) for step in begun.steps] == [
        model.declaration_of(*step) for step in model.steps
    ]


@given(
    every=st.sampled_from(["hour", "day", "week"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia", "America/New_York"]),
    start=st.dates(date(2011, 1, 1), date(2012, 6, 1)),
    window=st.integers(1, 40),
    gap=st.integers(0, 3),
)
@settings(max_examples=60)
def test_the_first_trainable_partition_is_the_first_whose_windows_lie_inside(
    make_model: MakeModel, every: str, zone: str, start: date, window: int, gap: int
) -> None:
    unit = {"hour": "h", "day": "d", "week": "w"}[every]
    model = make_model(
        every=every,
        timezone=zone,
        start=start.isoformat(),
        training=(f"{window}{unit}", f"{gap}{unit}", "5m"),
        evaluation=(f"1{unit}", "1h"),
    )
    calendar = model.partitions
    fits = [model.training_start(calendar.interval(index).end) >= calendar.origin for index in range(window + gap + 60)]
    assert model.first_trainable == fits.index(True)
