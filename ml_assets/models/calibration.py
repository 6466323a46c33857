"""Calibration in the large: the one number that makes the mean prediction of some rows their rate.

Here: that number. Not here: how a model keeps it (`gbdt`), or how calibrated it is later (`metrics`).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Halves an interval of log-odds a hundred wide to less than a billionth.
_HALVINGS = 40


def log_odds_shift(log_odds: Floats, rate: float, weight: Floats | None = None) -> float:
    """What to add to the log-odds (n,) so that the mean probability under weight (n,) is `rate`, between 0 and 1.

    To nine digits, since the last digits of an exponential differ between machines.

    >>> log_odds_shift(np.array([0.0, 0.0]), 0.75)
    1.098612289
    """
    wanted = np.log(rate / (1 - rate))
    # With the first all probabilities are below the rate, with the second all above.
    low, high = wanted - log_odds.max() - 1, wanted - log_odds.min() + 1
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if np.average(1 / (1 + np.exp(-(log_odds + middle))), weights=weight) < rate:
            low = middle
        else:
            high = middle
    return round(float(low + high) / 2, 9)
