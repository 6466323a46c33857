"""The rates of a category of many values: how far they are shrunk, and that no row knows its own label."""

import numpy as np
import pytest

from ml_assets.models.rates import folds_apart, rates_of_others, shrunk_rates

ROWS, VALUES = 40_000, 2_000


def drawn(spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes, labels and the true rate of each value, whose log-odds have this spread."""
    rng = np.random.default_rng(seed)
    truth = 1 / (1 + np.exp(-rng.normal(-2.5, spread, VALUES)))
    codes = rng.choice(VALUES, ROWS, p=(weight := rng.lognormal(0, 1, VALUES)) / weight.sum())
    return codes.astype(float), (rng.random(ROWS) < truth[codes]).astype(float), truth


def folds_of_rows(rows: int) -> np.ndarray:
    return folds_apart(np.empty((rows, 0)), seed=0)


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.5])
def test_shrunk_rates_are_nearer_to_the_truth_than_the_rate_of_each_value_and_than_that_of_all(spread):
    codes, labels, truth = drawn(spread)
    seen = np.unique(codes).astype(int)
    rates = shrunk_rates(codes, labels, np.ones(ROWS), VALUES)[seen]
    own = (
        (np.bincount(codes.astype(int), labels, VALUES)[seen]) / np.bincount(codes.astype(int), minlength=VALUES)[seen]
    )
    error = np.mean((rates - truth[seen]) ** 2)
    assert error < 0.8 * np.mean((own - truth[seen]) ** 2)
    assert error <= 1.05 * np.mean((labels.mean() - truth[seen]) ** 2) + 1e-5


def test_a_value_of_more_rows_keeps_more_of_its_own_rate():
    codes = np.repeat([0.0, 1.0, 2.0, 3.0], [1000, 1000, 10, 10])
    labels = np.concatenate([np.arange(1000) < 100, np.arange(1000) < 500, np.zeros(10), np.ones(10)]).astype(float)
    rates = shrunk_rates(codes, labels, np.ones(len(codes)), 4)
    assert rates[0] == pytest.approx(0.1, abs=0.01)
    assert rates[1] == pytest.approx(0.5, abs=0.01)
    assert 0.02 < rates[2] < 0.3 < rates[3] < 0.98


def test_missing_has_its_own_rate_and_what_was_not_seen_has_that_of_all():
    codes = np.repeat([0.0, 1.0, np.nan], 1000)
    labels = np.concatenate([np.arange(1000) < share for share in (100, 200, 900)]).astype(float)
    first, second, unused, missing, unseen = shrunk_rates(codes, labels, np.ones(3000), 3)
    assert (first, second, missing) == pytest.approx((0.1, 0.2, 0.9), abs=0.01)
    assert unused == unseen == pytest.approx(0.4)


@pytest.mark.parametrize("labels", [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
def test_where_nothing_differs_beyond_chance_all_have_one_rate(labels):
    rates = shrunk_rates(np.zeros(3), np.array(labels), np.ones(3), 1)
    assert rates.tolist() == [np.mean(labels)] * 3


def test_a_weight_counts_as_so_many_rows():
    codes, labels, _ = drawn(1.0)
    codes, labels = codes[:500], labels[:500]
    weight = np.random.default_rng(1).integers(1, 4, 500)
    repeated = shrunk_rates(np.repeat(codes, weight), np.repeat(labels, weight), np.ones(weight.sum()), VALUES)
    assert shrunk_rates(codes, labels, weight.astype(float), VALUES) == pytest.approx(repeated)


def test_no_row_knows_its_own_label():
    codes, labels, _ = drawn(1.0)
    codes, labels, weight = codes[:300], labels[:300], np.ones(300)
    before = rates_of_others(codes, labels, weight, VALUES, folds_of_rows(len(codes)))
    for row in range(0, 300, 30):
        changed = labels.copy()
        changed[row] = 1 - changed[row]
        assert rates_of_others(codes, changed, weight, VALUES, folds_of_rows(len(codes)))[row] == before[row]


def test_labels_that_mean_nothing_stay_uncorrelated_with_the_rates_of_others():
    codes, labels, _ = drawn(0.0)
    rates = rates_of_others(codes, labels, np.ones(ROWS), VALUES, folds_of_rows(len(codes)))
    own = shrunk_rates(codes, labels, np.ones(ROWS), VALUES)[codes.astype(int)]
    assert abs(np.cov(rates, labels)[0, 1]) < 1e-4
    assert rates.std() < 0.02
    assert own.std() < 0.02


def test_two_rows_are_enough():
    assert np.isfinite(
        rates_of_others(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.ones(2), 2, folds_of_rows(2))
    ).all()


def test_rows_that_are_alike_in_all_else_lie_in_one_fold_and_few_kinds_of_rows_are_no_folds():
    others = np.column_stack([np.random.default_rng(0).integers(0, 9, 3_000), np.tile([1.0, np.nan, 3.0], 1_000)])
    folds = folds_apart(others, seed=0)
    _, kinds = np.unique(others, axis=0, return_inverse=True)
    assert all(len(set(folds[kinds == kind])) == 1 for kind in range(27))
    assert set(folds) == set(folds_apart(np.ones((3_000, 1)), seed=0)) == set(range(5))


def test_rows_of_one_burst_do_not_tell_each_other_their_label():
    rng = np.random.default_rng(1)
    # Each visit is logged five times, with one label, which has nothing to do with its value.
    codes, hour, labels = (
        np.repeat(one, 5) for one in (rng.integers(0, 500, 2_000), rng.random(2_000), rng.random(2_000) < 0.1)
    )
    codes, labels, weight = codes.astype(float), labels.astype(float), np.ones(10_000)
    apart, by_row = (
        rates_of_others(codes, labels, weight, 500, folds)
        for folds in (folds_apart(hour[:, None], 0), folds_of_rows(10_000))
    )
    assert np.corrcoef(by_row, labels)[0, 1] > 0.4
    assert abs(np.corrcoef(apart, labels)[0, 1]) < 0.1
