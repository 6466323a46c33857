"""Tables of metrics that an older `evaluate` made, brought to what it makes today, as far as they tell."""

from typing import TYPE_CHECKING

import numpy as np

from ml_assets.metrics.bootstrap import A_POINT, is_a_point, why_no_interval
from ml_assets.metrics.evaluate import NUMBERS
from ml_assets.metrics.registry import ALL_METRICS

if TYPE_CHECKING:
    import pandas as pd

NONE_OF_ITS_OWN = "no interval: resamples raise it; made anew, it is held against what a calibrated model would score"


def as_of_today(table: "pd.DataFrame") -> "pd.DataFrame":
    """The same rows without the intervals that are none: of too few examples, a point, or of a metric without one.

    Args: `table`: with the columns of `evaluate` or of an older one. Values are left as they are, and so is a row of a
    metric that a notebook of one's own added, but for an interval that is a point.
    """
    found = table.reindex(columns=[*table.columns, *(name for name in NUMBERS if name not in table.columns)])
    standard = {metric.name: metric for metric in ALL_METRICS}
    for index, row in table.iterrows():
        if not np.isfinite(row["low"]):
            continue
        metric = standard.get(row["metric"])
        few = why_no_interval(int(row["examples"]), int(row["positives"])) if metric and "positives" in row else ""
        reason = few or (A_POINT if is_a_point(row["low"], row["high"]) else "")
        if metric is not None and metric.beside != "interval":
            reason = NONE_OF_ITS_OWN
        if reason:
            found.loc[index, ["low", "high"]] = np.nan
            found.loc[index, "reason"] = "; ".join(filter(None, (reason, row["reason"])))
    return found
