"""How much a metric would vary on other examples like these: the percentile bootstrap, seeded.

A resample is a weighting: how often each example was drawn. All metrics are computed on the same resamples.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ml_assets.metrics.metric import Metric, NotComputable, Values

CHUNK_BYTES = 16 * 2**20  # of weights at a time; a metric holds a few arrays of that size besides
ENOUGH_COMPUTABLE = 0.95
INTERVAL_QUANTILES = (0.025, 0.975)


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


def percentile_interval(values: Values) -> tuple[float, float]:
    """The central 95 % of the values (resamples,) that are computable.

    Raises NotComputable when fewer than 95 % of them are: the rest would then tell of a selection, not of the data.
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
    low, high = np.quantile(computable, INTERVAL_QUANTILES)
    return float(low), float(high)
