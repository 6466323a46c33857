"""A category of many values (users, items) as a number: the positive rate of each value, shrunk towards that of all.

Trees choose among thousands of values by luck, and learn little of those that are seen a few times. A rate orders them
by what is known of each, and a row of training is told the rate of the others' labels alone.
Here: the rates, and how a training row gets its own. Not here: which features are categories (`encoders`), trees.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: More values than this are rates. Fewer are left to the trees, which then find which of them belong together.
FEW = 32
_FOLDS = 5
_KINDS = 20  # of rows, at least, so that the folds are of about one size


def shrunk_rates(codes: Floats, labels: Floats, weight: Floats, values: int) -> Floats:
    """The rate of each value by its code, then those of missing and of unseen values: shape (values + 2,).

    An unseen value has the rate of all rows; the more rows a value has, the more its own rate counts, and
    the less values differ beyond chance, the less it does.
    Shapes: codes (n,) from 0 to values - 1, NaN where missing; labels (n,) of 0 or 1; weight (n,), positive.
    Source: empirical Bayes of a beta-binomial by moments, as in Kleinman 1973, Proportions with Extraneous Variance.
    """
    places = slots(codes, values)
    rows = np.bincount(places, weight, values + 2)
    positives = np.bincount(places, weight * labels, values + 2)
    rate = positives.sum() / rows.sum()
    by_chance = rate * (1 - rate)
    seen = rows > 0
    own = np.divide(positives, rows, out=np.full(values + 2, rate), where=seen)
    beyond_chance = (rows * np.square(own - rate)).sum() - (seen.sum() - 1) * by_chance
    if beyond_chance <= 0:
        return np.full(values + 2, rate)
    spread = beyond_chance / (rows.sum() - np.square(rows).sum() / rows.sum())
    # How many rows the rate of all is worth.
    strength = by_chance / spread
    return np.asarray((positives + strength * rate) / (rows + strength))


def rates_of_others(codes: Floats, labels: Floats, weight: Floats, values: int, folds: NDArray[np.int64]) -> Floats:
    """The rate of each training row's value, shape (n,), as the rows of other folds (n,) than its own have it.

    With its own label in its rate, a row would teach the trees to trust rates of few rows.
    Shapes: as in `shrunk_rates`.
    """
    places = slots(codes, values)
    result = np.empty(len(codes))
    for fold in np.unique(folds):
        own = folds == fold
        result[own] = shrunk_rates(codes[~own], labels[~own], weight[~own], values)[places[own]]
    return result


def folds_apart(others: Floats, seed: int) -> NDArray[np.int64]:
    """A fold for each row, shape (n,), the same for rows that are alike in all `others`, shape (n, features).

    Rows that are alike may be one visit that was logged many times, and would tell each other their label. Where there
    are few kinds of rows, the folds are of single rows.
    """
    kinds = np.zeros(len(others), dtype=np.int64)
    if others.shape[1]:
        kinds = np.unique(others, axis=0, return_inverse=True)[1].reshape(-1)
    count = int(kinds.max()) + 1
    if count < _KINDS:
        kinds, count = np.arange(len(others)), len(others)
    return np.asarray((np.random.default_rng(seed).permutation(count) % _FOLDS)[kinds])


def slots(codes: Floats, values: int) -> NDArray[np.int64]:
    """Where the rate of each code stands among `shrunk_rates`: behind the values for missing ones (NaN)."""
    return np.where(np.isnan(codes), values, codes).astype(np.int64)
