"""Right declarations to vary from, projects that hold them, and how one is refused."""

import traceback
from pathlib import Path

import dagster as dg
import pytest
import yaml

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
    text = "\n".join(chain(refusal.value))
    assert str(Path(package) / "defs" / folder / "defs.yaml") in text
    assert path.split(".")[-1] in text
    assert right in text
    if not isinstance(value, dict):
        assert str(value).strip("[]'") in text


def chain(error: BaseException | None) -> list[str]:
    return [str(error), *chain(error.__cause__ or error.__context__)] if error else []
