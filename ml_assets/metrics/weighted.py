"""Sums over weighted examples: the arithmetic that several metrics share. No metric is defined here.

Rows are added with numpy's own sum, not with a matrix product: a BLAS may add in another order for another number of
rows, and the value of a resample must not depend on how many were computed with it.
"""

import numpy as np

from ml_assets.metrics.metric import Values


def ratio(numerator: Values, denominator: Values) -> Values:
    """Divide (...) by (...), NaN where the denominator is not positive.

    >>> ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0]))
    array([0.5, nan])
    """
    quotient: Values = np.full(np.shape(denominator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=np.greater(denominator, 0))
    return quotient


def weighted_mean(values: Values, weight: Values) -> Values:
    """Mean of values (n,) under weights (..., n): (...) means, NaN where the weights are all zero.

    >>> weighted_mean(np.array([1.0, 3.0]), np.array([[1, 1], [0, 2], [0, 0]]))
    array([ 2.,  3., nan])
    """
    return ratio((weight * values).sum(axis=-1), weight.sum(axis=-1))


def sums_by_group(group: Values, values: Values) -> Values:
    """Sum values (..., n) over the examples of equal group (n,): (..., groups), in ascending order of group.

    >>> sums_by_group(np.array([0.9, 0.1, 0.9]), np.array([1.0, 2.0, 3.0]))
    array([2., 4.])
    """
    order = np.argsort(group, kind="stable")  # linear on the sorted predictions that an evaluation passes
    starts = np.flatnonzero(np.diff(group[order], prepend=np.nan))  # the first difference is NaN, which is not zero
    return np.add.reduceat(np.take(values, order, axis=-1), starts, axis=-1)
