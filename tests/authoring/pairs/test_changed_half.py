"""The half that a person changed is the one that is kept, as git and the last agreement tell."""

import os

import pytest

from ml_assets.authoring.pairs import Pair, PairError, bring_into_step, changed_half, find_problems, find_unstaged
from tests.authoring.pairs.paired import change, commit, edit, git, ids


@pytest.mark.parametrize("edited", ["py", "ipynb"])
def test_the_half_that_differs_from_the_commit_wins_whatever_the_times_say(committed: Pair, edited: str) -> None:
    winner, loser = (committed.py, committed.ipynb) if edited == "py" else (committed.ipynb, committed.py)
    edit(winner, "y = 2", "y = 3")
    os.utime(winner, (0, 0))
    assert bring_into_step(committed) == [f"wrote {loser} from {winner}"]
    assert "y = 3" in loser.read_text()
    assert find_problems(committed) == []


def test_a_half_committed_alone_wins(committed: Pair) -> None:
    edit(committed.py, "y = 2", "y = 3")
    commit(committed)
    assert bring_into_step(committed) == [f"wrote {committed.ipynb} from {committed.py}"]


def test_one_half_may_be_edited_again_and_again_before_a_commit(committed: Pair) -> None:
    for number in (3, 4, 5):
        edit(committed.py, f"y = {number - 1}", f"y = {number}")
        assert bring_into_step(committed) == [f"wrote {committed.ipynb} from {committed.py}"]
    edit(committed.ipynb, "y = 5", "y = 6")
    assert bring_into_step(committed) == [f"wrote {committed.py} from {committed.ipynb}"]


@pytest.mark.parametrize("prefer", ["py", "ipynb"])
def test_two_different_edits_are_refused_until_a_person_chooses(committed: Pair, prefer: str) -> None:
    edit(committed.py, "y = 2", "y = 3")
    edit(committed.ipynb, "x = 1", "x = 0")
    before = [half.read_bytes() for half in committed]
    with pytest.raises(PairError, match=f"--from py {committed.py}, or --from ipynb"):
        bring_into_step(committed)
    assert [half.read_bytes() for half in committed] == before
    bring_into_step(committed, prefer)
    assert ("y = 3" in committed.ipynb.read_text(), "x = 0" in committed.py.read_text()) == (
        prefer == "py",
        prefer == "ipynb",
    )
    assert find_problems(committed) == []


def test_without_git_or_an_earlier_run_a_person_chooses(pair: Pair) -> None:
    pair.agreed.unlink()
    edit(pair.py, "y = 2", "y = 3")
    with pytest.raises(PairError, match="neither is as they last agreed"):
        bring_into_step(pair)


def test_a_space_that_a_py_cannot_hold_is_no_edit(committed: Pair) -> None:
    edit(committed.py, "y = 2", "y = 3")
    change(committed.ipynb, 3, source="y = 3\n")
    assert bring_into_step(committed) == [f"cleaned {committed.ipynb}"]
    assert find_problems(committed) == []


def test_an_ipynb_with_a_conflict_of_git_is_written_anew_with_the_ids_of_the_commit(committed: Pair) -> None:
    edit(committed.ipynb, ids(committed.ipynb)[1], "of-its-history")
    commit(committed)
    before = committed.ipynb.read_bytes()
    edit(committed.ipynb, "{", "<<<<<<< HEAD\n{")
    [problem] = find_problems(committed)
    assert problem.startswith(f"{committed.ipynb}: is no Jupyter notebook (version 4): ")
    assert problem.endswith(f"ml-assets pair --from py {committed.ipynb}")
    with pytest.raises(PairError, match="is no Jupyter notebook"):
        bring_into_step(committed)
    bring_into_step(committed, "py")
    assert committed.ipynb.read_bytes() == before


def test_git_is_asked_about_the_files_even_within_a_hook(committed: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "elsewhere/.git")
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/index")
    edit(committed.py, "y = 2", "y = 3")
    assert bring_into_step(committed) == [f"wrote {committed.ipynb} from {committed.py}"]
    assert find_unstaged(committed) == []


def test_a_half_that_git_does_not_know_is_named(committed: Pair) -> None:
    git(committed.py.parent, "rm", "--quiet", "--cached", "nb.ipynb")
    assert find_unstaged(committed) == [
        f"{committed.ipynb}: is not in git's index; add it with: git add {committed.ipynb}"
    ]


@pytest.mark.parametrize(
    ("py", "ipynb", "agreed", "expected"),
    [
        (1, 0, [0], "py"),
        (0, 1, [0], "ipynb"),
        (1, 2, [0], None),
        (1, 2, [], None),
        (2, 1, [0, 1], "py"),
        # Another answer of an older agreement does not count.
        (1, 0, [0, 1], "py"),
    ],
)
def test_the_half_that_changed_alone_is_the_newer(py: int, ipynb: int, agreed: list[int], expected: str | None) -> None:
    assert changed_half(py, ipynb, agreed) == expected
