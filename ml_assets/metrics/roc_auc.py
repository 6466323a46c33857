"""ROC AUC: how often a positive is ranked above a negative."""

from ml_assets.metrics.metric import Metric, Values
from ml_assets.metrics.weighted import ratio, sums_by_group


def roc_auc(label: Values, prediction: Values, weight: Values) -> Values:
    """Share of (positive, negative) pairs in which the positive has the higher prediction; a tie counts half.

    Shapes: label (n,), prediction (n,), weight (..., n) -> (...). Unit: none; 0.5 is chance, 1 is perfect.
    Raises nothing; NaN where only one class has weight.
    Source: Hanley and McNeil 1982, The Meaning and Use of the Area under a ROC Curve (the Mann-Whitney form).

    >>> import numpy as np
    >>> roc_auc(np.array([1, 0, 0]), np.array([0.7, 0.7, 0.2]), np.array([[1, 1, 1], [1, 0, 0]]))
    array([0.75,  nan])
    """
    positives = sums_by_group(prediction, weight * label)
    negatives = sums_by_group(prediction, weight * (1 - label))
    lower_or_half_tied = negatives.cumsum(axis=-1) - negatives / 2
    pairs = positives.sum(axis=-1) * negatives.sum(axis=-1)
    return ratio((positives * lower_or_half_tied).sum(axis=-1), pairs)


ROC_AUC = Metric(
    name="roc_auc",
    title="ROC AUC",
    better="higher",
    judges="ranking",
    needs="both classes",
    compute=roc_auc,
)
