"""What becomes of the partitions of a backfill."""

from dataclasses import dataclass
from enum import StrEnum

#: A partition of an asset.
Item = tuple[str, str]


class State(StrEnum):
    """What has become of one partition of one asset."""

    PENDING = "pending"
    RUNNING = "running"
    MADE = "made"
    FAILED = "failed"
    LEFT_OUT = "left out"


@dataclass
class Outcome:
    """What has become of a partition; `why` where it failed or was left out; `run`: the latest that had it."""

    state: State = State.PENDING
    why: str = ""
    run: str = ""
    launches: int = 0
