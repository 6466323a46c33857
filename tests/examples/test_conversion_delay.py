import numpy as np
import pytest

from ml_assets.examples.conversion_delay import LONGEST, SHORTEST, draw, probability_within

WEIGHTS = np.array([0.3, 0.1, 0.6])


def test_the_probability_runs_from_nothing_at_one_second_to_all_at_30_days() -> None:
    seconds = [0.0, SHORTEST, 3_600.0, 86_400.0, LONGEST, 2 * LONGEST]
    within = np.array([probability_within(elapsed, WEIGHTS[np.newaxis])[0] for elapsed in seconds])
    assert within[:2] == pytest.approx(0.0)
    assert within[-2:] == pytest.approx(1.0)
    assert (np.diff(within[1:-1]) > 0).all()


@pytest.mark.parametrize("seconds", [60.0, 3_600.0, 86_400.0, 7 * 86_400.0, 20 * 86_400.0])
def test_draws_come_within_a_time_as_often_as_the_probability_says(seconds: float) -> None:
    count = 200_000
    delays = draw(np.random.default_rng(0), np.tile(WEIGHTS, (count, 1)))
    expected = probability_within(seconds, WEIGHTS[np.newaxis])[0]
    assert (delays < seconds).mean() == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / count))


def test_no_draw_is_shorter_than_a_second_or_as_long_as_30_days() -> None:
    delays = draw(np.random.default_rng(1), np.tile(WEIGHTS, (200_000, 1)))
    assert delays.min() >= SHORTEST
    assert delays.max() < LONGEST


def test_each_row_has_its_own_mixture() -> None:
    at_once, weeks = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
    delays = draw(np.random.default_rng(2), np.tile(np.stack([at_once, weeks]), (1_000, 1)))
    assert np.median(delays[::2]) < 3_600
    assert np.median(delays[1::2]) > 86_400
