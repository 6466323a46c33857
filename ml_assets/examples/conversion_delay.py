"""How long a simulated conversion takes to come: a distribution to draw from, and to know exactly.

A mixture of three exponentials (at once, the same day, weeks later), each cut off at 30 days. The weights of
the mixture belong to whoever simulates. The shape is that of display advertising: about 35 % of the
conversions within an hour and half of them within a day (O. Chapelle, "Modeling Delayed Feedback in Display
Advertising", KDD 2014).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHORTEST = 1.0
LONGEST = 30 * 86_400.0
_MEANS = np.array([10 * 60.0, 6 * 3_600.0, 12 * 86_400.0])
_REACHED = -np.expm1(-(LONGEST - SHORTEST) / _MEANS)


def probability_within(seconds: float, weights: Floats) -> Floats:
    """P(delay < seconds), one for each row of `weights` (n, 3), whose rows sum to 1."""
    elapsed = np.clip(seconds, SHORTEST, LONGEST) - SHORTEST
    within: Floats = weights @ (-np.expm1(-elapsed / _MEANS) / _REACHED)
    return within


def draw(rng: np.random.Generator, weights: Floats) -> Floats:
    """Seconds from impression to conversion, in [1 s, 30 days), one for each row of `weights` (n, 3)."""
    picked = (rng.random((len(weights), 1)) >= weights.cumsum(axis=1)[:, :-1]).sum(axis=1)
    delays: Floats = SHORTEST - _MEANS[picked] * np.log1p(-rng.random(len(weights)) * _REACHED[picked])
    return delays
