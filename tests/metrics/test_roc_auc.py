"""ROC AUC beyond its reference: it sees ranks only."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.metrics.roc_auc import ROC_AUC

RANKED = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.integers(0, 1000)), max_size=30).map(
    # One of each class in front, so that every example is computable.
    lambda rows: np.array([(1.0, 500), (0.0, 500), *rows]).T
)


@given(RANKED)
@settings(max_examples=60)
def test_a_monotone_transform_of_the_predictions_changes_nothing(ranked: np.ndarray) -> None:
    label, rank = ranked
    assert ROC_AUC.value(label, rank / 1000) == ROC_AUC.value(label, (rank / 2000) ** 3)


@given(RANKED)
@settings(max_examples=60)
def test_the_reversed_ranking_has_the_complement(ranked: np.ndarray) -> None:
    label, rank = ranked
    assert ROC_AUC.value(label, rank / 1000) == pytest.approx(1 - ROC_AUC.value(label, 1 - rank / 1000))


@given(RANKED)
@settings(max_examples=60)
def test_it_is_the_share_of_pairs_in_the_right_order(ranked: np.ndarray) -> None:
    label, rank = ranked
    margin = rank[label == 1][:, None] - rank[label == 0]
    assert ROC_AUC.value(label, rank / 1000) == pytest.approx(np.mean((margin > 0) + (margin == 0) / 2))


def test_constant_predictions_rank_by_chance() -> None:
    assert ROC_AUC.value(np.array([1.0, 0.0, 0.0]), np.full(3, 0.2)) == 0.5
