"""Event logs and models that cannot be are refused by key, value and what would be right."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ml_assets.domain.declared.event_log import Columns, EventLog, Marker
from ml_assets.domain.declared.history import Feature, History
from ml_assets.domain.declared.spec import Join, Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.errors import SpecError

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
