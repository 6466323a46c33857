"""Notebooks, projects and checkouts whose versions are asked for."""

from pathlib import Path

import pytest

from tests.notebooks.code.versioned import Project, git


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that no repository around it and no setting of git reaches."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def repository(folder: Path) -> Path:
    """A repository with one commit, which has a tag."""
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "model.py").write_text("train()\n", encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    git(folder, "tag", "--annotate", "v1", "--message", "v1")
    return folder
