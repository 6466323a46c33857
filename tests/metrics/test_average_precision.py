"""Average precision beyond its reference: ties, and weightings that leave the top of the ranking empty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.metrics.average_precision import AVERAGE_PRECISION, average_precision


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.integers(0, 1000)), max_size=30))
@settings(max_examples=60)
def test_a_monotone_transform_of_the_predictions_changes_nothing(rows: list[tuple[float, int]]) -> None:
    label, rank = np.array([(1.0, 500), *rows]).T
    assert AVERAGE_PRECISION.value(label, rank / 1000) == AVERAGE_PRECISION.value(label, (rank / 2000) ** 3)


@pytest.mark.parametrize("label", [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
def test_constant_predictions_give_the_base_rate_wherever_the_positive_stands(label: list[float]) -> None:
    assert AVERAGE_PRECISION.value(np.array(label), np.full(4, 0.2)) == 0.25


def test_examples_without_weight_at_the_top_of_the_ranking_do_not_make_it_absent() -> None:
    label, prediction = np.array([0.0, 1.0, 0.0]), np.array([0.9, 0.5, 0.1])
    assert float(average_precision(label, prediction, np.array([0.0, 1.0, 1.0]))) == 1.0


def test_a_positive_alone_is_ranked_perfectly() -> None:
    assert AVERAGE_PRECISION.value(np.array([1.0]), np.array([0.0])) == 1.0
