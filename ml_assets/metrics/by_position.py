"""A model of clicks judged position by position, and its predictions with the position held: what position explains."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ml_assets.metrics.calibration_ratio import CALIBRATION_RATIO
from ml_assets.metrics.examples import checked
from ml_assets.metrics.log_loss import LOG_LOSS
from ml_assets.metrics.metric import Metric, NotComputable, Values
from ml_assets.metrics.roc_auc import ROC_AUC

if TYPE_CHECKING:
    import pandas as pd

_METRICS = (LOG_LOSS, CALIBRATION_RATIO, ROC_AUC)


def by_position(
    position: npt.ArrayLike, label: npt.ArrayLike, prediction: npt.ArrayLike, at_first: npt.ArrayLike
) -> "pd.DataFrame":
    """One row per position, ascending; a metric that the position's examples cannot give is NaN.

    Shapes: all (n,); `at_first` are the predictions for the same rows as if all were shown in position 1.
    Columns: position, examples, clicks, click_rate, predicted, predicted_at_first (means), log_loss, calibration_ratio
    and roc_auc, which within one position judges ranking without position bias. Where predicted_at_first differs by
    position, other items were shown there; how far predicted is from it is the position's effect.

    >>> table = by_position([1, 1, 2, 2], [1, 0, 0, 0], [0.4, 0.2, 0.2, 0.1], [0.4, 0.2, 0.4, 0.2])
    >>> table[["position", "examples", "clicks", "predicted", "predicted_at_first"]].round(2).to_numpy().tolist()
    [[1.0, 2.0, 1.0, 0.3, 0.3], [2.0, 2.0, 0.0, 0.15, 0.3]]
    """
    import pandas as pd

    labels, predictions = checked(label, prediction)
    _, firsts = checked(label, at_first)
    positions = np.asarray(position)
    if positions.shape != labels.shape:
        raise ValueError(f"position has the shape {positions.shape}, should have {labels.shape}: one per example")
    rows = []
    for here in np.unique(positions):
        chosen = positions == here
        rows.append(
            {
                "position": here,
                "examples": int(chosen.sum()),
                "clicks": int(labels[chosen].sum()),
                "click_rate": labels[chosen].mean(),
                "predicted": predictions[chosen].mean(),
                "predicted_at_first": firsts[chosen].mean(),
                **{metric.name: _value(metric, labels[chosen], predictions[chosen]) for metric in _METRICS},
            }
        )
    means = ("position", "examples", "clicks", "click_rate", "predicted", "predicted_at_first")
    return pd.DataFrame(rows, columns=[*means, *(metric.name for metric in _METRICS)])


def _value(metric: Metric, label: Values, prediction: Values) -> float:
    try:
        return metric.value(label, prediction)
    except NotComputable:
        return float("nan")
