"""Expected calibration error beyond its reference: its bins, and the bounds that any binning obeys."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from ml_assets.metrics.expected_calibration_error import EXPECTED_CALIBRATION_ERROR, expected_calibration_error


def test_it_is_the_mean_gap_of_the_quantile_calibration_curve() -> None:
    generator = np.random.default_rng(0)
    prediction = generator.beta(1, 30, 1000)
    label = (generator.random(1000) < 2 * prediction).astype(float)
    mean_label, mean_prediction = calibration_curve(label, prediction, n_bins=10, strategy="quantile")
    expected = np.abs(mean_label - mean_prediction).mean()  # of ten bins with a hundred examples each
    assert len(mean_label) == 10
    assert EXPECTED_CALIBRATION_ERROR.value(label, prediction) == pytest.approx(expected, rel=1e-12)


def test_predictions_that_are_right_within_each_bin_have_no_error() -> None:
    tenths = np.repeat(np.arange(10), 10)
    label = (np.tile(np.arange(10), 10) < tenths).astype(float)
    assert EXPECTED_CALIBRATION_ERROR.value(label, tenths / 10) == pytest.approx(0, abs=1e-15)


def test_errors_of_two_bins_do_not_cancel() -> None:
    label, prediction = np.repeat([0.0, 1.0], 50), np.repeat([0.4, 0.6], 50)
    assert EXPECTED_CALIBRATION_ERROR.value(label, prediction) == pytest.approx(0.4)


def test_the_bins_are_those_of_the_predictions_whatever_the_weights() -> None:
    label, prediction = np.tile([0.0, 1.0], 10), np.linspace(0.05, 0.95, 20)
    weight = np.where(np.arange(20) < 2, 1.0, 0.0)  # the lowest bin alone
    expected = abs(prediction[:2].mean() - 0.5)
    assert float(expected_calibration_error(label, prediction, weight)) == pytest.approx(expected)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.integers(0, 100)), min_size=1, max_size=60))
@settings(max_examples=60)
def test_it_lies_between_the_overall_gap_and_the_mean_distance(rows: list[tuple[float, int]]) -> None:
    label, percent = np.array(rows, dtype=float).T
    prediction = percent / 100
    value = EXPECTED_CALIBRATION_ERROR.value(label, prediction)
    assert abs(prediction.mean() - label.mean()) - 1e-12 <= value <= np.abs(prediction - label).mean() + 1e-12
