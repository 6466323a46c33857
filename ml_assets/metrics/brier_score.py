"""Brier score: the squared error of a probability."""

import numpy as np

from ml_assets.metrics.metric import Metric, Values
from ml_assets.metrics.weighted import weighted_mean


def brier_score(label: Values, prediction: Values, weight: Values) -> Values:
    """Mean squared difference of prediction and label.

    Shapes: label (n,), prediction (n,), weight (..., n) -> (...). Unit: squared probability, from 0 (certain and
    right) to 1 (certain and wrong). Raises nothing; NaN where the weights are all zero.
    Source: Brier 1950, Verification of Forecasts Expressed in Terms of Probability, halved as is usual for two classes.

    >>> brier_score(np.array([1, 0]), np.array([0.5, 0.0]), np.array([[1, 1], [1, 0]]))
    array([0.125, 0.25 ])
    """
    return weighted_mean(np.square(prediction - label), weight)


BRIER_SCORE = Metric(
    name="brier_score",
    title="Brier score",
    better="lower",
    judges="both",
    needs="examples",
    compute=brier_score,
)
