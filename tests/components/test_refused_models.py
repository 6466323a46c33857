"""A wrong model is refused with its path, key, value and what would be right."""

from pathlib import Path

import dagster as dg
import pytest

from ml_assets.components import EvaluatedModel
from tests.components.declared import LOG, MODEL, OUTCOMES, assert_refused, changed, load, refusal

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
