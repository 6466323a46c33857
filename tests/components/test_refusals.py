"""A wrong defs.yaml is refused with its path, key, value and what would be right."""

from pathlib import Path

import dagster as dg
import pytest
import yaml

from ml_assets.components.evaluated_model import EvaluatedModel
from ml_assets.definitions import build_definitions
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
    ("retention", "90d", "Extra inputs are not permitted"),
]
MODEL_REFUSALS = [
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
    ("variants", {"challenger": {}}, "Extra inputs are not permitted"),
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


@pytest.mark.parametrize(("path", "value", "right"), MODEL_REFUSALS, ids=[f"{p}={v}" for p, v, _ in MODEL_REFUSALS])
def test_a_wrong_model_is_refused_by(
    path: str, value: object, right: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = f"model_team_{MODEL_REFUSALS.index((path, value, right))}"
    documents = [LOG, OUTCOMES, changed(MODEL, path, value)]
    assert_refused(tmp_path, package, monkeypatch, documents, "model_2", path, value, right)


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
        ("config", {"features": ["hour"]}, {"training_data", "model", "evaluation_data_1d", "metrics_1d"}),
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
