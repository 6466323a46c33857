"""History features as a team declares them: what a log says of an exposure's entity before the exposure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.names import check_column, check_columns
from ml_assets.domain.durations import Duration
from ml_assets.domain.errors import SpecError

FUNCTIONS = ("count", "sum", "mean", "min", "max", "last")
_FEATURE = re.compile(r"(\w+)(?:\((\w+)\))?")


@dataclass(frozen=True)
class Feature:
    """A function of the rows of before an exposure; `column` is None for `count` alone."""

    function: str
    column: str | None


@dataclass(frozen=True)
class History:
    """Features of an exposure from the rows of `log` with the same values of `by`.

    Such rows happened within `window` (elapsed time) before the exposure, and were known before it.
    """

    log: EventLog
    window: Duration
    by: tuple[str, ...]
    features: Mapping[str, Feature]

    def __post_init__(self) -> None:
        check_columns("history.by", self.by)
        if not self.features:
            raise SpecError("history.features", {}, "at least one feature, such as {visits_7d: count}")
        for name in self.features:
            check_column("history.features", name)


def parse_feature(text: object, *, key: str) -> Feature:
    """Read a feature such as `count` or `sum(price)`.

    Args: `key` names the place in the specification for the error.
    Raises: SpecError when the text is no feature.
    """
    match = _FEATURE.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[1] not in FUNCTIONS or (match[1] == "count") != (match[2] is None):
        raise SpecError(key, text, f"count, or one of {', '.join(FUNCTIONS[1:])} of a column, such as sum(price)")
    return Feature(match[1], match[2])
