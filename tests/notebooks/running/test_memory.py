"""What the kernel counts in the control group of a container."""

from pathlib import Path

import pytest

from ml_assets.notebooks.running.memory import MemoryGroup

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


@pytest.mark.parametrize(
    ("named", "below", "events", "maximum"),
    [
        ("0::/system.slice/daemon.service", "system.slice", "memory.events", "memory.max"),
        (
            "3:cpu:/\n4:memory:/system.slice/daemon.service",
            "memory/system.slice",
            "memory.oom_control",
            "memory.limit_in_bytes",
        ),
    ],
    ids=["version 2", "version 1"],
)
def test_a_unit_of_systemd_is_a_group_below_the_root_and_held_to_the_limits_above_it(
    named: str, below: str, events: str, maximum: str, tmp_path: Path
) -> None:
    own, slice_ = tmp_path / "cgroup", tmp_path / below
    own.write_text(f"{named}\n")
    unit = slice_ / "daemon.service"
    unit.mkdir(parents=True)
    (unit / events).write_text("oom_kill 3\n")
    (unit / maximum).write_text("4294967296\n")
    (slice_ / events).write_text("oom_kill 77\n")
    (slice_ / maximum).write_text("max\n")
    group = MemoryGroup(tmp_path, own)
    assert (group.kills(), group.limit()) == (3, "limit 4 GiB")
    (slice_ / maximum).write_text("2147483648\n")
    assert group.limit() == "limit 2 GiB"


def test_a_container_that_is_told_the_name_of_its_group_on_the_machine_sees_that_as_the_root(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/kubepods/pod1\n")
    (tmp_path / "memory.events").write_text(V2)
    assert MemoryGroup(tmp_path, tmp_path / "own").kills() == 2
