"""What is known of the events of assets, as plain values: read from a storage, kept in a memo."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ml_assets.dagster_names import DagsterEventType

KINDS = (DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_OBSERVATION)


class Event(NamedTuple):
    """The latest event of its kind in a partition; its data version is None where it has none, or not yet."""

    id: int
    version: str | None
    run: str


class Recorded(NamedTuple):
    """What is recorded of an asset: the latest materialization and the latest observation of each partition.

    `changing`: the partitions that a run changed while they were read; of these the others say nothing.
    """

    made: Mapping[str, Event] = {}
    tried: Mapping[str, Event] = {}
    changing: frozenset[str] = frozenset()


class Extent(NamedTuple):
    """Which events of an asset there are: how many, the sum of their ids, the greatest, and which event has it."""

    number: int
    total: int
    last: int
    event: tuple[Any, ...]


class Known(NamedTuple):
    """What was read of an asset, when it had these events and was last wiped then."""

    extent: Extent
    wiped: float | None
    recorded: Recorded
