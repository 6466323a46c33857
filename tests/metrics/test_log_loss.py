"""Log loss beyond its reference: clipping and its minimum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.metrics.log_loss import LOG_LOSS, log_loss


def test_a_certain_and_wrong_prediction_costs_the_clipped_likelihood() -> None:
    costs = log_loss(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.eye(2))
    assert costs == pytest.approx(-np.log(np.finfo(float).eps))


def test_a_certain_and_right_prediction_costs_next_to_nothing() -> None:
    assert 0 < LOG_LOSS.value(np.array([1.0, 0.0]), np.array([1.0, 0.0])) < 1e-15


@given(positives=st.integers(0, 20), negatives=st.integers(1, 20), other=st.floats(0, 1))
@settings(max_examples=60)
def test_no_constant_prediction_beats_the_base_rate(positives: int, negatives: int, other: float) -> None:
    label = np.array([1.0] * positives + [0.0] * negatives)
    best = LOG_LOSS.value(label, np.full(len(label), label.mean()))
    assert best <= LOG_LOSS.value(label, np.full(len(label), other)) + 1e-12
