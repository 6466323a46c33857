"""Expected calibration error: how far predictions are from outcomes, bin by bin, where a single ratio would cancel."""

import numpy as np

from ml_assets.metrics.metric import Metric, Values
from ml_assets.metrics.weighted import ratio, sums_by_group

BINS = 10


def expected_calibration_error(label: Values, prediction: Values, weight: Values) -> Values:
    """Mean over bins of |mean prediction - mean label|, each bin counting by its weight.

    Shapes: label (n,), prediction (n,), weight (..., n) -> (...). Unit: probability, from 0 to 1. Bins hold equal
    counts, because conversion probabilities crowd near zero; the predictions alone fix them, so that all resamples
    share them. Equal predictions share a bin, so many ties make fewer bins. Raises nothing; NaN where the weights are
    all zero. It is an absolute value of noisy means, so chance alone makes it more than 0, and more in a resample than
    in the data: it has no percentile interval. It is held against what a calibrated model scores.
    Source: Naeini et al. 2015, Obtaining Well Calibrated Probabilities Using Bayesian Binning; equal counts as in
    Nguyen and O'Connor 2015; the edges are those of scikit-learn's calibration_curve(strategy="quantile").

    >>> expected_calibration_error(np.array([1, 0]), np.array([0.75, 0.5]), np.array([[1, 1], [1, 0]]))
    array([0.375, 0.25 ])
    """
    inner_edges = np.percentile(prediction, np.linspace(0, 1, BINS + 1)[1:-1] * 100)
    bins = np.searchsorted(inner_edges, prediction).astype(np.float64)
    # A bin's weight cancels: W_b / W * |P_b / W_b - Y_b / W_b| = |P_b - Y_b| / W.
    gaps = np.abs(sums_by_group(bins, weight * (prediction - label)))
    return ratio(gaps.sum(axis=-1), weight.sum(axis=-1))


EXPECTED_CALIBRATION_ERROR = Metric(
    name="expected_calibration_error",
    title="Expected calibration error",
    better="lower",
    judges="calibration",
    needs="examples",
    compute=expected_calibration_error,
    beside="calibrated",
)
