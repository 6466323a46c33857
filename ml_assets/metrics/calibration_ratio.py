"""Calibration ratio: outcomes expected per outcome observed, over all examples together."""

from ml_assets.metrics.metric import Metric, Values
from ml_assets.metrics.weighted import ratio


def calibration_ratio(label: Values, prediction: Values, weight: Values) -> Values:
    """Sum of predictions divided by sum of labels.

    Shapes: label (n,), prediction (n,), weight (..., n) -> (...). Unit: none; 1 is calibrated on average, more is
    predicting too much. Raises nothing; NaN where no positive has weight.
    Source: He et al. 2014, Practical Lessons from Predicting Clicks on Ads at Facebook, section 3.

    >>> import numpy as np
    >>> calibration_ratio(np.array([1, 0]), np.array([0.5, 0.25]), np.array([[1, 1], [0, 1]]))
    array([0.75,  nan])
    """
    return ratio((weight * prediction).sum(axis=-1), (weight * label).sum(axis=-1))


CALIBRATION_RATIO = Metric(
    name="calibration_ratio",
    title="Calibration ratio",
    better="one",
    judges="calibration",
    needs="positives",
    compute=calibration_ratio,
)
