"""Log loss: how surprised the predictions are by the outcomes, in nats per example."""

import numpy as np

from ml_assets.metrics.metric import Metric, Values
from ml_assets.metrics.weighted import weighted_mean


def log_loss(label: Values, prediction: Values, weight: Values) -> Values:
    """Mean negative log likelihood of the labels.

    Shapes: label (n,), prediction (n,), weight (..., n) -> (...). Unit: nats per example, from 0 (certain and right)
    up. Likelihoods are clipped to [eps, 1 - eps] of float64, as scikit-learn does, so a certain and wrong prediction
    costs about 36 and not infinity. Raises nothing; NaN where the weights are all zero.
    Source: Bishop 2006, Pattern Recognition and Machine Learning, eq. 4.90.

    >>> log_loss(np.array([1, 0]), np.array([0.8, 0.4]), np.array([[1, 1], [1, 0]])).round(4)
    array([0.367 , 0.2231])
    """
    likelihood = np.where(label == 1, prediction, 1 - prediction)
    eps = np.finfo(np.float64).eps
    return weighted_mean(-np.log(np.clip(likelihood, eps, 1 - eps)), weight)


LOG_LOSS = Metric(
    name="log_loss",
    title="Log loss",
    better="lower",
    judges="both",
    needs="examples",
    compute=log_loss,
)
