"""A wrong defs.yaml is refused with its path, key, value and what would be right."""

import traceback
from pathlib import Path

import dagster as dg
import pytest
import yaml

from ml_assets.components import EvaluatedModel
from ml_assets.declarations.of_project import event_logs
from ml_assets.definitions import build_definitions
from ml_assets.domain.event_log import Watermark
from tests.support.projects import REPOSITORY

LOG = {
    "type": "ml_assets.EventLog",
    "attributes": {
        "key": "ads/impressions",
        "location": "ads/impressions",
        "partitions": {"every": "day", "start": "2026-01-01", "timezone": "Asia/Tokyo"},
        "lookahead": "8d",
        "columns": {"time": "event_time", "key": ["impression_id"]},
    },
}
OUTCOMES = {**LOG, "attributes": {**LOG["attributes"], "key": "ads/conversions", "location": "ads/conversions"}}
MODEL = {
    "type": "ml_assets.EvaluatedModel",
    "attributes": {
        "name": "ads/cvr",
        "exposures": "ads/impressions",
        "outcomes": "ads/conversions",
        "join": {"id": ["impression_id"]},
        "training": {"window": "28d", "attribution": "7d"},
        "evaluation": {"window": "1d", "horizons": ["1d", "7d"]},
        "notebooks": {},
        "config": {"features": ["device"]},
    },
}


def load(tmp_path: Path, package: str, monkeypatch: pytest.MonkeyPatch, *documents: dict) -> dg.Definitions:
    """Load a project whose logs are in one file and whose models in others."""
    logs = [document for document in documents if document["type"].endswith("EventLog")]
    folders = {"logs": logs, **{f"model_{i}": [d] for i, d in enumerate(documents) if d not in logs}}
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{package}"\n'
    )
    for folder, content in folders.items():
        path = tmp_path / package / "defs" / folder / "defs.yaml"
        path.parent.mkdir(parents=True)
        path.write_text("---\n".join(yaml.safe_dump(document) for document in content))
    (tmp_path / package / "__init__.py").touch()
    (tmp_path / "notebooks").symlink_to(REPOSITORY / "notebooks")
    monkeypatch.syspath_prepend(tmp_path)
    return build_definitions(dg.ComponentTree.for_project(tmp_path))


def changed(document: dict, path: str, value: object) -> dict:
    """A copy of a document with another value at a dotted path."""
    copy = yaml.safe_load(yaml.safe_dump(document))
    at = copy["attributes"]
    *parents, last = path.split(".")
    for key in parents:
        at = at[key]
    at[last] = value
    return copy


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
MODEL_REFUSALS = [
    ("kubernetes", {"memory": "4GB"}, "kubernetes.memory"),
    ("kubernetes", {"steps": {"train": {}}}, "kubernetes.steps.train"),
    ("name", "cvr", "write <service>/<name>"),
    ("exposures", "ads/impresions", "did you mean ads/impressions?"),
    ("outcomes", "ads/sales", "the key of an event log"),
    ("join", {}, "either {id: [columns]} or {entity: [columns]}"),
    ("join", {"id": ["a"], "entity": ["b"]}, "either {id: [columns]} or {entity: [columns]}"),
    ("training.window", "28", "a whole number and a unit"),
    ("training.window", "36h", "a whole number of partitions"),
    ("training.window", "7d", "window + gap must exceed the attribution"),
    (
        "training",
        {"windw": "28d", "attribution": "7d"},
        "windw: '28d' is not accepted; there is no such key; did you mean window?",
    ),
    ("training", {"attribution": "7d"}, "training.window: None is not accepted; the key is required"),
    ("training.atribution", "7d", "did you mean attribution? There are window, attribution, gap"),
    ("evaluation.horizons", [], "at least one horizon"),
    ("evaluation.horizons", ["7d", "1w"], "horizons of different length"),
    ("evaluation.horizons", ["30d"], "raise that log's lookahead to at least 1d + 30d"),
    ("notebooks.modle", "notebooks/x.ipynb", "There are training_data, model, evaluation_data, metrics"),
    ("notebooks.model", "notebooks/none.ipynb", "the path of a notebook, from the project's root"),
    ("notebooks.model", "/notebooks/model.ipynb", "a path below the project's root"),
    ("requirements", ["no-such-package>=2"], "here is no no-such-package. Run: "),
    ("requirements", ["pandas=2"], "a requirement as pip takes it"),
    ("variants", {"challenger": {}}, "there is no such key; There are name, exposures"),
    ("start", "2300-01-01", "a local date within the model's partitions"),
    ("owners", ["a@b.c"], "a team such as team:ranking, or an e-mail address"),
    ("partitions_per_run", True, "attributes.partitions_per_run: True is not accepted; a whole number"),
    ("kubernetes", {"cpu": True}, "kubernetes.cpu: True is not accepted"),
    ("kubernetes", {"node_selector": {"gpu": True}}, "kubernetes.node_selector.gpu: True is not accepted; a text"),
    (
        "kubernetes",
        {"node_selector": {"version": 1.1}},
        "kubernetes.node_selector.version: 1.1 is not accepted; a text",
    ),
    (
        "kubernetes",
        {"tolerations": [{"key": "a", "value": True}]},
        "tolerations.value: True is not accepted; a text, in",
    ),
    ("partitions_per_run", 0, "attributes.partitions_per_run: 0 is not accepted; a whole number from 1 on"),
    ("partitions_per_run", -3, "attributes.partitions_per_run: -3 is not accepted; a whole number from 1 on"),
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


@pytest.mark.parametrize(("path", "value", "right"), MODEL_REFUSALS, ids=[f"{p}={v}" for p, v, _ in MODEL_REFUSALS])
def test_a_wrong_model_is_refused_by(
    path: str, value: object, right: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = f"model_team_{MODEL_REFUSALS.index((path, value, right))}"
    documents = [LOG, OUTCOMES, changed(MODEL, path, value)]
    assert_refused(tmp_path, package, monkeypatch, documents, "model_2", path, value, right)


HISTORY = {"log": "ads/impressions", "window": "7d", "by": ["user_id"], "features": {"seen_7d": "count"}}
HISTORY_REFUSALS = [
    ({"log": "ads/impresions"}, "history.log: 'ads/impresions' is not accepted; the key of an event log; did you mean"),
    ({"window": "7"}, "history.window: '7' is not accepted; write a whole number and a unit"),
    ({"windw": "7d"}, "history.windw: '7d' is not accepted; there is no such key; did you mean window?"),
    ({"by": []}, "history.by: [] is not accepted; at least one column"),
    ({"by": [""]}, "history.by: [''] is not accepted; at least one column"),
    ({"features": {"": "count"}}, "history.features: '' is not accepted; the name of a column"),
    ({"features": {"User_Id": "count"}}, "history.features: ['User_Id'] is not accepted; names that differ"),
    ({"by": "user_id"}, "history.by: 'user_id' is not accepted"),
    ({"features": {}}, "history.features: {} is not accepted; at least one feature"),
    (
        {"features": {"n": "median(price)"}},
        "history.features.n: 'median(price)' is not accepted; count, or one of sum,",
    ),
    ({"features": {"n": "count(price)"}}, "history.features.n: 'count(price)' is not accepted; count, or one of"),
    ({"features": {"n": "sum"}}, "history.features.n: 'sum' is not accepted; count, or one of"),
    ({"features": {"n": 7}}, "history.features.n: 7 is not accepted"),
    ({"features": {"label": "count"}}, "history.features: ['label'] is not accepted; names that differ"),
    ({"features": {"Label_Age": "count"}}, "history.features: ['Label_Age'] is not accepted; names that differ"),
]


@pytest.mark.parametrize(("change", "words"), HISTORY_REFUSALS, ids=[str(change) for change, _ in HISTORY_REFUSALS])
def test_a_wrong_history_is_refused_by(
    change: dict, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = f"history_team_{HISTORY_REFUSALS.index((change, words))}"
    model = changed(MODEL, "history", [{**HISTORY, **change}])
    assert words in refusal(tmp_path, package, monkeypatch, "model_2", LOG, OUTCOMES, model)


def test_two_histories_with_one_feature_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = changed(MODEL, "history", [HISTORY, {**HISTORY, "by": ["device"]}])
    text = refusal(tmp_path, "one_name_team", monkeypatch, "model_2", LOG, OUTCOMES, model)
    assert "history.features: ['seen_7d'] is not accepted; names that differ from one another" in text


CALENDAR_REFUSALS = [
    ({"every": "hour"}, "a log with one partition each hour, as the model has, or finer"),
    ({"every": "day", "timezone": "UTC"}, "a log in the time zone of the model, UTC"),
    ({"every": "day", "timezone": "Tokyo"}, "partitions.timezone: 'Tokyo' is not accepted; an IANA name"),
    ({"every": "month"}, "partitions.every: 'month' is not accepted; Input should be 'hour', 'day' or 'week'"),
    ({"start": "2026-01-01"}, "partitions.every: None is not accepted; the key is required"),
    ({"every": "week", "start": "soon"}, "partitions.start: 'soon' is not accepted; write a local date"),
    ({"every": "week", "end": "2026-01-07"}, "partitions.end: '2026-01-07' is not accepted; 2026-01-08 or later"),
    (
        {"every": "week", "evry": "day"},
        "partitions.evry: 'day' is not accepted; there is no such key; did you mean every",
    ),
]


@pytest.mark.parametrize(("partitions", "words"), CALENDAR_REFUSALS, ids=[str(own) for own, _ in CALENDAR_REFUSALS])
def test_wrong_partitions_of_a_model_are_refused_by(
    partitions: dict, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = f"calendar_team_{CALENDAR_REFUSALS.index((partitions, words))}"
    model = changed(MODEL, "partitions", partitions)
    assert words in refusal(tmp_path, package, monkeypatch, "model_2", LOG, OUTCOMES, model)


REPAIR = {"at": "03:00", "lookback": "30d", "budget": "50 runs"}
REPAIR_REFUSALS = [
    ({"att": "03:00"}, "repair.att: '03:00' is not accepted; there is no such key; did you mean at? There are at, loo"),
    ({"at": "3:00"}, "repair.at: '3:00' is not accepted; write a time of day such as \"03:00\", in quotes"),
    ({"at": "25:00"}, "repair.at: '25:00' is not accepted; write a time of day"),
    ({"lookback": "30"}, "repair.lookback: '30' is not accepted; write a whole number and a unit"),
    ({"lookback": "0d"}, "repair.lookback: '0d' is not accepted; write a whole number and a unit"),
    ({"budget": "many"}, "repair.budget: 'many' is not accepted; write a number of runs or a time, such as `50 runs`"),
    ({"budget": "0 runs"}, "repair.budget: '0 runs' is not accepted; write a number of runs or a time"),
    # As YAML reads 10:00 without quotes, and a number of runs without its unit.
    ({"at": 600}, "repair.at: 600 is not accepted; write a time of day"),
    ({"budget": 50}, "repair.budget: 50 is not accepted; write a number of runs"),
]


@pytest.mark.parametrize(("change", "words"), REPAIR_REFUSALS)
def test_a_wrong_repair_is_refused_by(
    change: dict, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key, value), *_ = change.items()
    package = f"repair_team_{key}_{''.join(filter(str.isalnum, str(value)))}"
    model = changed(MODEL, "repair", {**REPAIR, **change})
    assert words in refusal(tmp_path, package, monkeypatch, "model_2", LOG, OUTCOMES, model)


@pytest.mark.parametrize("key", REPAIR)
def test_a_repair_that_lacks_a_key_is_refused_by(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = changed(MODEL, "repair", {name: value for name, value in REPAIR.items() if name != key})
    text = refusal(tmp_path, f"repair_team_without_{key}", monkeypatch, "model_2", LOG, OUTCOMES, model)
    assert f"repair.{key}: None is not accepted; the key is required; there are at, lookback, budget" in text


def test_a_right_repair_is_a_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = changed(MODEL, "repair", REPAIR)
    definitions = load(tmp_path, "repair_team_right", monkeypatch, LOG, OUTCOMES, model)
    (schedule,) = definitions.get_repository_def().schedule_defs
    assert (schedule.name, schedule.cron_schedule) == ("ads__cvr__repair", "0 3 * * *")
    assert schedule.execution_timezone == "Asia/Tokyo"


def refusal(tmp_path: Path, package: str, monkeypatch: pytest.MonkeyPatch, folder: str, *documents: dict) -> str:
    """All that is shown of the error, which names the file in `folder`."""
    with pytest.raises(Exception) as error:
        load(tmp_path, package, monkeypatch, *documents)
    text = "".join(traceback.format_exception(error.value))
    assert f"{Path(package) / 'defs' / folder / 'defs.yaml'}: attributes." in text
    return text


def assert_refused(tmp_path, package, monkeypatch, documents, folder, path, value, right) -> None:
    with pytest.raises(Exception) as refusal:
        load(tmp_path, package, monkeypatch, *documents)
    text = "\n".join(_chain(refusal.value))
    assert str(Path(package) / "defs" / folder / "defs.yaml") in text
    assert path.split(".")[-1] in text
    assert right in text
    if not isinstance(value, dict):
        assert str(value).strip("[]'") in text


def _chain(error: BaseException | None) -> list[str]:
    return [str(error), *_chain(error.__cause__ or error.__context__)] if error else []


def test_a_service_may_have_logs_before_it_has_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    definitions = load(tmp_path, "logs_only_team", monkeypatch, LOG)
    (sensor,) = definitions.get_repository_def().sensor_defs
    assert sensor.name == "ads_sensor"


def test_two_models_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    twin = changed(MODEL, "training.window", "21d")
    with pytest.raises(Exception, match="ads/cvr|ads.*cvr"):
        load(tmp_path, "twin_team", monkeypatch, LOG, OUTCOMES, MODEL, twin).resolve_asset_graph()


def test_a_model_without_notebooks_gets_the_standard_four(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(tmp_path, "standard_team", monkeypatch, LOG, OUTCOMES, MODEL)
    tree = dg.ComponentTree.for_project(tmp_path)
    assert [component.notebooks for component in tree.get_all_components(EvaluatedModel)] == [{}]


@pytest.mark.parametrize(
    ("path", "value", "steps"),
    [
        ("training.attribution", "6d", {"training_data", "metrics_1d"}),
        ("training.gap", "1d", {"training_data"}),
        ("evaluation.window", "2d", {"evaluation_data_1d"}),
        ("join", {"entity": ["user_id"]}, {"training_data", "evaluation_data_1d"}),
        ("config", {"features": ["hour"]}, {"model"}),
    ],
)
def test_a_changed_declaration_changes_the_code_version_of_what_it_touches(
    path: str, value: object, steps: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = changed(MODEL, "evaluation.horizons", ["1d"])
    names = [f"version_team_{path.replace('.', '_')}_{side}" for side in ("before", "after")]
    before, after = (
        code_version_by_step(load(tmp_path / name, name, monkeypatch, LOG, OUTCOMES, document))
        for name, document in zip(names, (model, changed(model, path, value)), strict=True)
    )
    assert {step for step in before if before[step] != after[step]} == steps


def code_version_by_step(definitions: dg.Definitions) -> dict[str, str | None]:
    graph = definitions.resolve_asset_graph()
    return {key.path[-1]: graph.get(key).code_version for key in graph.get_all_asset_keys() if len(key.path) == 3}


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
