"""Tables that an older evaluation made: shown as today, without the intervals that are none."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from ml_assets.metrics.evaluate import evaluate
from ml_assets.metrics.stored import NONE_OF_ITS_OWN, as_of_today

DAY = timedelta(days=1)
OLD = ["metric", "value", "low", "high", "examples", "positives", "judges", "comparable", "reason"]


def stored(**rows: tuple[float, float, float, int, int, str]) -> pd.DataFrame:
    """A table as it was: value, low, high, examples, positives and reason of each metric."""
    return pd.DataFrame(
        [(name, *numbers, "ranking", True, reason) for name, (*numbers, reason) in rows.items()], columns=OLD
    )


def test_a_table_of_today_is_left_as_it_is() -> None:
    for label in ([1, 0] * 20, [1, 0], [0, 0], []):
        table = evaluate(label, np.linspace(0.1, 0.9, len(label)), horizon=DAY, attribution=2 * DAY, seed=0)
        pd.testing.assert_frame_equal(as_of_today(table), table)


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        ("roc_auc", (1.0, 1.0, 1.0, 500, 100, ""), "no interval: all resamples give the same value"),
        ("roc_auc", (0.9, 0.8, 1.0, 500, 6, ""), "no interval: 6 positives among 500 examples, should be at least 10"),
        (
            "log_loss",
            (0.3, 0.1, 0.5, 2, 1, "odd"),
            "no interval: 1 positive among 2 examples, should be at least 10; odd",
        ),
        ("expected_calibration_error", (0.01, 0.02, 0.03, 500, 100, "odd"), f"{NONE_OF_ITS_OWN}; odd"),
        ("of_ones_own", (2.0, 2.0, 2.0, 500, 1, ""), "no interval: all resamples give the same value"),
    ],
)
def test_an_interval_that_is_none_becomes_its_reason(
    name: str, row: tuple[float, float, float, int, int, str], reason: str
) -> None:
    table = stored(**{name: row, "base_rate": (0.2, 0.1, 0.3, 500, 100, "")})
    found = as_of_today(table).set_index("metric")
    assert found.loc[name, ["low", "high", "calibrated_low"]].isna().all()
    assert (found.loc[name, "value"], found.loc[name, "reason"]) == (row[0], reason)
    assert found.loc["base_rate", ["value", "low", "high", "reason"]].tolist() == [0.2, 0.1, 0.3, ""]
    assert table["low"].notna().all(), "what was given is not changed"


def test_a_metric_of_ones_own_keeps_its_interval_whatever_is_counted() -> None:
    table = stored(revenue=(2.0, 1.0, 3.0, 5, 1, "")).drop(columns="positives")
    assert as_of_today(table).loc[0, ["low", "high"]].tolist() == [1.0, 3.0]
