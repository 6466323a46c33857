"""Judging predictions once their outcomes are in: one row per metric, with its interval and its caveats.

Numbers only. Which examples are judged, and when they are mature, is decided before this is called.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ml_assets.metrics.bootstrap import percentile_interval, resampled_values, resampled_weights
from ml_assets.metrics.examples import checked
from ml_assets.metrics.metric import Metric, NotComputable, Values, what_is_lacking
from ml_assets.metrics.registry import ALL_METRICS

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("metric", "value", "low", "high", "examples", "positives", "judges", "comparable", "reason")
UNITS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))


def evaluate(
    label: npt.ArrayLike,
    prediction: npt.ArrayLike,
    *,
    horizon: timedelta,
    attribution: timedelta,
    seed: int,
    resamples: int = 200,
    metrics: Sequence[Metric] = ALL_METRICS,
) -> "pd.DataFrame":
    """One row per metric: its value and 95 % percentile bootstrap interval, or the reason why they are absent.

    Shapes: label (n,) of 0 or 1, prediction (n,) in [0, 1]; columns as in `COLUMNS`, with value, low and high in the
    metric's own unit, NaN when absent, and an empty reason when all is well. `comparable` is False for a metric that
    judges calibration when the horizon is not the attribution: the model predicts outcomes within the attribution.
    The order of the examples does not matter. Raises ValueError for labels, predictions or resamples that are refused.

    >>> table = evaluate([1, 0], [0.9, 0.2], horizon=timedelta(days=7), attribution=timedelta(days=7), seed=0)
    >>> table.set_index("metric").loc["roc_auc", "value"].item()
    1.0
    """
    import pandas as pd

    labels, predictions = _in_canonical_order(*checked(label, prediction))
    draws = _draws(metrics, labels, predictions, resamples=resamples, seed=seed)
    rows = []
    for metric, values in zip(metrics, draws, strict=True):
        measured, absence = _measured(metric, labels, predictions, values)
        caveat = _why_not_comparable(metric, horizon=horizon, attribution=attribution)
        rows.append(
            {
                "metric": metric.name,
                **measured,
                "examples": len(labels),
                "positives": int(labels.sum()),
                "judges": metric.judges,
                "comparable": not caveat,
                "reason": "; ".join(filter(None, (absence, caveat))),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _in_canonical_order(label: Values, prediction: Values) -> tuple[Values, Values]:
    """Sorted, so that the order in which a store returns rows cannot change the draws; and sorted arrays are faster."""
    order = np.lexsort((label, prediction))
    return label[order], prediction[order]


def _draws(
    metrics: Sequence[Metric], label: Values, prediction: Values, *, resamples: int, seed: int
) -> Sequence[Values]:
    """The values (resamples,) of each metric; none of them when there is nothing to resample."""
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, should be at least 1")
    if len(label) == 0:
        return [np.empty(0) for _ in metrics]
    weights = resampled_weights(len(label), resamples=resamples, seed=seed)
    return list(resampled_values(metrics, label, prediction, weights))


def _measured(metric: Metric, label: Values, prediction: Values, draws: Values) -> tuple[dict[str, float], str]:
    """Value, low and high, with the reason why some are NaN."""
    measured = {"value": np.nan, "low": np.nan, "high": np.nan}
    try:
        measured["value"] = metric.value(label, prediction)
        # Resamples of one class never hold the other: their spread would be far too narrow, often zero.
        if lack := what_is_lacking("both classes", label):
            raise NotComputable(f"no interval: {lack}")
        measured["low"], measured["high"] = percentile_interval(draws)
    except NotComputable as absence:
        return measured, absence.reason
    return measured, ""


def _why_not_comparable(metric: Metric, *, horizon: timedelta, attribution: timedelta) -> str:
    if not metric.judges_calibration or horizon == attribution:
        return ""
    return (
        f"the horizon of {_in_words(horizon)} is not the attribution of {_in_words(attribution)}: "
        "it judges ranking, not calibration"
    )


def _in_words(duration: timedelta) -> str:
    for unit, length in UNITS:
        if duration % length == timedelta(0):
            count = duration // length
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{duration.total_seconds():g} seconds"
