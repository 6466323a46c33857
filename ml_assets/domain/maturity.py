"""Whether every event partition that a window needs has arrived, and in what state."""

import hashlib
from collections.abc import Collection, Container, Iterable, Mapping
from functools import cached_property
from itertools import accumulate
from zlib import crc32

from ml_assets.domain.agreement import Agreement, Misfits
from ml_assets.domain.calendar import Calendar, contiguous
from ml_assets.domain.contents import Wanted
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.spec import Model

#: By log key: the version of each event partition that has arrived.
Arrived = Mapping[str, Mapping[str, str]]
#: By log key: event partitions as indices of the log's calendar, as `windows.needed` gives them.
Needed = Mapping[str, range]


#: How many digits of a digest of inputs say which event partitions they are.
_WHICH = 8


class ImmatureWindowError(Exception):
    """A window was asked for although event partitions that it needs have not arrived."""


class Arrivals:
    """What has arrived of some logs, laid out so that many windows can be asked about.

    Args: `agreement`: what tells of partitions whose files may not be read, or not together: these do not count.
    """

    def __init__(self, logs: Iterable[EventLog], arrived: Arrived, agreement: Agreement | None = None) -> None:
        self._agreement = agreement or Agreement(Wanted({}), {})
        problems = self._agreement.problems
        self._logs = {log.key: _LogArrivals(log, arrived.get(log.key, {}), problems.get(log.key, {})) for log in logs}

    def mature(self, needed: Needed) -> bool:
        """Whether nothing is missing."""
        for key, indices in needed.items():
            if not self._logs[key].complete(indices):
                return False
        return self._agreement.agree_all or self._agreement.agree(self._keys(needed))

    def missing(self, needed: Needed) -> dict[str, tuple[int, ...]]:
        """The event partitions that have not arrived, or do not count, by log, as indices of its calendar."""
        misfits = {} if self._agreement.agree_all else self._agreement.misfits(self._keys(needed))
        found = {key: self._logs[key].missing(indices, misfits.get(key, ())) for key, indices in needed.items()}
        return {key: indices for key, indices in found.items() if indices}

    def misfits(self, needed: Needed) -> Misfits:
        """Those of the missing that are there, and why they do not count, by log and key."""
        return self._agreement.misfits(self._keys(needed))

    def _keys(self, needed: Needed) -> dict[str, list[str]]:
        return {key: self._logs[key].keys(indices) for key, indices in needed.items()}

    def inputs(self, needed: Needed) -> str:
        """A digest of the event partitions, which have all arrived, as they are; see `same_partitions`."""
        parts: list[bytes] = []
        which = ""
        for key in sorted(needed):
            indices = needed[key]
            which += f"{key} {indices.start} {indices.stop} "
            parts += self._logs[key].content(indices)
        names = which.encode()
        content = hashlib.blake2b(b"".join((names, *parts)), digest_size=8).hexdigest()
        return f"{crc32(names):08x}{content}"


def same_partitions(one: str, other: str) -> bool:
    """Whether two digests of inputs are of the same event partitions, in whatever state."""
    return one[:_WHICH] == other[:_WHICH]


class _LogArrivals:
    def __init__(self, log: EventLog, arrived: Mapping[str, str], refused: Container[str]) -> None:
        self._calendar = log.partitions
        self._arrived = {
            log.partitions.index_of(key): (key, version) for key, version in arrived.items() if key not in refused
        }

    def keys(self, indices: range) -> list[str]:
        """The keys of some partitions; there is none before the log's start or after its end."""
        keys = (self._calendar.key(index) for index in indices if index >= 0)
        return [key for key in keys if self._calendar.holds(key)]

    def complete(self, indices: range) -> bool:
        """Whether all of these have arrived."""
        start, stop, count = indices.start, indices.stop, self._count
        if start >= stop:
            return True
        if start < 0 or stop >= len(count):
            return False
        return count[stop] - count[start] == stop - start

    def missing(self, indices: range, misfits: Collection[str] = ()) -> tuple[int, ...]:
        if self.complete(indices) and not misfits:
            return ()
        refused = {self._calendar.index_of(key) for key in misfits}
        return tuple(index for index in indices if index not in self._arrived or index in refused)

    def content(self, indices: range) -> list[bytes]:
        return self._encoded[indices.start : indices.stop]

    @cached_property
    def _stop(self) -> int:
        return max(self._arrived, default=-1) + 1

    @cached_property
    def _count(self) -> list[int]:
        """How many of the first n partitions have arrived, by n."""
        return list(accumulate((index in self._arrived for index in range(self._stop)), initial=0))

    @cached_property
    def _encoded(self) -> list[bytes]:
        blank = ("", "")
        return [" ".join((*self._arrived.get(index, blank), "")).encode() for index in range(self._stop)]


def describe_spans(calendar: Calendar, indices: Iterable[int]) -> str:
    """Name partitions in words: `2026-01-14..2026-01-20, 2026-01-22`."""
    return ", ".join(
        calendar.key(run.start) if len(run) == 1 else f"{calendar.key(run.start)}..{calendar.key(run.stop - 1)}"
        for run in contiguous(sorted(indices))
    )


def describe_missing(model: Model, missing: Mapping[str, Iterable[int]], refused: str = "") -> str:
    """Name missing event partitions in words: `ads/conversions 2026-01-14..2026-01-20`.

    Args: `refused`: why some that are there do not count.
    """
    logs = {log.key: log for log in model.logs}
    spans = ", ".join(f"{key} {describe_spans(logs[key].partitions, indices)}" for key, indices in missing.items())
    return f"{spans} ({refused})" if refused else spans
