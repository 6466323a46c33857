"""Calibration ratio beyond its reference: what 1 means, and how it scales."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.metrics.calibration_ratio import CALIBRATION_RATIO

LABELS = st.lists(st.sampled_from([0.0, 1.0]), max_size=40).map(lambda rows: np.array([1.0, *rows]))


@given(LABELS)
@settings(max_examples=60)
def test_predictions_that_add_up_to_the_outcomes_are_calibrated(label: np.ndarray) -> None:
    assert CALIBRATION_RATIO.value(label, np.full(len(label), label.mean())) == pytest.approx(1)


@given(LABELS, st.floats(0, 1))
@settings(max_examples=60)
def test_it_scales_with_the_predictions(label: np.ndarray, scale: float) -> None:
    prediction = np.linspace(0, 1, len(label))
    expected = scale * CALIBRATION_RATIO.value(label, prediction)
    assert CALIBRATION_RATIO.value(label, scale * prediction) == pytest.approx(expected)


def test_more_than_one_is_predicting_too_much() -> None:
    assert CALIBRATION_RATIO.value(np.array([1.0, 0.0]), np.array([0.9, 0.6])) == 1.5
