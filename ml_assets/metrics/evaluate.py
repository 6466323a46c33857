"""Judging predictions once their outcomes are in: one row per metric, with its interval and its caveats.

Numbers only. Which examples are judged, and when they are mature, is decided before this is called.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ml_assets.metrics.bootstrap import (
    INTERVAL_QUANTILES,
    calibrated_values,
    percentile_interval,
    resampled_values,
    resampled_weights,
    why_no_interval,
)
from ml_assets.metrics.examples import checked
from ml_assets.metrics.metric import Metric, NotComputable, Values
from ml_assets.metrics.registry import ALL_METRICS

if TYPE_CHECKING:
    import pandas as pd

NUMBERS = ("value", "low", "high", "calibrated_low", "calibrated_high")
COLUMNS = ("metric", *NUMBERS, "examples", "positives", "judges", "comparable", "reason")
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

    Shapes: label (n,) of 0 or 1, prediction (n,) in [0, 1]; columns as in `COLUMNS`, with the numbers in the metric's
    own unit, NaN when absent, and an empty reason when all is well. Rows are taken as independent: where they are not,
    such as many of one user, intervals are too narrow. A metric that chance alone raises has no interval, but from
    `calibrated_low` to `calibrated_high` the central 95 % of what a calibrated model would score. `comparable` is False
    for a metric that judges calibration when the horizon is not the attribution: the model predicts outcomes within the
    attribution. The order of the examples does not matter. Raises ValueError for labels, predictions or resamples that
    are refused.

    >>> table = evaluate([1, 0], [0.9, 0.2], horizon=timedelta(days=7), attribution=timedelta(days=7), seed=0)
    >>> table.set_index("metric").loc["roc_auc", "value"].item()
    1.0
    """
    import pandas as pd

    labels, predictions = _in_canonical_order(*checked(label, prediction))
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, should be at least 1")
    beside = _beside(metrics, labels, predictions, resamples=resamples, seed=seed)
    rows = []
    for metric in metrics:
        measured, absence = _measured(metric, labels, predictions, beside.get(metric.name))
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


def _beside(
    metrics: Sequence[Metric], label: Values, prediction: Values, *, resamples: int, seed: int
) -> dict[str, Values]:
    """The values (resamples,) that each metric's own is held against, by its name; without examples, none."""
    if len(label) == 0:
        return {}
    varied = [metric for metric in metrics if metric.beside == "interval"]
    found = {}
    if varied and not why_no_interval(len(label), int(label.sum())):
        weights = resampled_weights(len(label), resamples=resamples, seed=seed)
        values = resampled_values(varied, label, prediction, weights)
        found = {metric.name: of_metric for metric, of_metric in zip(varied, values, strict=True)}
    for metric in metrics:
        if metric.beside == "calibrated":
            found[metric.name] = calibrated_values(metric, prediction, draws=resamples, seed=seed)
    return found


def _measured(metric: Metric, label: Values, prediction: Values, beside: Values | None) -> tuple[dict[str, float], str]:
    """The numbers of a metric, with the reason why some that it should have are NaN."""
    measured = dict.fromkeys(NUMBERS, np.nan)
    try:
        measured["value"] = metric.value(label, prediction)
        if metric.beside == "calibrated" and beside is not None:
            measured["calibrated_low"], measured["calibrated_high"] = np.quantile(beside, INTERVAL_QUANTILES)
        elif beside is not None:
            measured["low"], measured["high"] = percentile_interval(beside)
        else:
            raise NotComputable(why_no_interval(len(label), int(label.sum())))
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
