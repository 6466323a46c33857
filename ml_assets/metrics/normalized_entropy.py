"""Normalized entropy: log loss relative to always predicting the base rate, so that it compares across base rates."""

import numpy as np

from ml_assets.metrics.base_rate import base_rate
from ml_assets.metrics.log_loss import log_loss
from ml_assets.metrics.metric import Metric, Values
from ml_assets.metrics.weighted import ratio


def normalized_entropy(label: Values, prediction: Values, weight: Values) -> Values:
    """Log loss divided by the entropy of the mean label.

    Shapes: label (n,), prediction (n,), weight (..., n) -> (...). Unit: none; 0 is certain and right, 1 is as good as
    predicting the base rate for all, more is worse than that. Raises nothing; NaN where only one class has weight,
    because the entropy is zero there.
    Source: He et al. 2014, Practical Lessons from Predicting Clicks on Ads at Facebook, section 3.

    >>> normalized_entropy(np.array([1, 0]), np.array([0.5, 0.5]), np.array([[1, 1], [1, 0]]))
    array([ 1., nan])
    """
    return ratio(log_loss(label, prediction, weight), _entropy(base_rate(label, prediction, weight)))


def _entropy(rate: Values) -> Values:
    """Entropy in nats of an event of this rate; zero, its limit, at rates 0 and 1."""
    inside = np.where((rate > 0) & (rate < 1), rate, 0.5)
    entropy = -(inside * np.log(inside) + (1 - inside) * np.log1p(-inside))
    return np.where(inside == rate, entropy, 0.0)


NORMALIZED_ENTROPY = Metric(
    name="normalized_entropy",
    title="Normalized entropy",
    better="lower",
    judges="both",
    needs="both classes",
    compute=normalized_entropy,
)
