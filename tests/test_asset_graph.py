"""The asset graph of the demo is the one in `tests/snapshots/asset_graph.yaml`, wherever and whenever it is loaded."""

import difflib
from pathlib import Path

import pytest

from ml_assets import variables
from tests.support.asset_graph import SNAPSHOT, UPDATE, render


def test_the_asset_graph_is_that_of_the_snapshot() -> None:
    before, now = (text.splitlines(keepends=True) for text in (SNAPSHOT.read_text(encoding="utf-8"), render()))
    changed = "".join(difflib.unified_diff(before, now, fromfile=SNAPSHOT.name, tofile="definitions"))
    assert not changed, f"the asset graph changed; if it is meant to, {UPDATE} writes the snapshot:\n{changed}"


def test_the_snapshot_depends_on_no_home_and_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo_anchor").write_text("2026-06-01\n", encoding="utf-8")
    monkeypatch.setenv(variables.HOME, str(tmp_path))
    monkeypatch.setenv(variables.ENVIRONMENT, "production")
    assert render() == SNAPSHOT.read_text(encoding="utf-8")
