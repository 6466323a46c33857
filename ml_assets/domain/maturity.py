"""Whether every event partition that a window needs has arrived, and in what state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ml_assets.domain.calendar import Calendar, contiguous
from ml_assets.domain.spec import Model
from ml_assets.domain.versions import digest
from ml_assets.domain.windows import Windows, needed

#: By log key: the fingerprint of each event partition that has arrived.
Arrived = Mapping[str, Mapping[str, str]]


class ImmatureWindowError(Exception):
    """A window was asked for although event partitions that it needs have not arrived."""


@dataclass(frozen=True)
class Maturity:
    """The event partitions of a window: those that have arrived, with their fingerprints, and those missing.

    `missing` holds indices of each log's calendar.
    """

    fingerprints: Mapping[str, Mapping[str, str]]
    missing: Mapping[str, tuple[int, ...]]

    @property
    def mature(self) -> bool:
        """Whether nothing is missing."""
        return not any(self.missing.values())

    @property
    def inputs(self) -> str:
        """A digest of the event partitions as they are."""
        return digest(self.fingerprints)


def maturity(model: Model, windows: Windows, arrived: Arrived) -> Maturity:
    """Compare the partitions that the windows need with those that have arrived."""
    fingerprints: dict[str, dict[str, str]] = {}
    missing: dict[str, tuple[int, ...]] = {}
    logs = {log.key: log for log in model.logs}
    for key, indices in needed(model, windows).items():
        partitions = {index: logs[key].partitions.key(index) for index in indices}
        here = arrived.get(key, {})
        fingerprints[key] = {partition: here[partition] for partition in partitions.values() if partition in here}
        missing[key] = tuple(index for index, partition in partitions.items() if partition not in here)
    return Maturity(fingerprints, missing)


def describe_spans(calendar: Calendar, indices: Iterable[int]) -> str:
    """Name partitions in words: `2026-01-14..2026-01-20, 2026-01-22`."""
    return ", ".join(
        calendar.key(run.start) if len(run) == 1 else f"{calendar.key(run.start)}..{calendar.key(run.stop - 1)}"
        for run in contiguous(sorted(indices))
    )


def describe_missing(model: Model, missing: Mapping[str, Iterable[int]]) -> str:
    """Name missing event partitions in words: `ads/conversions 2026-01-14..2026-01-20`."""
    logs = {log.key: log for log in model.logs}
    return ", ".join(
        f"{key} {describe_spans(logs[key].partitions, indices)}" for key, indices in missing.items() if indices
    )
