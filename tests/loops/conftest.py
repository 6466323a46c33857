"""Shops that leaks are planted into."""

from pathlib import Path

import pytest

from tests.loops.leaks import World, declared, without_history


@pytest.fixture
def plain_shop(tmp_path: Path) -> World:
    """The shop without history, which takes three times as long as labels."""
    return World(tmp_path, without_history(declared("Asia/Shanghai")))
