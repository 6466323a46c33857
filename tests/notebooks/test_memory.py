"""What the kernel counts in the control group of a container."""

from pathlib import Path

import pytest

from ml_assets.notebooks.memory import MemoryGroup

V2 = "low 0\nhigh 0\nmax 31\noom 3\noom_kill 2\noom_group_kill 0\n"
V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"


def test_kills_are_counted_in_groups_of_version_2(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text(V2)
    (tmp_path / "memory.max").write_text("4294967296\n")
    group = MemoryGroup(tmp_path)
    assert (group.kills(), group.limit()) == (2, "limit 4 GiB")


def test_kills_are_counted_in_groups_of_version_1(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.oom_control").write_text(V1)
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("1610612736\n")
    group = MemoryGroup(tmp_path)
    assert (group.kills(), group.limit()) == (5, "limit 1.5 GiB")


@pytest.mark.parametrize("limit", ["max", "9223372036854771712"])
def test_a_group_without_a_limit_has_the_machines(tmp_path: Path, limit: str) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory.max").write_text(limit)
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(limit)
    assert MemoryGroup(tmp_path).limit() == "no limit but the machine's"


def test_where_nothing_counts_nothing_was_killed(tmp_path: Path) -> None:
    assert MemoryGroup(tmp_path).kills() == 0
    # Whatever this machine has, it can be asked.
    assert MemoryGroup().kills() >= 0
