"""What may be declared, and how anything else is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ml_assets.domain.durations import Duration
from ml_assets.domain.errors import SpecError
from ml_assets.domain.event_log import Columns, EventLog, Marker
from ml_assets.domain.history import Feature, History
from ml_assets.domain.spec import Join, Model
from ml_assets.domain.windows import evaluation_windows, needed

MakeLog = Callable[..., EventLog]
MakeModel = Callable[..., Model]
BY_ID = Join(("impression_id",), by_id=True)


@pytest.mark.parametrize(
    ("columns", "key", "value", "right"),
    [
        ({"key": ()}, "columns.key", [], "at least one column"),
        ({"key": ("id", "id")}, "columns.key", ["id", "id"], "each once"),
        ({"key": ("id", "ID")}, "columns.key", ["id", "ID"], "each once, whatever its case"),
        ({"key": ("",)}, "columns.key", [""], "each with a name"),
        ({"key": (" ",)}, "columns.key", [" "], "each with a name"),
        ({"key": ("id",), "known": ""}, "columns.known", "", "the name of a column"),
        ({"key": ("id",), "known": "known", "deleted": " "}, "columns.deleted", " ", "the name of a column"),
        ({"key": ("id",), "known": "known", "deleted": "ID"}, "columns.deleted", "ID", "a boolean column of its own"),
        ({"key": ("id",), "deleted": "gone"}, "columns.deleted", "gone", "a log with columns.known"),
    ],
)
def test_wrong_columns_are_refused(columns: dict[str, Any], key: str, value: object, right: str) -> None:
    with pytest.raises(SpecError) as refusal:
        Columns("event_time", **columns)
    assert key in str(refusal.value)
    assert repr(value) in str(refusal.value)
    assert right in str(refusal.value)


@pytest.mark.parametrize(
    ("fields", "key", "value", "expected"),
    [
        ({"key": "impressions"}, "key", "impressions", "<service>/<name>"),
        ({"key": "ads/web/impressions"}, "key", "ads/web/impressions", "<service>/<name>"),
        ({"key": "ads/web-impressions"}, "key", "ads/web-impressions", "letters, digits and underscores"),
        ({"key": "広告/表示"}, "key", "広告/表示", "letters, digits and underscores"),
        ({"location": "/mnt/impressions"}, "location", "/mnt/impressions", "below the root of event logs"),
        *(
            ({"location": location}, "location", location, "a folder below the root of event logs")
            for location in (
                *("ads/../../etc", "ads/..", "s3://bucket/x", "shop/*", "ads/x?", "ads/[ab]", "{ads,web}/x", "C:/ads"),
                *("~/ads", "ads//x", "./ads", "ads/.", "ads\\x", "ads/x\ny", " ads", "x" * 300, "ads/x/ ", "ads/\0"),
            )
        ),
        *(
            ({"timezone": zone}, "partitions.timezone", zone, "an IANA name such as Asia/Tokyo or UTC")
            for zone in ("localtime", "Factory", "posix/UTC", "right/UTC", "posixrules", "Tokyo", "")
        ),
        ({"key": f"ads/{'x' * 101}"}, "key", f"ads/{'x' * 101}", "at most 100 letters before the slash and after"),
        ({"lookahead": "20001d"}, "lookahead", "20001d", "at most 20000 partitions, one each day"),
        ({"every": "hour", "lookahead": "900d"}, "lookahead", "900d", "at most 20000 partitions, one each hour"),
    ],
)
def test_an_event_log_that_cannot_be_is_refused(
    make_log: MakeLog, fields: dict[str, Any], key: str, value: object, expected: str
) -> None:
    with pytest.raises(SpecError) as refusal:
        make_log(**fields)
    assert (refusal.value.key, refusal.value.value) == (key, value)
    assert expected in refusal.value.expected


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a\\b", "*", "x?", " ", "_SUCCESS ", "a\nb", "x" * 256, "\0"])
def test_a_marker_that_is_not_the_name_of_one_file_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match="^arrival.marker: .* is not accepted; the name of a file in each partition's"):
        Marker(name)


@pytest.mark.parametrize(
    "location",
    ["ads/impressions", "impressions", "ads/v1..2", "a/b/c", "ads/", "raw/ads clicks", "広告/表示", "a=b/x~"],
)
def test_any_folder_below_the_root_is_a_location(make_log: MakeLog, location: str) -> None:
    assert make_log(location=location).location == location


@pytest.mark.parametrize("owners", [("team:a", "team:a"), ("a@b.c",), ("me",), ("team:",)])
def test_owners_are_those_that_dagster_knows_each_once(make_model: MakeModel, owners: tuple[str, ...]) -> None:
    with pytest.raises(SpecError, match="^owners: "):
        replace(make_model(), owners=owners)


@pytest.mark.parametrize("by", [(), ("",), ("a", "a"), ("a", "A")])
def test_the_columns_of_a_history_have_names_each_once(make_log: MakeLog, by: tuple[str, ...]) -> None:
    with pytest.raises(SpecError, match="^history.by: .* at least one column, each with a name, and each once"):
        History(make_log(), Duration(1, "d"), by, {"rows": Feature("count", None)})


@pytest.mark.parametrize("columns", [("id", "id"), ("id", "ID"), (" ",)])
def test_the_columns_of_a_join_have_names_each_once(columns: tuple[str, ...]) -> None:
    with pytest.raises(SpecError, match="^join.id: .* at least one column, each with a name, and each once"):
        Join(columns, by_id=True)


@pytest.mark.parametrize("by_id", [True, False])
def test_a_join_needs_a_column(by_id: bool) -> None:
    with pytest.raises(SpecError, match=r"^join.(id|entity): \[\] is not accepted; at least one column"):
        Join((), by_id=by_id)


@pytest.mark.parametrize(
    ("fields", "key", "value", "expected"),
    [
        ({"name": "cvr"}, "name", "cvr", "such as ads/cvr"),
        ({"name": f"ads/{'x' * 300}"}, "name", f"ads/{'x' * 300}", "at most 100 letters before the slash and after"),
        ({"join": Join(("Label",), by_id=True)}, "exposures", "Label", "another name for it: labelling adds label, "),
        ({"same_log": True, "join": BY_ID}, "join.id", ["impression_id"], "join it by entity"),
        ({"outcomes": {"timezone": "UTC"}, "timezone": "Asia/Tokyo"}, "outcomes", "ads/conversions", "Asia/Tokyo"),
        ({"outcomes": {"every": "week"}}, "outcomes", "ads/conversions", "one partition each day, as the model has, or finer"),
        ({"every": "hour", "outcomes": {"every": "day"}}, "outcomes", "ads/conversions", "each hour, as the model has, or finer"),
        (
            {"every": "week", "training": ("4w", "0d", "7d"), "outcomes": {"start": "2026-01-02"}},
            "outcomes",
            "ads/conversions",
            "weeks begin on the weekday of 2026-01-01",
        ),
        ({"training": ("36h", "0d", "1d")}, "training.window", "36h", "a whole number of partitions, which are one each day"),
        ({"training": ("48h", "0d", "1d")}, "training.window", "48h", "one each day"),
        ({"training": ("28d", "12h", "1d")}, "training.gap", "12h", "one each day"),
        ({"evaluation": ("12h", "7d")}, "evaluation.window", "12h", "one each day"),
        ({"every": "week", "training": ("10d", "0d", "7d")}, "training.window", "10d", "one each week"),
        ({"every": "hour", "training": ("90m", "0d", "1h")}, "training.window", "90m", "one each hour"),
        ({"training": ("7d", "0d", "7d")}, "training.window", "7d", "window + gap must exceed the attribution (7d)"),
        ({"training": ("5d", "1d", "6d")}, "training.window", "5d", "no example is mature"),
        ({"evaluation": ("1d",)}, "evaluation.horizons", [], "at least one horizon, such as [7d]"),
        ({"evaluation": ("1d", "24h", "7d", "1d")}, "evaluation.horizons", ["24h", "7d", "1d"], "different length"),
        ({"lookahead": "7d"}, "evaluation.horizons", "1d + 7d", "raise that log's lookahead to at least 1d + 7d"),
        ({"evaluation": ("1d", "7d", "30d", "1h"), "lookahead": "30d"}, "evaluation.horizons", "1d + 30d", "ads/conversions"),
        (
            {"evaluation": ("3d", "1d"), "lookahead": "2d", "outcomes": {"lookahead": "4d"}},
            "evaluation.window",
            "3d",
            "further ahead than ads/impressions lists partitions (lookahead 2d)",
        ),
    ],
)  # fmt: skip
def test_a_model_that_cannot_be_is_refused(
    make_model: MakeModel, fields: dict[str, Any], key: str, value: object, expected: str
) -> None:
    with pytest.raises(SpecError) as refusal:
        make_model(**fields)
    assert (refusal.value.key, refusal.value.value) == (key, value)
    assert expected in refusal.value.expected


@pytest.mark.parametrize(
    "fields",
    [
        {"lookahead": "8d"},
        {"training": ("7d", "1d", "7d")},
        {"training": ("4w", "1w", "7d")},
        {"same_log": True},
        {"outcomes": {"every": "hour"}},
        {"every": "week", "training": ("28d", "0d", "7d"), "evaluation": ("1w", "7d"), "outcomes": {"every": "day"}},
        {
            "every": "week",
            "training": ("4w", "0d", "7d"),
            "evaluation": ("7d", "7d"),
            "outcomes": {"start": "2026-01-08"},
        },
        {"every": "hour", "training": ("1d", "120m", "30m"), "evaluation": ("1h", "30m", "1h")},
    ],
)
def test_a_model_that_keeps_the_rules_is_accepted(make_model: MakeModel, fields: dict[str, Any]) -> None:
    assert make_model(**fields).service == "ads"


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
    ("engine", "key", "value", "expected"),
    [
        ("flink", "engine", "flink", "duckdb or spark"),
        ({"training_data": "flink"}, "engine.training_data", "flink", "duckdb or spark"),
        ({"model": "spark"}, "engine", "model", "training_data or evaluation_data"),
        (["spark"], "engine", ["spark"], "duckdb or spark, or one by step"),
    ],
)
def test_an_engine_that_there_is_not_is_refused(
    make_model: MakeModel, engine: Any, key: str, value: object, expected: str
) -> None:
    with pytest.raises(SpecError) as refusal:
        replace(make_model(), engine=engine)
    assert (refusal.value.key, refusal.value.value) == (key, value)
    assert expected in refusal.value.expected


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
