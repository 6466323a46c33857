"""Why models train on mature examples alone: the positive rate of a simulated log whose outcomes come late."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

Frames = Callable[..., pd.DataFrame]

EXPOSURES = 20_000
CONVERT = 0.2
WINDOW = timedelta(days=14)
ATTRIBUTION = timedelta(days=7)
CUTOFF = datetime(2026, 3, 15, tzinfo=UTC)


@pytest.fixture(scope="module", params=[0, 1, 2], ids="seed {}".format)
def examples(request: pytest.FixtureRequest, labelled: Frames) -> pd.DataFrame:
    """Training examples of two weeks up to the cutoff, and in `truth` the label that each has in the end.

    A fifth convert, at any moment within the attribution.
    """
    rng = np.random.default_rng(request.param)
    times = _from(CUTOFF - WINDOW, rng.random(EXPOSURES) * WINDOW.total_seconds())
    exposures = pd.DataFrame({"id": np.arange(EXPOSURES), "time": times})
    converted = rng.random(EXPOSURES) < CONVERT
    delay = pd.to_timedelta(rng.random(EXPOSURES) * ATTRIBUTION.total_seconds(), unit="s").floor("us")
    outcomes = exposures.assign(time=exposures["time"] + delay)[converted]
    known = outcomes[outcomes["time"] < CUTOFF]
    found = labelled(exposures, known, keys=["id"], by_id=True, within=ATTRIBUTION, observed_until=CUTOFF)
    return found.sort_values("id", ignore_index=True).assign(truth=converted)


def _from(start: datetime, seconds: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.Timestamp(start) + pd.to_timedelta(seconds, unit="s").floor("us"))


def standard_errors(kept: pd.DataFrame, truth: float) -> float:
    """How far the positive rate of the rows kept is from the truth, in standard errors."""
    return float((kept["label"].mean() - truth) / np.sqrt(truth * (1 - truth) / len(kept)))


def test_mature_examples_alone_have_the_true_positive_rate(examples: pd.DataFrame) -> None:
    mature = examples[examples["mature"]]
    assert 0.4 < len(mature) / len(examples) < 0.6
    assert abs(standard_errors(mature, examples["truth"].mean())) < 4


def test_the_label_of_a_mature_example_is_final(examples: pd.DataFrame) -> None:
    mature = examples[examples["mature"]]
    assert (mature["label"] == mature["truth"]).all()


def test_dropping_only_the_immature_examples_without_an_outcome_biases_upwards(examples: pd.DataFrame) -> None:
    kept = examples[examples["mature"] | (examples["label"] == 1)]
    assert standard_errors(kept, examples["truth"].mean()) > 10


def test_keeping_all_examples_with_the_labels_of_the_cutoff_biases_downwards(examples: pd.DataFrame) -> None:
    assert standard_errors(examples, examples["truth"].mean()) < -10
    assert (examples["label"] <= examples["truth"]).all()


def test_the_younger_an_example_the_more_of_its_outcomes_are_still_to_come(examples: pd.DataFrame) -> None:
    days = (examples["label_age"] // 86_400).astype(int)
    rate = examples.groupby(days)["label"].mean()
    assert rate[0] < rate[3] < rate[6]
    assert rate[0] < CONVERT / 4
