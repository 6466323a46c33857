"""A wrong event log is refused with its path, key, value and what would be right."""

from pathlib import Path

import dagster as dg
import pytest

from ml_assets.declarations.of_project import event_logs
from ml_assets.domain.declared.event_log import Watermark
from tests.components.declared import LOG, MODEL, OUTCOMES, assert_refused, changed, load, refusal


def test_right_files_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    definitions = load(tmp_path, "right_team", monkeypatch, LOG, OUTCOMES, MODEL)
    assert dg.AssetKey(["ads", "cvr", "metrics_7d"]) in definitions.resolve_asset_graph().get_all_asset_keys()


LOG_REFUSALS = [
    ("key", "impressions", "write <service>/<name>"),
    ("location", "/data/ads", "a folder below the root of event logs"),
    ("partitions.every", "minute", "'hour', 'day' or 'week'"),
    ("partitions.start", "soon", 'write a local date such as "2026-01-01"'),
    ("partitions.end", "2025-01-01", "2026-01-02 or later"),
    ("partitions.timezone", "Tokyo", "an IANA name such as Asia/Tokyo"),
    ("lookahead", "8 days", "a whole number and a unit"),
    ("columns.key", [], "at least one column"),
    ("columns.tiem", "event_time", "did you mean time? There are time, key, known"),
    ("columns.deleted", "is_deleted", "a log with columns.known: a retraction is an appended row"),
    ("known_delay", "2", "a whole number and a unit"),
    ("restatement", "90 days", "a whole number and a unit"),
    ("retention", "90d", "there is no such key; "),
    ("location", "s3://bucket/x", "a folder below the root of event logs, such as ads/impressions"),
    ("columns.time", "", "the name of a column"),
    ("lookahead", "9999999d", "write at most 36525d, a hundred years"),
    ("lookahead", "20001d", "the longest evaluation window + horizon, at most 20000 partitions, one each day"),
]
QUERY = "select complete_until from load_status where log = 'impressions'"
WATERMARK = {"query": QUERY, "url_variable": "LOAD_STATUS_URL"}
ARRIVAL_REFUSALS = [
    ({"marker": "_SUCCESS", "watermark": WATERMARK}, "arrival: ['marker', 'watermark'] is not accepted; one of"),
    ({"settled": "soon"}, "arrival.settled: 'soon' is not accepted; write a whole number and a unit"),
    ({"settled": 30}, "arrival.settled: 30 is not accepted; write a whole number and a unit"),
    ({"markr": "_SUCCESS"}, "arrival.markr: '_SUCCESS' is not accepted; there is no such key; did you mean marker?"),
    ({"marker": "a/b"}, "arrival.marker: 'a/b' is not accepted; the name of a file"),
    ({"marker": ".."}, "arrival.marker: '..' is not accepted; the name of a file"),
    ({"marker": None}, "arrival.marker: None is not accepted"),
    ({"watermark": None}, "arrival.watermark: None is not accepted"),
    ({"watermark": {}}, "arrival.watermark.query: None is not accepted; the key is required"),
    ({"watermark": {"query": QUERY}}, "arrival.watermark.url_variable: None is not accepted; the key is required"),
    ({"watermark": {"url_variable": "X"}}, "arrival.watermark.query: None is not accepted; the key is required"),
    ({"watermark": {"query": QUERY, "url_varible": "X"}}, "arrival.watermark.url_varible: 'X' is not accepted; there"),
    ({"watermark": {**WATERMARK, "query": " "}}, "arrival.watermark.query: ' ' is not accepted; a query that gives"),
    (
        {"watermark": {**WATERMARK, "query": "select 1; select 2"}},
        "'select 1; select 2' is not accepted; one statement",
    ),
    (
        {"watermark": {**WATERMARK, "query": "drop table x"}},
        "arrival.watermark.query: 'drop table x' is not accepted; a query that only reads: SELECT",
    ),
]
URL = "postgresql://reader:hunter2@warehouse/main"
SECRET_ARRIVALS = [
    (
        {"watermark": {**WATERMARK, "url_variable": URL}},
        "arrival.watermark.url_variable: ",
        "the name of the environment",
    ),
    ({"watermark": {**WATERMARK, "url_variable": [URL]}}, "arrival.watermark.url_variable: ", "a text, in quotes"),
    (
        {"watermark": {**WATERMARK, "url_variable": "host=warehouse password=hunter2"}},
        "arrival.watermark.url_variable: ",
        "such as WAREHOUSE_URL",
    ),
    (
        {"watermark": {"query": QUERY, "url": URL}},
        "arrival.watermark.url: ",
        "there is no such key; There are query, url_variable",
    ),
    ({"watermark": {**WATERMARK, "query": URL + ";" + QUERY}}, "arrival.watermark.query: ", "one statement"),
    ({"watermark": URL}, "arrival.watermark: ", "keys with values"),
]
TABLE = {"name": "analytics.impressions", "url_variable": "WAREHOUSE_URL"}
TABLE_REFUSALS = [
    ({}, "location: None is not accepted; a folder below the root of event logs, or `table` instead"),
    (
        {"table": TABLE, "location": "ads/impressions", "arrival": {"watermark": WATERMARK}},
        "table: 'analytics.impressions' is not accepted; either table or location, which is 'ads/impressions'",
    ),
    ({"table": TABLE}, "arrival: None is not accepted; a watermark: {query: ..., url_variable: ...}"),
    ({"table": TABLE, "arrival": {"marker": "_SUCCESS"}}, "arrival: None is not accepted; a watermark"),
    ({"table": {"name": "x"}}, "table.url_variable: None is not accepted; the key is required"),
    ({"table": {**TABLE, "nam": "x"}}, "table.nam: 'x' is not accepted; there is no such key; did you mean name?"),
    ({"table": {**TABLE, "name": "analytics."}}, "table.name: 'analytics.' is not accepted; the name of a table"),
    ({"table": {**TABLE, "name": "x; drop table y"}}, "table.name: 'x; drop table y' is not accepted; the name of a"),
    ({"table": {**TABLE, "name": '"Shown"'}}, "is not accepted; the name of a table without quotes"),
    ({"table": {**TABLE, "name": "analytics.*"}}, "table.name: 'analytics.*' is not accepted; the name of a table"),
    ({"table": {**TABLE, "url_variable": URL}}, "table.url_variable: '(not shown, as it may hold a password)'"),
    ({"table": {**TABLE, "url": URL}}, "table.url: '(not shown, as it may hold a password)'"),
    ({"table": {**TABLE, "name": URL}}, "table.name: '(not shown, as it may hold a password)'"),
]


@pytest.mark.parametrize(("path", "value", "right"), LOG_REFUSALS, ids=[f"{p}={v}" for p, v, _ in LOG_REFUSALS])
def test_a_wrong_event_log_is_refused_by(
    path: str,
    value: object,
    right: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    package = f"log_team_{LOG_REFUSALS.index((path, value, right))}"
    assert_refused(tmp_path, package, monkeypatch, [changed(LOG, path, value)], "logs", path, value, right)


@pytest.mark.parametrize(("arrival", "words"), ARRIVAL_REFUSALS, ids=[str(arrival) for arrival, _ in ARRIVAL_REFUSALS])
def test_a_wrong_arrival_is_refused_by(
    arrival: dict, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = f"arrival_team_{ARRIVAL_REFUSALS.index((arrival, words))}"
    assert words in refusal(tmp_path, package, monkeypatch, "logs", changed(LOG, "arrival", arrival))


@pytest.mark.parametrize(("arrival", "key", "right"), SECRET_ARRIVALS, ids=[key for _, key, _ in SECRET_ARRIVALS])
def test_a_url_where_the_name_of_its_variable_belongs_is_refused_without_being_shown(
    arrival: dict, key: str, right: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = f"secret_team_{SECRET_ARRIVALS.index((arrival, key, right))}"
    text = refusal(tmp_path, package, monkeypatch, "logs", changed(LOG, "arrival", arrival))
    assert f"{key}'(not shown, as it may hold a password)' is not accepted; " in text
    assert right in text
    assert "hunter2" not in text


@pytest.mark.parametrize("url", [None, "no URL at all"])
def test_the_url_of_a_watermark_is_not_read_while_definitions_load(
    url: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD_STATUS_URL", url) if url else monkeypatch.delenv("LOAD_STATUS_URL", raising=False)
    package = f"watermark_team_{'set' if url else 'unset'}"
    arrival = {"watermark": {**WATERMARK, "query": f"{QUERY};"}}
    load(tmp_path, package, monkeypatch, changed(LOG, "arrival", arrival))
    (log,) = event_logs(dg.ComponentTree.for_project(tmp_path)).values()
    assert log.arrival == Watermark(f"{QUERY};", "LOAD_STATUS_URL")


def test_a_service_may_have_logs_before_it_has_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    definitions = load(tmp_path, "logs_only_team", monkeypatch, LOG)
    (sensor,) = definitions.get_repository_def().sensor_defs
    assert sensor.name == "ads_sensor"


@pytest.mark.parametrize(("given", "words"), TABLE_REFUSALS)
def test_a_table_that_is_declared_wrongly_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict, words: str
) -> None:
    attributes = {key: value for key, value in LOG["attributes"].items() if key != "location"}
    package = f"table_team_{TABLE_REFUSALS.index((given, words))}"
    text = refusal(tmp_path, package, monkeypatch, "logs", {**LOG, "attributes": {**attributes, **given}})
    assert words in text
    assert "hunter2" not in text


def test_a_log_in_a_table_is_loaded_without_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attributes = {key: value for key, value in LOG["attributes"].items() if key != "location"}
    given = {**attributes, "table": TABLE, "arrival": {"watermark": WATERMARK}}
    definitions = load(tmp_path, "right_table", monkeypatch, {**LOG, "attributes": given})
    (asset,) = definitions.resolve_all_asset_specs()
    assert asset.description is not None
    assert asset.description.startswith("Event log in table analytics.impressions")
