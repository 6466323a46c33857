"""Whether numbers that compiled code takes for lengths and places fit the arrays that they are of.

What fits is what `fit` leaves. Here: estimators that hold arrays alone. Not here: trees, which are made anew (`plain`).
"""

from typing import Any

import numpy as np
from sklearn.neighbors._base import NeighborsBase
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm._base import BaseSVC


def why_out_of_bounds(value: Any) -> str:
    """What would lead outside of an array; empty where nothing would."""
    match value:
        case NeighborsBase(_fit_X=_):
            return "" if value.n_samples_fit_ == value._fit_X.shape[0] else "another count of rows"
        case BaseSVC(_n_support=_):
            return "" if _vectors_fit(value) else "another count of support vectors"
        case OneHotEncoder(categories_=_):
            return "" if all(map(_codes_fit, *_one_hot(value))) else "a category beyond its columns"
    return ""


def _vectors_fit(value: Any) -> bool:
    vectors, classes = value.support_vectors_.shape[0], len(value.classes_)
    counts = value._n_support
    return (
        counts.shape == (classes,)
        and bool(np.all(counts >= 0))
        and int(counts.sum(dtype=np.int64)) == vectors
        and value._dual_coef_.shape == (classes - 1, vectors)
        and value._intercept_.shape == (classes * (classes - 1) // 2,)
    )


def _one_hot(value: Any) -> tuple[Any, ...]:
    """Of each column its categories, those left out and put together, and how many columns it becomes."""
    none = [None] * len(value.categories_)
    together = value._infrequent_enabled
    return (
        value.categories_,
        value._drop_idx_after_grouping if value._drop_idx_after_grouping is not None else none,
        value._default_to_infrequent_mappings if together else none,
        value._infrequent_indices if together else none,
        value._n_features_outs,
    )


def _codes_fit(categories: Any, left_out: Any, mapping: Any, infrequent: Any, columns: int) -> bool:
    if (mapping is None) != (infrequent is None):
        return False
    codes = np.arange(len(categories)) if mapping is None else np.asarray(mapping)
    if len(codes) != len(categories):
        return False
    if left_out is not None:
        codes = codes[codes != left_out]
        codes = codes - (codes > left_out)
    return bool(np.all((codes >= 0) & (codes < columns)))
