"""Whether a process beside this one was killed for lack of memory: what the system counts in its control group.

A pod's container, or a unit of systemd, may outlive a notebook's kernel that was killed: then nothing else tells of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

_GROUPS, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
#: Of control groups of version 2 and 1: the controllers that a process names with its group, where their groups are,
#: the file that counts kills, and the one that holds the limit.
_VERSIONS = (
    ("", "", "memory.events", "memory.max"),
    ("memory", "memory", "memory.oom_control", "memory.limit_in_bytes"),
)
_KILLS = "oom_kill"
#: Version 1 says "no limit" with a number near the largest one that there is.
_NO_LIMIT = 2**60


@dataclass(frozen=True)
class MemoryGroup:
    """The control group of this process. `folder`: where groups are; `own`: the file that says which of them it is in.

    In a container that is the root of those that it sees; in a unit of systemd one below.
    """

    folder: Path = _GROUPS
    own: Path = _OWN

    def kills(self) -> int:
        """How many processes were killed for lack of memory so far; 0 where nothing counts them."""
        groups = [(self._groups(controllers, root)[0], events) for controllers, root, events, _ in _VERSIONS]
        return sum(int(_entries(group / events).get(_KILLS, 0)) for group, events in groups)

    def limit(self) -> str:
        """How much memory there is, in words."""
        limit = self._bytes()
        return f"limit {limit / 2**30:.3g} GiB" if limit else "no limit but the machine's"

    def is_limited(self) -> bool:
        """Whether the group has a limit of its own."""
        return self._bytes() is not None

    def _bytes(self) -> int | None:
        texts = [
            path.read_text(encoding="ascii").strip()
            for controllers, root, _, file in _VERSIONS
            for group in self._groups(controllers, root)
            if (path := group / file).is_file()
        ]
        # Each group is held to the limits of those that it is in.
        return min((int(text) for text in texts if text.isdigit() and int(text) < _NO_LIMIT), default=None)

    def _groups(self, controllers: str, root: str) -> list[Path]:
        """The group of this process and those that it is in, as far as they can be seen."""
        top = self.folder / root
        lines = self.own.read_text(encoding="utf-8").splitlines() if self.own.is_file() else []
        names = [name for line in lines for _, of, name in [line.split(":", 2)] if controllers in of.split(",")]
        group = top / (names[0].lstrip("/") if names else "")
        # A container may be told the name of its group on the machine, and sees that as the top.
        return [group, *takewhile(lambda one: one != top.parent, group.parents)] if group.is_dir() else [top]


#: Of this process.
MEMORY = MemoryGroup()


def _entries(path: Path) -> Mapping[str, str]:
    """The lines `name number` of a file, which may be missing."""
    lines = path.read_text(encoding="ascii").splitlines() if path.is_file() else []
    pairs = [line.split() for line in lines]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
