"""Whether a process of this container was killed for lack of memory: what the kernel counts in the container's group.

A pod's container may outlive a notebook's kernel that was killed: then nothing else tells of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
#: Of control groups of version 2 and 1: the file that counts kills, and the one that holds the limit.
_FILES = (("memory.events", "memory.max"), ("memory/memory.oom_control", "memory/memory.limit_in_bytes"))
_KILLS = "oom_kill"
#: Version 1 says "no limit" with a number near the largest one that there is.
_NO_LIMIT = 2**60


@dataclass(frozen=True)
class MemoryGroup:
    """The control group of this container. `folder`: where its files are."""

    folder: Path = _GROUPS

    def kills(self) -> int:
        """How many processes were killed for lack of memory so far; 0 where nothing counts them."""
        return sum(int(_entries(self.folder / events).get(_KILLS, 0)) for events, _ in _FILES)

    def limit(self) -> str:
        """How much memory there is, in words."""
        limit = self._bytes()
        return f"limit {limit / 2**30:.3g} GiB" if limit else "no limit but the machine's"

    def is_limited(self) -> bool:
        """Whether the group has a limit of its own."""
        return self._bytes() is not None

    def _bytes(self) -> int | None:
        for _, file in _FILES:
            path = self.folder / file
            text = path.read_text(encoding="ascii").strip() if path.is_file() else ""
            if text.isdigit() and int(text) < _NO_LIMIT:
                return int(text)
        return None


#: Of the container of this process.
MEMORY = MemoryGroup()


def _entries(path: Path) -> Mapping[str, str]:
    """The lines `name number` of a file, which may be missing."""
    lines = path.read_text(encoding="ascii").splitlines() if path.is_file() else []
    pairs = [line.split() for line in lines]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
