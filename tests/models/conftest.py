"""The rows that the tests of models learn from: clicks whose true probability of a conversion is known, in two parts."""

import numpy as np
import pandas as pd
import pytest

ROWS = 20_000


@pytest.fixture(scope="session")
def clicks() -> pd.DataFrame:
    """Clicks with features of every kind, a `label`, and the `probability` that it was drawn with."""
    rng = np.random.default_rng(20260101)
    campaigns = rng.normal(0, 0.8, 40)
    campaign, user = rng.integers(0, 40, ROWS), rng.integers(0, 5_000, ROWS)
    hour, price = rng.integers(0, 24, ROWS), rng.lognormal(0, 1, ROWS)
    device = rng.integers(0, 3, ROWS)
    score = -2.0 + campaigns[campaign] + np.array([0.0, 0.5, -0.5])[device] + 0.5 * np.sin(hour / 24 * 2 * np.pi)
    probability = 1 / (1 + np.exp(-(score - 0.4 * np.log(price))))
    return pd.DataFrame(
        {
            "user": user,
            "campaign": [f"c{number}" for number in campaign],
            "device": pd.Categorical.from_codes(device, pd.Index(["pc", "phone", "tablet"])),
            "hour": hour,
            "price": np.where(rng.random(ROWS) < 0.05, np.nan, price),
            "returning": rng.random(ROWS) < 0.5,
            "label": (rng.random(ROWS) < probability).astype(int),
            "probability": probability,
        }
    )


@pytest.fixture(scope="module")
def training(clicks) -> pd.DataFrame:
    return clicks[:14_000]


@pytest.fixture(scope="module")
def unseen(clicks) -> pd.DataFrame:
    return clicks[14_000:]
