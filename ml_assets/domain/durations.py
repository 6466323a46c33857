"""Lengths of time as people write them: `7d`, `12h`, `2w`.

A *window* is a calendar period: one day of it has 23 to 25 hours where clocks change. A *horizon* or an
*attribution* is elapsed time: 7d = 168 h, always. Nothing here knows a date.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from ml_assets.domain.errors import SpecError

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_PATTERN = re.compile(r"([0-9]{1,18})([mhdw])")
#: Longer than any log, and so short that no instant leaves the calendar.
_LONGEST = timedelta(days=36_525)


@dataclass(frozen=True)
class Duration:
    """A whole number of minutes (m), hours (h), days (d) or weeks (w)."""

    count: int
    unit: str

    @cached_property
    def elapsed(self) -> timedelta:
        """The length as elapsed time: a day is 24 hours."""
        return self.count * _UNITS[self.unit]

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


def parse_duration(text: object, *, key: str, zero: bool = False) -> Duration:
    """Read a duration such as `7d`.

    Args: `key` names the place in the specification for the error; `zero` allows `0d`.
    Raises: SpecError when the text is no duration.
    """
    match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    if match is None or (not zero and int(match[1]) == 0):
        raise SpecError(key, text, "write a whole number and a unit (m, h, d, w), such as 7d or 12h")
    found = Duration(int(match[1]), match[2])
    if found.count > _LONGEST // _UNITS[found.unit]:
        raise SpecError(key, text, f"write at most {_LONGEST.days}d, a hundred years")
    return found
