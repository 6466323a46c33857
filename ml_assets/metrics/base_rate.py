"""Base rate: how common the outcome is. It describes the data; no model can be better or worse at it."""

from ml_assets.metrics.metric import Metric, Values
from ml_assets.metrics.weighted import weighted_mean


def base_rate(label: Values, prediction: Values, weight: Values) -> Values:  # noqa: ARG001
    """Mean label; the predictions are not looked at.

    Shapes: label (n,), prediction (n,), weight (..., n) -> (...). Unit: outcomes per example, from 0 to 1.
    Raises nothing; NaN where the weights are all zero.
    Source: the arithmetic mean.

    >>> import numpy as np
    >>> base_rate(np.array([1, 0]), np.array([0.5, 0.5]), np.array([[1, 1], [3, 1]]))
    array([0.5 , 0.75])
    """
    return weighted_mean(label, weight)


BASE_RATE = Metric(
    name="base_rate",
    title="Base rate",
    better="none",
    judges="data",
    needs="examples",
    compute=base_rate,
)
