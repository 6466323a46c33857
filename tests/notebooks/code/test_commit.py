"""The commit of the project that a partition was made by."""

import os
from pathlib import Path

import pytest

from ml_assets.notebooks.code.version import git_commit
from tests.notebooks.code.versioned import git
from tests.support import users


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
