"""Average precision: how pure the top of the ranking is. Its chance level is the base rate, not 0.5."""

import numpy as np

from ml_assets.metrics.metric import Metric, Values
from ml_assets.metrics.weighted import ratio, sums_by_group


def average_precision(label: Values, prediction: Values, weight: Values) -> Values:
    """Precision at each threshold, averaged with the recall that the threshold adds as weight; not interpolated.

    Shapes: label (n,), prediction (n,), weight (..., n) -> (...). Unit: none; the base rate is chance, 1 is perfect.
    Tied predictions share one threshold. Raises nothing; NaN where no positive has weight.
    Source: scikit-learn, average_precision_score: sum over thresholds of (R_k - R_{k-1}) P_k.

    >>> average_precision(np.array([1, 0, 1]), np.array([0.9, 0.7, 0.2]), np.array([[1, 1, 1], [0, 1, 0]])).round(4)
    array([0.8333,    nan])
    """
    positives = _descending(sums_by_group(prediction, weight * label))
    examples = _descending(sums_by_group(prediction, weight))
    precision = ratio(positives.cumsum(axis=-1), examples.cumsum(axis=-1))
    # Precision is NaN above the first threshold that has weight. Nothing is recalled there, so it must add nothing.
    recalled = np.multiply(positives, precision, out=np.zeros(positives.shape), where=positives > 0)
    return ratio(recalled.sum(axis=-1), positives.sum(axis=-1))


def _descending(by_threshold: Values) -> Values:
    return by_threshold[..., ::-1]


AVERAGE_PRECISION = Metric(
    name="average_precision",
    title="Average precision",
    better="higher",
    judges="ranking",
    needs="positives",
    compute=average_precision,
)
