"""What a metric promises: a value or the reason why there is none."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from ml_assets.metrics.base_rate import BASE_RATE
from ml_assets.metrics.metric import Metric, Needs, NotComputable, what_is_lacking
from ml_assets.metrics.registry import ALL_METRICS
from ml_assets.metrics.roc_auc import ROC_AUC

NO_POSITIVE, NO_NEGATIVE, BOTH = np.zeros(120), np.ones(1), np.array([0.0, 1.0])


@pytest.mark.parametrize(
    ("needs", "label", "lack"),
    [
        ("examples", np.array([]), "no examples"),
        ("positives", np.array([]), "no examples"),
        ("both classes", np.array([]), "no examples"),
        ("examples", NO_POSITIVE, ""),
        ("positives", NO_POSITIVE, "one class only: no positive among 120 examples"),
        ("both classes", NO_POSITIVE, "one class only: no positive among 120 examples"),
        ("examples", NO_NEGATIVE, ""),
        ("positives", NO_NEGATIVE, ""),
        ("both classes", NO_NEGATIVE, "one class only: no negative among 1 example"),
        ("both classes", BOTH, ""),
    ],
)
def test_what_is_lacking_is_said_in_words(needs: Needs, label: np.ndarray, lack: str) -> None:
    assert what_is_lacking(needs, label) == lack


@pytest.mark.parametrize("label", [NO_POSITIVE, NO_NEGATIVE, BOTH], ids=["no positive", "no negative", "both"])
@pytest.mark.parametrize("metric", ALL_METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_nan_exactly_where_it_lacks_what_it_declares_to_need(metric: Metric, label: np.ndarray) -> None:
    value = metric.compute(label, np.full(len(label), 0.2), np.ones(len(label)))
    assert bool(np.isnan(value)) == bool(what_is_lacking(metric.needs, label))


@pytest.mark.parametrize("label", [0.0, 1.0], ids=["no positive", "no negative"])
@pytest.mark.parametrize("metric", ALL_METRICS, ids=lambda metric: metric.name)
def test_a_resample_of_one_class_counts_as_data_of_one_class(metric: Metric, label: float) -> None:
    labels, predictions = np.array([0.0, 1.0] * 50), np.linspace(0.01, 0.99, 100)
    drawn = labels == label
    resampled = metric.compute(labels, predictions, drawn.astype(float))
    assert bool(np.isnan(resampled)) == bool(what_is_lacking(metric.needs, labels[drawn]))


def test_a_value_that_cannot_be_computed_is_raised_with_its_reason() -> None:
    with pytest.raises(NotComputable) as absence:
        ROC_AUC.value(NO_POSITIVE, np.full(120, 0.1))
    assert absence.value.reason == str(absence.value) == "one class only: no positive among 120 examples"


def test_a_metric_that_forgot_to_declare_its_needs_is_still_absent_and_not_nan() -> None:
    careless = replace(ROC_AUC, needs="examples")
    with pytest.raises(NotComputable, match="roc_auc came out as nan"):
        careless.value(NO_POSITIVE, np.full(120, 0.1))


def test_a_metric_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        BASE_RATE.name = "rate"  # type: ignore[misc]
