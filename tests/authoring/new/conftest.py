"""A project of a shop, the command that adds a model to it, and a notebook to add."""

import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ml_assets.cli.main import main
from ml_assets.examples import first_model
from tests.authoring.new.added import New
from tests.support import shop
from tests.support.projects import TeamProject


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TeamProject:
    """A project of a shop, other than ours."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    return TeamProject.make(tmp_path / "project", f"new_{tmp_path.name}", shop.DEFS)


@pytest.fixture
def new(team: TeamProject, monkeypatch: pytest.MonkeyPatch) -> New:
    """Runs `ml-assets new` in a folder of the project."""
    monkeypatch.chdir(team.root / "notebooks")
    return lambda *arguments: CliRunner().invoke(main, ["new", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def drafts(tmp_path: Path) -> Path:
    """A notebook that trains on a CSV, outside of the project."""
    first_model.write(tmp_path / "drafts")
    return tmp_path / "drafts"
