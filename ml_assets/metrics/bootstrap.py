"""How much a metric would vary on other examples like these: the percentile bootstrap, seeded.

A resample is a weighting: how often each example was drawn, each apart from the others. All metrics are computed on the
same resamples. Where chance alone raises a metric, labels are drawn from the predictions instead.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ml_assets.metrics.metric import Metric, NotComputable, Values, in_words

CHUNK_BYTES = 16 * 2**20  # of weights at a time; a metric holds a few arrays of that size besides
ENOUGH_COMPUTABLE = 0.95
#: Of fewer positives or negatives, resamples are too much alike: of six, the interval of ROC AUC holds the truth four
#: times in five, of ten seven in eight.
ENOUGH_OF_EACH = 10
INTERVAL_QUANTILES = (0.025, 0.975)
A_POINT = "no interval: all resamples give the same value"


def resampled_weights(examples: int, *, resamples: int, seed: int, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Values]:
    """Yield the resamples as weights (rows, examples) of zero or more, at least one row at a time.

    Row by row from one generator, so the same seed gives the same resamples whatever the chunk size.

    >>> [chunk.sum(axis=-1) for chunk in resampled_weights(4, resamples=3, seed=0, chunk_bytes=64)]
    [array([4., 4.]), array([4.])]
    """
    generator = np.random.default_rng(seed)
    rows = max(1, chunk_bytes // (examples * np.dtype(np.float64).itemsize))
    for start in range(0, resamples, rows):
        weight = np.empty((min(rows, resamples - start), examples))
        for row in weight:
            # The same distribution as a multinomial draw, at a tenth of its time.
            row[:] = np.bincount(generator.integers(0, examples, examples), minlength=examples)
        yield weight


def resampled_values(metrics: Sequence[Metric], label: Values, prediction: Values, weights: Iterator[Values]) -> Values:
    """Each metric on each resample: (metrics, resamples), NaN where it is not computable."""
    chunks = [np.stack([metric.compute(label, prediction, weight) for metric in metrics]) for weight in weights]
    return np.concatenate(chunks, axis=-1)


def calibrated_values(metric: Metric, prediction: Values, *, draws: int, seed: int) -> Values:
    """What a calibrated model scores on these predictions (n,), with labels drawn from them: shape (draws,).

    >>> from ml_assets.metrics.brier_score import BRIER_SCORE
    >>> calibrated_values(BRIER_SCORE, np.array([0.0, 1.0]), draws=2, seed=0)
    array([0., 0.])
    """
    generator = np.random.default_rng((seed, 1))  # another stream than that of the resamples
    once = np.ones(len(prediction))
    labels = ((generator.random(len(prediction)) < prediction).astype(np.float64) for _ in range(draws))
    return np.array([metric.compute(label, prediction, once) for label in labels])


def why_no_interval(examples: int, positives: int) -> str:
    """Why examples of so few positives or negatives have no interval, or an empty string.

    >>> why_no_interval(400, 6)
    'no interval: 6 positives among 400 examples, should be at least 10'
    """
    counts = {"positive": positives, "negative": examples - positives}
    for kind, count in counts.items():
        if count == 0:
            return f"no interval: one class only: no {kind} among {in_words(examples, 'example')}"
    for kind, count in counts.items():
        if count < ENOUGH_OF_EACH:
            among = f"{in_words(count, kind)} among {in_words(examples, 'example')}"
            return f"no interval: {among}, should be at least {ENOUGH_OF_EACH}"
    return ""


def percentile_interval(values: Values) -> tuple[float, float]:
    """The central 95 % of the values (resamples,) that are computable.

    Raises NotComputable when fewer than 95 % of them are: the rest would then tell of a selection, not of the data; and
    when the interval is a point: the resamples then tell nothing.
    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.

    >>> percentile_interval(np.arange(201.0))
    (5.0, 195.0)
    """
    computable = values[np.isfinite(values)]
    if len(computable) < ENOUGH_COMPUTABLE * len(values):
        raise NotComputable(
            f"no interval: computable in {len(computable)} of {len(values)} resamples, "
            f"should be in {ENOUGH_COMPUTABLE:.0%} of them"
        )
    low, high = map(float, np.quantile(computable, INTERVAL_QUANTILES))
    if is_a_point(low, high):
        raise NotComputable(A_POINT)
    return low, high


def is_a_point(low: float, high: float) -> bool:
    """Whether an interval has no width but for rounding."""
    return math.isclose(low, high, rel_tol=1e-9, abs_tol=1e-12)
