"""The trusted references that several test modules compare with: scikit-learn where it has the metric, numpy elsewhere.

Each takes labels, predictions and weights of one shape (n,) and returns one number.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics as sk

Array = npt.NDArray[np.float64]
Reference = Callable[[Array, Array, Array], float]


def _log_loss(label: Array, prediction: Array, weight: Array) -> float:
    return float(sk.log_loss(label, prediction, sample_weight=weight, labels=[0, 1]))


def _normalized_entropy(label: Array, prediction: Array, weight: Array) -> float:
    base_rate = np.full(len(label), np.average(label, weights=weight))
    return _log_loss(label, prediction, weight) / _log_loss(label, base_rate, weight)


def _expected_calibration_error(label: Array, prediction: Array, weight: Array) -> float:
    bins = np.searchsorted(np.percentile(prediction, np.linspace(0, 1, 11)[1:-1] * 100), prediction)
    error = 0.0
    for inside in (bins == number for number in range(10)):
        if (held := weight[inside].sum()) > 0:
            mean_prediction = np.average(prediction[inside], weights=weight[inside])
            mean_label = np.average(label[inside], weights=weight[inside])
            error += held / weight.sum() * abs(mean_prediction - mean_label)
    return error


@pytest.fixture(scope="session")
def references() -> dict[str, Reference]:
    return {
        "log_loss": _log_loss,
        "normalized_entropy": _normalized_entropy,
        "roc_auc": lambda label, prediction, weight: float(sk.roc_auc_score(label, prediction, sample_weight=weight)),
        "average_precision": lambda label, prediction, weight: float(
            sk.average_precision_score(label, prediction, sample_weight=weight)
        ),
        "brier_score": lambda label, prediction, weight: float(
            sk.brier_score_loss(label, prediction, sample_weight=weight)
        ),
        "calibration_ratio": lambda label, prediction, weight: float(
            np.dot(weight, prediction) / np.dot(weight, label)
        ),
        "expected_calibration_error": _expected_calibration_error,
        "base_rate": lambda label, prediction, weight: float(np.average(label, weights=weight)),
    }
