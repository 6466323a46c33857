"""The ways to train that the notebook compares, and its tables, on rows small enough to count."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from ml_assets.examples.delayed_feedback import against_truth, rates_by_age, unweighted_ways

DAY = 86_400.0
WINDOW, ATTRIBUTION = timedelta(days=3), timedelta(days=2)


@pytest.fixture
def examples() -> pd.DataFrame:
    """One exposure with an outcome and one without, half-way through and at the end of each of six days of age."""
    age = np.repeat(np.arange(1, 13) / 2 * DAY, 2)
    return pd.DataFrame({"label_age": age, "label": [1, 0] * 12, "mature": age >= 2 * DAY})


def ages(rows: pd.DataFrame, label: int) -> list[float]:
    return (rows.loc[rows["label"] == label, "label_age"] / DAY).tolist()


def test_each_way_takes_its_rows(examples: pd.DataFrame) -> None:
    ways = unweighted_ways(examples, window=WINDOW, attribution=ATTRIBUTION)
    assert {way: (ages(rows, 1), ages(rows, 0)) for way, rows in ways.items()} == {
        "naive": ([0.5, 1, 1.5, 2, 2.5, 3], [0.5, 1, 1.5, 2, 2.5, 3]),
        "drop immature negatives": ([0.5, 1, 1.5, 2, 2.5, 3], [2, 2.5, 3]),
        "mature only": ([2, 2.5, 3], [2, 2.5, 3]),
        "gap": ([2.5, 3, 3.5, 4, 4.5, 5], [2.5, 3, 3.5, 4, 4.5, 5]),
    }


def test_bias_is_mean_over_mean_and_the_truth_has_none() -> None:
    truth = np.array([0.1, 0.3])
    table = against_truth({"half": truth / 2, "constant": np.array([0.2, 0.2])}, truth)
    assert table.index.tolist() == ["half", "constant", "the truth"]
    assert table["predicted_over_true"].tolist() == pytest.approx([0.5, 1.0, 1.0])


def test_the_log_loss_is_the_mean_over_all_outcomes_that_may_come_and_least_for_the_truth() -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.random(5) * 0.5, rng.random(5) * 0.5
    outcomes = rng.random((200_000, 5)) < truth
    table = against_truth({"another": predicted}, truth)
    for name, probability in {"another": predicted, "the truth": truth}.items():
        by_hand = -np.log(np.where(outcomes, probability, 1 - probability)).mean()
        assert table.loc[name, "log_loss"] == pytest.approx(by_hand, abs=0.002)
    assert table.loc["another", "log_loss"] > table.loc["the truth", "log_loss"] + 0.01


def test_rates_are_those_of_each_whole_day_of_age() -> None:
    examples = pd.DataFrame(
        {"label_age": np.array([0.0, 0.9, 1.0, 1.9]) * DAY, "label": [1, 0, 1, 0]}, index=[3, 2, 1, 0]
    )
    table = rates_by_age(examples, np.array([3.0, 1.0, 1.0, 1.0]), np.array([0.6, 0.8, 0.4, 0.2]))
    assert table.index.tolist() == [0, 1]
    assert table.index.name == "days"
    assert table["as_known"].tolist() == [0.5, 0.5]
    assert table["weighted"].tolist() == [0.75, 0.5]
    assert table["true"].tolist() == pytest.approx([0.7, 0.3])


def test_a_day_whose_rows_are_all_left_out_has_no_weighted_rate() -> None:
    examples = pd.DataFrame({"label_age": np.array([0.5, 1.5]) * DAY, "label": [1, 1]})
    table = rates_by_age(examples, np.array([0.0, 2.0]), np.array([0.5, 0.5]))
    assert np.isnan(table["weighted"][0])
    assert table["weighted"][1] == 1.0
