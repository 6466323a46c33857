"""Normalized entropy beyond its reference: what 1 means, and where it is absent."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.metrics.normalized_entropy import NORMALIZED_ENTROPY, normalized_entropy


@given(positives=st.integers(1, 40), negatives=st.integers(1, 4000))
@settings(max_examples=60)
def test_predicting_the_base_rate_for_all_is_one(positives: int, negatives: int) -> None:
    label = np.array([1.0] * positives + [0.0] * negatives)
    assert NORMALIZED_ENTROPY.value(label, np.full(len(label), label.mean())) == pytest.approx(1, rel=1e-9)


def test_knowing_more_than_the_base_rate_is_below_one_and_knowing_less_is_above() -> None:
    label = np.array([1.0, 0.0, 0.0, 0.0])
    assert NORMALIZED_ENTROPY.value(label, np.array([0.7, 0.1, 0.1, 0.1])) < 1
    assert NORMALIZED_ENTROPY.value(label, np.array([0.1, 0.3, 0.3, 0.3])) > 1


def test_a_resample_of_one_class_is_absent_and_not_infinite() -> None:
    label, prediction = np.array([1.0, 0.0]), np.array([0.6, 0.4])
    values = normalized_entropy(label, prediction, np.array([[3.0, 0.0], [0.0, 3.0], [1.0, 1.0]]))
    assert np.isnan(values).tolist() == [True, True, False]
