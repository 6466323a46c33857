"""Calibration in the large: whatever the log-odds, weights and rate, the shifted mean is the rate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.models.calibration import log_odds_shift


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=20), st.floats(1e-6, 1 - 1e-6), st.randoms())
@settings(max_examples=40)
def test_the_weighted_mean_probability_is_the_rate(log_odds, rate, randomness):
    score = np.array(log_odds)
    weight = np.array([randomness.uniform(0.1, 10) for _ in log_odds])
    for given_weight in (None, weight):
        shifted = score + log_odds_shift(score, rate, given_weight)
        assert np.average(1 / (1 + np.exp(-shifted)), weights=given_weight) == pytest.approx(rate, rel=1e-7)


def test_what_is_calibrated_already_is_left():
    score = np.random.default_rng(0).normal(-3, 1, 1000)
    assert log_odds_shift(score, float(np.mean(1 / (1 + np.exp(-score))))) == pytest.approx(0, abs=1e-9)
