"""The table of an evaluation: values, intervals, caveats and reasons."""

from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from ml_assets.metrics.bootstrap import resampled_weights
from ml_assets.metrics.evaluate import COLUMNS, NUMBERS, evaluate
from ml_assets.metrics.log_loss import LOG_LOSS
from ml_assets.metrics.registry import ALL_METRICS
from ml_assets.metrics.roc_auc import ROC_AUC

WEEK = timedelta(days=7)
ECE = "expected_calibration_error"
CALIBRATION = {
    "log_loss",
    "normalized_entropy",
    "brier_score",
    "calibration_ratio",
    ECE,
}


def _evaluated(label: npt.ArrayLike, prediction: npt.ArrayLike, **changes: Any) -> pd.DataFrame:
    options: dict[str, Any] = {"horizon": WEEK, "attribution": WEEK, "seed": 0} | changes
    return evaluate(label, prediction, **options).set_index("metric")


@pytest.fixture(scope="module")
def examples() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    prediction = generator.beta(2, 8, 300).round(2)
    return (generator.random(300) < prediction).astype(int), prediction


def test_a_row_per_metric_in_the_order_asked_for(examples: tuple[np.ndarray, np.ndarray]) -> None:
    table = evaluate(*examples, horizon=WEEK, attribution=WEEK, seed=0)
    assert tuple(table.columns) == COLUMNS
    assert table["metric"].tolist() == [metric.name for metric in ALL_METRICS]
    assert table["judges"].tolist() == [metric.judges for metric in ALL_METRICS]
    assert _evaluated(*examples, metrics=[ROC_AUC, LOG_LOSS]).index.tolist() == ["roc_auc", "log_loss"]


def test_columns_keep_their_types_even_when_everything_is_absent(examples: tuple[np.ndarray, np.ndarray]) -> None:
    for table in (_evaluated(*examples), _evaluated([], [])):
        assert set(table[list(NUMBERS)].dtypes) == {np.dtype(np.float64)}
        assert set(table[["examples", "positives"]].dtypes) == {np.dtype(np.int64)}
        assert table["comparable"].dtype == np.dtype(bool)


def test_a_healthy_evaluation_has_all_numbers_and_no_reason(examples: tuple[np.ndarray, np.ndarray]) -> None:
    table = _evaluated(*examples)
    assert table["value"].notna().all()
    for bounds, has in (
        (["low", "high"], table.index != ECE),
        (["calibrated_low", "calibrated_high"], table.index == ECE),
    ):
        low, high = (table.loc[has, bound] for bound in bounds)
        assert (low < high).all()
        assert table.loc[~has, bounds].isna().all(axis=None)
    assert table["comparable"].all()
    assert (table["reason"] == "").all()
    assert table["examples"].eq(300).all()
    assert table["positives"].eq(examples[0].sum()).all()


def test_the_interval_is_the_percentiles_of_the_resampled_values(examples: tuple[np.ndarray, np.ndarray]) -> None:
    order = np.lexsort(examples)
    label, prediction = (column[order] for column in examples)
    weights = np.concatenate(list(resampled_weights(300, resamples=50, seed=3)))
    row = _evaluated(*examples, seed=3, resamples=50).loc["roc_auc"]
    expected = np.percentile([ROC_AUC.compute(label, prediction, weight) for weight in weights], [2.5, 97.5])
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected))
    assert row["value"] == ROC_AUC.value(*examples)


def test_the_same_seed_gives_the_same_table_and_another_seed_other_intervals(
    examples: tuple[np.ndarray, np.ndarray],
) -> None:
    table = _evaluated(*examples, seed=4)
    pd.testing.assert_frame_equal(table, _evaluated(*examples, seed=4), check_exact=True)
    other = _evaluated(*examples, seed=5)
    assert (table["value"] == other["value"]).all()
    assert (table["low"] != other["low"]).drop(ECE).all()
    assert table.loc[ECE, "calibrated_high"] != other.loc[ECE, "calibrated_high"]


def test_the_order_in_which_rows_are_read_changes_nothing(examples: tuple[np.ndarray, np.ndarray]) -> None:
    shuffle = np.random.default_rng(6).permutation(300)
    shuffled = _evaluated(*(column[shuffle] for column in examples))
    pd.testing.assert_frame_equal(shuffled, _evaluated(*examples), check_exact=True)


def test_all_metrics_see_the_same_resamples_whichever_are_asked_for(examples: tuple[np.ndarray, np.ndarray]) -> None:
    alone = _evaluated(*examples, metrics=[ROC_AUC])
    pd.testing.assert_frame_equal(alone, _evaluated(*examples).loc[["roc_auc"]], check_exact=True)


def test_the_caller_s_arrays_are_left_as_they_were(examples: tuple[np.ndarray, np.ndarray]) -> None:
    copies = [column.copy() for column in examples]
    _evaluated(*examples)
    assert all((copy == column).all() for copy, column in zip(copies, examples, strict=True))


def test_without_examples_every_metric_is_absent() -> None:
    table = _evaluated([], [])
    assert table[list(NUMBERS)].isna().all(axis=None)
    assert (table["reason"] == "no examples").all()
    assert (table[["examples", "positives"]] == 0).all(axis=None)


@pytest.mark.parametrize(
    ("label", "lack", "absent"),
    [
        (
            [0] * 120,
            "one class only: no positive among 120 examples",
            {"normalized_entropy", "roc_auc", "average_precision", "calibration_ratio"},
        ),
        ([1] * 120, "one class only: no negative among 120 examples", {"normalized_entropy", "roc_auc"}),
        ([1], "one class only: no negative among 1 example", {"normalized_entropy", "roc_auc"}),
    ],
    ids=["no positive", "no negative", "one example"],
)
def test_of_one_class_some_metrics_are_absent_and_no_interval_is_known(
    label: list[int], lack: str, absent: set[str]
) -> None:
    table = _evaluated(label, np.linspace(0.1, 0.9, len(label)))
    assert set(table.index[table["value"].isna()]) == absent
    assert table[["low", "high"]].isna().all(axis=None)
    assert (table.loc[list(absent), "reason"] == lack).all()
    assert (table.drop(index=[*absent, ECE])["reason"] == f"no interval: {lack}").all()
    assert table.loc[ECE, "calibrated_high"] > 0


@pytest.mark.parametrize(
    ("label", "counted"),
    [
        ([1] * 6 + [0] * 400, "6 positives among 406 examples"),
        ([1] * 400 + [0] * 9, "9 negatives among 409 examples"),
        ([1, 0], "1 positive among 2 examples"),
    ],
)
def test_too_few_of_a_class_have_values_without_intervals_and_the_count_as_the_reason(
    label: list[int], counted: str
) -> None:
    table = _evaluated(label, np.linspace(0.9, 0.1, len(label)))
    assert table.loc["roc_auc", "value"] == 1.0
    assert table["value"].notna().all()
    assert table[["low", "high"]].isna().all(axis=None)
    assert table.drop(index=ECE)["reason"].eq(f"no interval: {counted}, should be at least 10").all()


@pytest.mark.parametrize("prediction", [[0.9, 0.1], [0.5, 0.5]], ids=["told apart", "constant"])
def test_an_interval_that_would_be_a_point_is_given_its_reason(prediction: list[float]) -> None:
    table = _evaluated([1, 0] * 20, prediction * 20)
    assert table.loc["roc_auc", ["low", "high"]].isna().all()
    assert table.loc["roc_auc", "reason"] == "no interval: all resamples give the same value"
    assert table.loc["base_rate", "low"] < 0.5 < table.loc["base_rate", "high"]


def test_the_calibration_error_has_no_interval_but_what_a_calibrated_model_would_score(
    examples: tuple[np.ndarray, np.ndarray],
) -> None:
    label, prediction = examples
    good, bad = _evaluated(label, prediction).loc[ECE], _evaluated(label, prediction / 3).loc[ECE]
    assert good["calibrated_low"] <= good["value"] <= good["calibrated_high"]
    assert bad["value"] > bad["calibrated_high"]
    assert good["reason"] == bad["reason"] == ""


def test_another_horizon_than_the_attribution_judges_ranking_and_not_calibration(
    examples: tuple[np.ndarray, np.ndarray],
) -> None:
    table = _evaluated(*examples, horizon=timedelta(days=1))
    assert set(table.index[~table["comparable"]]) == CALIBRATION
    assert (
        table.loc[list(CALIBRATION), "reason"]
        .eq("the horizon of 1 day is not the attribution of 7 days: it judges ranking, not calibration")
        .all()
    )
    assert table.loc[~table.index.isin(CALIBRATION), "reason"].eq("").all()
    pd.testing.assert_frame_equal(table[list(NUMBERS)], _evaluated(*examples)[list(NUMBERS)])


def test_reasons_add_up() -> None:
    reason = _evaluated([0, 0], [0.1, 0.2], horizon=2 * WEEK).loc["calibration_ratio", "reason"]
    assert reason == (
        "one class only: no positive among 2 examples; "
        "the horizon of 14 days is not the attribution of 7 days: it judges ranking, not calibration"
    )


@pytest.mark.parametrize(
    ("horizon", "words"),
    [
        (timedelta(days=1), "1 day"),
        (timedelta(hours=168 * 2), "14 days"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=90.5), "90.5 seconds"),
    ],
)
def test_a_horizon_is_said_in_the_largest_unit_that_fits(horizon: timedelta, words: str) -> None:
    reason = _evaluated([0, 1], [0.1, 0.2], horizon=horizon).loc["brier_score", "reason"]
    assert f"the horizon of {words} is not the attribution of 7 days" in str(reason)


def test_bad_input_is_refused_before_rows_are_reordered() -> None:
    with pytest.raises(ValueError, match=r"prediction\[2\] is 1.5, should be a finite probability in \[0, 1\]"):
        _evaluated([1, 0, 1], [0.9, 0.1, 1.5])


@pytest.mark.parametrize("resamples", [0, -1])
def test_fewer_than_one_resample_is_refused(resamples: int) -> None:
    with pytest.raises(ValueError, match=f"resamples is {resamples}, should be at least 1"):
        _evaluated([1, 0], [0.9, 0.1], resamples=resamples)
