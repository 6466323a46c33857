"""The two files of a saved model: model.txt, in LightGBM's text format, and schema.json, which explains it.

Here: their format, and the proof that they belong together and were not edited. Not here: what the schema means.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MODEL_FILE = "model.txt"
SCHEMA_FILE = "schema.json"

_FORMAT = "ml_assets.models.gbdt"
_VERSION = 2
#: Version 1 had neither rates nor what training lacked; it is read as it always was.
_READ = (1, _VERSION)


def write(folder: Path, text: str, schema: Mapping[str, Any]) -> None:
    """Write both files into `folder`, which is made where it does not exist. Equal content gives equal bytes."""
    stamped = {"format": _FORMAT, "version": _VERSION, **schema}
    stamped["fingerprint"] = _fingerprint(text, stamped)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(text.encode())
    (folder / SCHEMA_FILE).write_bytes((json.dumps(stamped, indent=2) + "\n").encode())


def read(folder: Path) -> tuple[str, dict[str, Any]]:
    """Return the model's text and its schema; FileNotFoundError or ValueError says which file is wrong and how."""
    text, stored = _content(folder / MODEL_FILE), _content(folder / SCHEMA_FILE)
    schema = _parsed(folder / SCHEMA_FILE, stored)
    found = schema.get("format"), schema.get("version")
    if found[0] != _FORMAT or found[1] not in _READ:
        versions = " or ".join(map(str, _READ))
        raise ValueError(
            f"{folder / SCHEMA_FILE} has format {found[0]!r}, version {found[1]!r}: expected {_FORMAT!r}, {versions}"
        )
    _refuse_other_features(folder, text, schema)
    if schema.get("fingerprint") != _fingerprint(text, schema):
        raise ValueError(
            f"{MODEL_FILE} and {SCHEMA_FILE} in {folder} are not as they were saved: "
            "one was edited, or they are of two models; train again, or restore both"
        )
    return text, schema


def _refuse_other_features(folder: Path, text: str, schema: Mapping[str, Any]) -> None:
    """The fingerprint would refuse them too, without saying what is wrong."""
    lines = (line for line in text.splitlines() if line.startswith("feature_names="))
    in_model = next(lines, "feature_names=").removeprefix("feature_names=").split(" ")
    entries = schema.get("features")
    entries = entries if isinstance(entries, list) else []
    in_schema = [entry.get("name") if isinstance(entry, dict) else entry for entry in entries]
    if in_model != in_schema:
        raise ValueError(f"{MODEL_FILE} in {folder} has the features {in_model}, but {SCHEMA_FILE} has {in_schema}")


def _content(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing: a saved model is {MODEL_FILE} and {SCHEMA_FILE}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error}") from None


def _parsed(path: Path, content: str) -> dict[str, Any]:
    try:
        schema = json.loads(content)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    match schema:
        case dict():
            return schema
    raise ValueError(f"{path} holds {content[:40]!r}: expected a JSON object")


def _fingerprint(text: str, schema: Mapping[str, Any]) -> str:
    described = {key: value for key, value in schema.items() if key != "fingerprint"}
    return hashlib.sha256(json.dumps([text, described], sort_keys=True).encode()).hexdigest()
