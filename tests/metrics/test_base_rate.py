"""Base rate: it looks at labels only."""

import numpy as np

from ml_assets.metrics.base_rate import BASE_RATE


def test_the_predictions_do_not_matter() -> None:
    label = np.array([1.0, 0.0, 0.0, 1.0])
    assert BASE_RATE.value(label, np.zeros(4)) == BASE_RATE.value(label, np.linspace(0, 1, 4)) == 0.5


def test_no_positive_is_a_rate_of_zero_and_not_an_absent_one() -> None:
    assert BASE_RATE.value(np.zeros(3), np.full(3, 0.1)) == 0.0
