"""What a metric is: its name, its direction, what it judges and what it needs to be computable.

The metrics themselves live in a file each; how values, intervals and reasons become a table is `evaluate`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Compute = Callable[[Values, Values, Values], Values]
Needs = Literal["examples", "positives", "both classes"]


class NotComputable(Exception):
    """A number that these examples cannot give. The message is the reason, written for a person."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number that judges predictions of a binary outcome, or describes the data they were made on.

    `compute(label, prediction, weight)` takes labels (n,) of 0 or 1, predictions (n,) in [0, 1] and weights (..., n)
    of zero or more, and returns (...) values: NaN for a weighting it is not computable on, such as one class only.
    An integer weight counts as that many copies of the row.
    `beside`: what its value is held against: the interval in which it would vary on other examples like these, or what
    a calibrated model would score on the same predictions, for a metric that chance alone raises.
    """

    name: str
    title: str
    better: Literal["lower", "higher", "one", "none"]
    judges: Literal["ranking", "calibration", "both", "data"]
    needs: Needs
    compute: Compute
    beside: Literal["interval", "calibrated"] = "interval"

    @property
    def judges_calibration(self) -> bool:
        """Whether predictions must be of the very outcome that the labels count for this metric to mean anything."""
        return self.judges in ("calibration", "both")

    def value(self, label: Values, prediction: Values) -> float:
        """The metric over all examples, each counted once.

        Raises NotComputable when the examples lack what the metric needs.
        """
        if lack := what_is_lacking(self.needs, label):
            raise NotComputable(lack)
        value = float(self.compute(label, prediction, np.ones(len(label))))
        if not np.isfinite(value):
            raise NotComputable(f"{self.name} came out as {value}")
        return value


def what_is_lacking(needs: Needs, label: Values) -> str:
    """Why labels (n,) fall short of `needs`, or an empty string when they do not."""
    examples, positives = len(label), int(label.sum())
    among = f"among {in_words(examples, 'example')}"
    if examples == 0:
        return "no examples"
    if positives == 0 and needs != "examples":
        return f"one class only: no positive {among}"
    if positives == examples and needs == "both classes":
        return f"one class only: no negative {among}"
    return ""


def in_words(count: int, what: str) -> str:
    """So many of what, such as `1 example` and `2 examples`."""
    return f"{count} {what}{'' if count == 1 else 's'}"
