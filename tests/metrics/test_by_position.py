"""Judging position by position."""

import numpy as np
import pytest

from ml_assets.metrics.by_position import by_position

POSITION = np.array([2, 1, 1, 2, 1, 3])
LABEL = np.array([1, 1, 0, 0, 0, 0])
PREDICTION = np.array([0.3, 0.8, 0.4, 0.1, 0.2, 0.1])
AT_FIRST = np.array([0.6, 0.8, 0.4, 0.2, 0.2, 0.3])


def test_each_position_is_judged_on_its_own_examples():
    table = by_position(POSITION, LABEL, PREDICTION, AT_FIRST).set_index("position")
    assert table.index.tolist() == [1, 2, 3]
    assert table["examples"].tolist() == [3, 2, 1]
    assert table["clicks"].tolist() == [1, 1, 0]
    np.testing.assert_allclose(table["click_rate"], [1 / 3, 1 / 2, 0])
    np.testing.assert_allclose(table["predicted"], [1.4 / 3, 0.2, 0.1])
    np.testing.assert_allclose(table["log_loss"][2], -np.log([0.3, 0.9]).mean())
    np.testing.assert_allclose(table["calibration_ratio"][:2], [1.4, 0.4])
    assert table["roc_auc"].tolist()[:2] == [1, 1]


def test_with_the_position_held_only_what_was_shown_makes_positions_differ():
    table = by_position(POSITION, LABEL, PREDICTION, AT_FIRST).set_index("position")
    np.testing.assert_allclose(table["predicted_at_first"], [1.4 / 3, 0.4, 0.3])


def test_what_a_position_without_clicks_cannot_give_is_absent():
    last = by_position(POSITION, LABEL, PREDICTION, AT_FIRST).set_index("position").loc[3]
    assert np.isnan(last["calibration_ratio"])
    assert np.isnan(last["roc_auc"])
    assert last["log_loss"] == pytest.approx(-np.log(0.9))


def test_the_order_of_examples_does_not_matter():
    order = np.random.default_rng(0).permutation(len(LABEL))
    table = by_position(POSITION[order], LABEL[order], PREDICTION[order], AT_FIRST[order])
    np.testing.assert_allclose(table, by_position(POSITION, LABEL, PREDICTION, AT_FIRST))


def test_no_examples_make_an_empty_table_with_the_same_columns():
    empty = by_position([], np.empty(0), np.empty(0), np.empty(0))
    assert empty.empty
    assert list(empty) == list(by_position(POSITION, LABEL, PREDICTION, AT_FIRST))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"position": POSITION[1:]}, r"position has the shape \(5,\), should have \(6,\): one per example"),
        ({"prediction": PREDICTION + 1}, r"prediction\[0\] is 1.3"),
        ({"at_first": AT_FIRST[1:]}, "label has 6 rows and prediction has 5"),
        ({"label": LABEL * 2}, r"label\[0\] is 2, should be 0 or 1"),
    ],
)
def test_what_cannot_be_judged_is_refused(changed, why):
    given = {"position": POSITION, "label": LABEL, "prediction": PREDICTION, "at_first": AT_FIRST, **changed}
    with pytest.raises(ValueError, match=why):
        by_position(**given)
