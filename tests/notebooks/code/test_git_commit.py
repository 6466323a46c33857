"""The commit of a folder: named in full, with a word of changes, and none outside of git."""

import os
import subprocess
from pathlib import Path

import pytest

from ml_assets.notebooks.code.version import git_commit
from tests.support import users


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


def git(folder: Path, *arguments: str) -> str:
    person = ["-c", "user.name=A person", "-c", "user.email=person@example.org"]
    command = ["git", "-C", str(folder), *person, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


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


def test_the_commit_is_named_in_full_even_where_it_has_a_tag(repository: Path) -> None:
    commit = git_commit(repository)
    assert commit == git(repository, "rev-parse", "HEAD")
    assert commit is not None
    assert len(commit) == 40


def test_a_folder_inside_the_repository_has_its_commit(repository: Path) -> None:
    assert git_commit(repository / "notebooks") == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("staged", [False, True])
def test_a_changed_file_is_told(staged: bool, repository: Path) -> None:
    (repository / "notebooks" / "model.py").write_text("train(1)\n", encoding="utf-8")
    if staged:
        git(repository, "add", ".")
    assert git_commit(repository) == git(repository, "rev-parse", "HEAD") + "+changes"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to another user")
def test_a_checkout_of_another_user_is_read(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    for path in (repository, *repository.rglob("*")):
        os.chown(path, users.ID, users.ID)
    assert git_commit(repository) == commit


def test_a_hook_that_is_told_of_its_own_repository_gets_the_commit_of_the_folder(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(repository / "another"))
    assert git_commit(repository) == git(repository, "--git-dir", str(repository / ".git"), "rev-parse", "HEAD")


def test_outside_of_git_there_is_no_commit(folder: Path) -> None:
    assert git_commit(folder) is None


def test_before_the_first_commit_there_is_no_commit(folder: Path) -> None:
    git(folder, "init", "--quiet")
    assert git_commit(folder) is None


def test_without_git_there_is_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert git_commit(repository) is None
