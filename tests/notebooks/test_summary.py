from datetime import timedelta

import numpy as np
import pandas as pd

from ml_assets.metrics.evaluate import evaluate
from ml_assets.notebooks.summary import describe_examples, describe_metrics

WEEK = timedelta(days=7)


def examples(label: list[int], mature: list[bool]) -> pd.DataFrame:
    return pd.DataFrame({"label": np.array(label, dtype=np.int8), "mature": np.array(mature, dtype=bool)})


def test_examples_are_counted() -> None:
    numbers = describe_examples(examples([1, 0, 0, 1], [True, True, False, True]))
    assert numbers == {"rows": 4, "positives": 2, "mature_rows": 3, "positive_rate": 0.5}
    assert {type(value) for value in numbers.values()} == {int, float}


def test_more_positives_than_a_label_can_count_are_counted() -> None:
    assert describe_examples(examples([1] * 1000, [True] * 1000))["positives"] == 1000


def test_without_examples_there_is_no_positive_rate() -> None:
    assert describe_examples(examples([], [])) == {"rows": 0, "positives": 0, "mature_rows": 0}


def metrics_of(label: list[int], prediction: list[float], horizon: timedelta = WEEK) -> pd.DataFrame:
    return evaluate(label, prediction, horizon=horizon, attribution=WEEK, seed=0, resamples=20)


def test_metrics_are_values_with_their_intervals() -> None:
    table = metrics_of([1, 0, 1, 0] * 10, [0.9, 0.2, 0.6, 0.7] * 10)
    numbers = describe_metrics(table)
    auc = table.set_index("metric").loc["roc_auc"]
    assert numbers["rows"] == 40
    assert [numbers["roc_auc"], numbers["roc_auc_low"], numbers["roc_auc_high"]] == [auc.value, auc.low, auc.high]
    error = "expected_calibration_error"
    assert set(numbers) - {"rows", error, f"{error}_note"} == {
        f"{metric}{end}" for metric in table["metric"] if metric != error for end in ("", "_low", "_high")
    }
    assert "a calibrated model would score" in str(numbers[f"{error}_note"])


def test_what_is_absent_is_left_out_and_explained() -> None:
    numbers = describe_metrics(metrics_of([0, 0, 0], [0.1, 0.2, 0.3]))
    assert not {"roc_auc", "roc_auc_low", "roc_auc_high"} & set(numbers)
    assert "class" in str(numbers["roc_auc_note"])
    assert "log_loss" in numbers
    assert not {"log_loss_low", "log_loss_high"} & set(numbers)


def test_a_metric_that_says_less_than_it_seems_keeps_its_value_and_says_why() -> None:
    numbers = describe_metrics(metrics_of([1, 0, 1, 0] * 10, [0.9, 0.2, 0.6, 0.7] * 10, horizon=timedelta(days=1)))
    assert "horizon of 1 day" in str(numbers["log_loss_note"])
    assert isinstance(numbers["log_loss"], float)
    assert "roc_auc_note" not in numbers


def test_without_examples_there_are_reasons_alone() -> None:
    table = metrics_of([], [])
    numbers = describe_metrics(table)
    assert numbers.pop("rows") == 0
    assert set(numbers) == {f"{metric}_note" for metric in table["metric"]}


def test_every_number_can_be_reported() -> None:
    for label, prediction in (([1, 0, 1], [0.9, 0.2, 0.4]), ([0, 0], [0.1, 0.1]), ([], [])):
        values = describe_metrics(metrics_of(label, prediction)).values()
        assert all(isinstance(value, str) or np.isfinite(value) for value in values)
