"""The files of a saved model: equal bytes for equal content, and nothing read that was not written together."""

import json
from pathlib import Path

import pytest

from ml_assets.models import model_files

TEXT = "tree\nfeature_names=a 価格\nTree=0\n"
SCHEMA = {"label": "label", "features": [{"name": "a", "kind": "numeric"}, {"name": "価格", "kind": "numeric"}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model_files.write(tmp_path / "new" / "model", TEXT, SCHEMA)
    return tmp_path / "new" / "model"


def edit(path: Path, before: str, after: str) -> None:
    content = path.read_text(encoding="utf-8")
    assert before in content
    path.write_text(content.replace(before, after), encoding="utf-8")


def test_what_was_written_is_read_back(folder):
    text, schema = model_files.read(folder)
    assert text == TEXT
    assert {key: schema[key] for key in SCHEMA} == SCHEMA
    assert sorted(path.name for path in folder.iterdir()) == ["model.txt", "schema.json"]


def test_a_category_that_is_no_valid_unicode_survives(tmp_path):
    schema = {**SCHEMA, "odd": "\ud800"}
    model_files.write(tmp_path, TEXT, schema)
    assert model_files.read(tmp_path)[1]["odd"] == "\ud800"


@pytest.mark.parametrize("name", ["model.txt", "schema.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} is missing: a saved model is model.txt and schema.json"):
        model_files.read(folder)


@pytest.mark.parametrize("name", ["model.txt", "schema.json"])
def test_bytes_that_are_no_text_are_refused(folder, name):
    (folder / name).write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=f"{name} is not UTF-8 text"):
        model_files.read(folder)


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (
            '"version": 2',
            '"version": 3',
            "format 'ml_assets.models.gbdt', version 3: expected 'ml_assets.models.gbdt', 1 or 2",
        ),
        ("ml_assets.models.gbdt", "other", "format 'other', version 2"),
        ('"format"', '"form"', "format None, version 2"),
    ],
)
def test_another_format_is_refused_with_the_one_expected(folder, before, after, found):
    edit(folder / "schema.json", before, after)
    with pytest.raises(ValueError, match=found):
        model_files.read(folder)


@pytest.mark.parametrize(("content", "why"), [("{", "is not JSON"), ("[1]", r"holds '\[1\]': expected a JSON object")])
def test_a_schema_that_is_no_json_object_is_refused(folder, content, why):
    (folder / "schema.json").write_text(content)
    with pytest.raises(ValueError, match=f"schema.json {why}"):
        model_files.read(folder)


def test_features_of_another_model_are_named(folder):
    edit(folder / "model.txt", "feature_names=a", "feature_names=b")
    with pytest.raises(ValueError, match=r"has the features \['b', '価格'\], but schema.json has \['a', '価格'\]"):
        model_files.read(folder)


@pytest.mark.parametrize("features", [None, "a", [1, None]])
def test_features_of_no_form_at_all_are_refused_too(folder, features):
    schema = json.loads((folder / "schema.json").read_text())
    (folder / "schema.json").write_text(json.dumps({**schema, "features": features}))
    with pytest.raises(ValueError, match="but schema.json has"):
        model_files.read(folder)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("model.txt", "Tree=0", "Tree=1"),
        ("schema.json", '"label": "label"', '"label": "other"'),
        ("schema.json", '"numeric"', '"categorical"'),
        ("schema.json", '"fingerprint": "', '"fingerprint": "0'),
        ("schema.json", '"fingerprint"', '"finger"'),
    ],
)
def test_an_edited_file_is_refused(folder, name, before, after):
    edit(folder / name, before, after)
    with pytest.raises(ValueError, match="one was edited, or they are of two models"):
        model_files.read(folder)


def test_a_file_that_was_only_formatted_anew_is_accepted(folder):
    schema = json.loads((folder / "schema.json").read_text())
    (folder / "schema.json").write_text(json.dumps(schema, sort_keys=True))
    assert model_files.read(folder)[1] == schema
