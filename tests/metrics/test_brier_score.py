"""Brier score beyond its reference: its range and its minimum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.metrics.brier_score import BRIER_SCORE


def test_certain_predictions_score_zero_when_right_and_one_when_wrong() -> None:
    label = np.array([1.0, 0.0])
    assert (BRIER_SCORE.value(label, label), BRIER_SCORE.value(label, 1 - label)) == (0.0, 1.0)


@given(positives=st.integers(0, 20), negatives=st.integers(1, 20), shift=st.floats(-1, 1))
@settings(max_examples=60)
def test_a_constant_costs_the_variance_and_the_square_of_its_distance_from_the_base_rate(
    positives: int, negatives: int, shift: float
) -> None:
    label = np.array([1.0] * positives + [0.0] * negatives)
    constant = np.clip(label.mean() + shift, 0, 1)
    expected = label.var() + (constant - label.mean()) ** 2
    assert BRIER_SCORE.value(label, np.full(len(label), constant)) == pytest.approx(expected)
