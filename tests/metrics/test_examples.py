"""Which labels and predictions are refused, and in which words."""

import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from ml_assets.metrics.examples import checked

PROBABILITY = "should be a finite probability in [0, 1]"


@pytest.mark.parametrize(
    "label",
    [
        [0, 1],
        [False, True],
        np.array([0, 1], dtype=np.int8),
        np.array([0.0, 1.0], dtype=np.float32),
        pd.Series([0, 1], dtype="Int64", index=[7, 3]),
        pd.Series([False, True], dtype="boolean"),
        [Decimal(0), Decimal(1)],
    ],
    ids=["list", "bool", "int8", "float32", "nullable integer", "nullable boolean", "decimal"],
)
def test_zeros_and_ones_of_any_type_are_labels(label: object) -> None:
    labels, predictions = checked(label, [0, 1])  # type: ignore[arg-type]
    assert (labels.tolist(), predictions.tolist()) == ([0.0, 1.0], [0.0, 1.0])
    assert labels.dtype == predictions.dtype == np.float64


def test_no_examples_at_all_are_accepted() -> None:
    assert [len(column) for column in checked([], pd.Series([], dtype=object))] == [0, 0]


@pytest.mark.parametrize(
    ("label", "prediction", "message"),
    [
        ([0, 1, 2, 3], [0.1] * 4, "label[2] is 2, should be 0 or 1"),
        ([1, -1], [0.1] * 2, "label[1] is -1, should be 0 or 1"),
        ([0, 0.5], [0.1] * 2, "label[1] is 0.5, should be 0 or 1"),
        ([0, np.nan, np.nan], [0.1] * 3, "label[1] is nan, should be 0 or 1"),
        ([0, None], [0.1] * 2, "label[1] is None, should be 0 or 1"),
        (pd.Series([0, pd.NA], dtype="Int64"), [0.1] * 2, "label[1] is nan, should be 0 or 1"),
        (["1", "0"], [0.1] * 2, "label[0] is '1', should be 0 or 1"),
        ([0, 1], [0.5, 1.5], f"prediction[1] is 1.5, {PROBABILITY}"),
        ([0, 1], [-1e-9, 2], f"prediction[0] is -1e-09, {PROBABILITY}"),
        ([0, 1], [0.5, np.nan], f"prediction[1] is nan, {PROBABILITY}"),
        ([0, 1], [np.inf, 0.5], f"prediction[0] is inf, {PROBABILITY}"),
        ([0, 1], [0.5, None], f"prediction[1] is None, {PROBABILITY}"),
        ([0, 1], [0.5, "0.5"], f"prediction[1] is '0.5', {PROBABILITY}"),
        ([0, 1], pd.Series([0.5, "high"]), f"prediction[1] is 'high', {PROBABILITY}"),
        ([0, 1], [0.5, 1j], f"prediction[1] is 1j, {PROBABILITY}"),
        ([0, 1, 1], [0.5], "label has 3 rows and prediction has 1, so position 1 has only one of them"),
        ([0, 1], [[0.4, 0.6], [0.1, 0.9]], "prediction has shape (2, 2), should have one dimension"),
    ],
)
def test_what_cannot_be_judged_is_named_by_position_and_value(label: object, prediction: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        checked(label, prediction)  # type: ignore[arg-type]
