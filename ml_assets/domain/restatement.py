"""Which changes of an event partition count: those within the log's restatement window.

A change that comes later is recorded, so that it can be listed, but what was made from the partition stays as it is.
"""

from dataclasses import dataclass
from datetime import datetime

from ml_assets.domain.declared.event_log import EventLog

_SEPARATOR = "."


@dataclass(frozen=True)
class EventVersion:
    """The fingerprint of an event partition's content, and that of the newest content whose change counts."""

    present: str
    accepted: str

    @classmethod
    def parse(cls, text: str) -> "EventVersion":
        """Read what `str` wrote."""
        present, _, accepted = text.partition(_SEPARATOR)
        return cls(present, accepted or present)

    def __str__(self) -> str:
        return self.present if self.accepted == self.present else f"{self.present}{_SEPARATOR}{self.accepted}"

    @property
    def late(self) -> bool:
        """Whether the content changed after the restatement window."""
        return self.present != self.accepted


def version_of(
    log: EventLog, partition: str, recorded: EventVersion | None, present: str, *, as_of: datetime
) -> EventVersion:
    """The version of a partition whose content is now `present`, and was `recorded` before (None: it is new).

    What arrives for the first time always counts, however late.
    """
    if recorded is None:
        return EventVersion(present, present)
    if recorded == EventVersion(present, present):
        return recorded
    if log.restatement is not None:
        end = log.partitions.interval(log.partitions.index_of(partition)).end
        if as_of - end >= log.restatement.elapsed:
            # What was accepted stays so, be it this content.
            return EventVersion(present, recorded.accepted)
    return EventVersion(present, present)
