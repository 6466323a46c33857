"""Steps, runs of them, and what a world records of both."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """One partition of one asset; `day` is the index of the partition, which may be an hour or a week as well."""

    asset: str
    day: int


@dataclass(frozen=True)
class Written:
    """An event partition: how often it was written, and what its rows say."""

    times: int
    says: int


@dataclass(frozen=True)
class Record:
    """What is recorded of an attempt or of a materialization; `of` is what it was really made from.

    `failed`: whether an attempt has that verdict; one that was killed has none.
    """

    id: int
    inputs: str
    code: str
    of: object
    run: str
    data_version: str = ""
    failed: bool = False


@dataclass
class Run:
    """A run: steps that are still to come, and the one that it has begun.

    `lost`: whether a step came to nothing without a verdict, so that the same is due again.
    """

    name: str
    steps: list[Step]
    begun: Step | None = None
    lost: bool = False
    read: object = None
    holds: frozenset[Step] = field(init=False)

    def __post_init__(self) -> None:
        self.holds = frozenset(self.steps)
