"""The text of right declarations to vary from, projects of such files, and what is said of one that is refused."""

import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from ml_assets.declarations.of_project import build_declared
from ml_assets.declarations.reading import DefsFileError, find_cause
from tests.support.projects import REPOSITORY

LOGS = """\
type: ml_assets.EventLog
attributes:
  key: ads/impressions
  location: ads/impressions
  partitions: {every: day, start: "2026-01-01", timezone: Asia/Tokyo}
  lookahead: 8d
  columns: {time: event_time, key: [impression_id]}
---
type: ml_assets.EventLog
attributes:
  key: ads/conversions
  location: ads/conversions
  partitions: {every: day, start: "2026-01-01", timezone: Asia/Tokyo}
  lookahead: 8d
  columns: {time: event_time, key: [impression_id]}
"""
MODEL = """\
type: ml_assets.EvaluatedModel
attributes:
  name: ads/cvr
  exposures: ads/impressions
  outcomes: ads/conversions
  join: {id: [impression_id]}
  training: {window: 28d, attribution: 7d}
  evaluation: {window: 1d, horizons: [1d, 7d]}
"""


def changed(old: str, new: str, text: str = MODEL) -> str:
    assert old in text
    return text.replace(old, new, 1)


def make(root: Path, package: str, files: dict[str, str | bytes]) -> Path:
    """Write a project. Returns: its folder of definitions."""
    for path, text in files.items():
        file = root / package / "defs" / path
        file.parent.mkdir(parents=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    (root / package / "__init__.py").touch()
    tool = f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{package}"\n'
    (root / "pyproject.toml").write_text(tool)
    (root / "notebooks").symlink_to(REPOSITORY / "notebooks")
    return root / package / "defs"


def answer(root: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is said of a project that is refused."""
    monkeypatch.setattr(sys, "path", [str(root), *sys.path])
    began = time.process_time()
    with pytest.raises(Exception) as error:
        build_declared(dg.ComponentTree.for_project(root))
    assert time.process_time() - began < 5
    refused = find_cause(error.value, DefsFileError)
    assert refused is not None, repr(error.value)
    assert "\n" not in str(refused)
    return str(refused)
