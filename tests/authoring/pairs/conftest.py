"""Pairs of halves that agree, in git and without."""

from pathlib import Path

import pytest

from ml_assets.authoring.pairs import Pair, bring_into_step
from tests.authoring.pairs.paired import TEXT, commit, git


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A pair in step, that git does not know."""
    made = Pair(tmp_path / "nb.py", tmp_path / "nb.ipynb")
    made.py.write_text(TEXT)
    bring_into_step(made)
    return made


@pytest.fixture
def committed(pair: Pair) -> Pair:
    """A pair in step and in git, without a memory of its own, as in a fresh clone."""
    pair.agreed.unlink()
    git(pair.py.parent, "init", "--quiet")
    commit(pair)
    return pair
