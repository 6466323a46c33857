"""Sums over weighted examples."""

import numpy as np
import numpy.testing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.metrics.weighted import ratio, sums_by_group, weighted_mean


def test_a_ratio_is_absent_rather_than_infinite_where_the_denominator_is_zero() -> None:
    npt.assert_array_equal(
        ratio(np.array([1.0, 0.0, 3.0, 1.0]), np.array([0.0, 0.0, 2.0, np.nan])), [np.nan, np.nan, 1.5, np.nan]
    )


def test_a_ratio_of_two_numbers_is_a_number() -> None:
    assert float(ratio(np.array(1.0), np.array(4.0))) == 0.25


def test_a_weighted_mean_is_that_of_repeated_rows() -> None:
    values, weight = np.array([0.1, 0.5, 0.9]), np.array([[0, 1, 3], [2, 2, 2]])
    npt.assert_allclose(weighted_mean(values, weight), [np.repeat(values, row).mean() for row in weight])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), min_size=1, max_size=40))
@settings(max_examples=60)
def test_sums_by_group_are_those_of_a_loop_in_ascending_order(rows: list[tuple[int, int]]) -> None:
    group, values = np.array(rows, dtype=float).T
    expected = [values[group == one].sum() for one in sorted(set(group))]
    npt.assert_array_equal(sums_by_group(group, np.stack([values, 2 * values])), [expected, np.multiply(2, expected)])


def test_neighbouring_floats_are_different_groups() -> None:
    group = np.array([0.3, np.nextafter(0.3, 1), 0.0, 5e-324])
    npt.assert_array_equal(sums_by_group(group, np.array([1.0, 2.0, 4.0, 8.0])), [4.0, 8.0, 1.0, 2.0])
