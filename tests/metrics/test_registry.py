"""Every registered metric against a trusted reference, on one table of cases."""

from collections.abc import Callable
from importlib import import_module
from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.metrics.metric import Metric
from ml_assets.metrics.registry import ALL_METRICS

Array = npt.NDArray[np.float64]
Reference = Callable[[Array, Array, Array], float]


def _drawn(seed: int, examples: int, prediction: Callable[[np.random.Generator], Array]) -> tuple[Array, Array]:
    """Predictions as asked, and labels drawn from them with at least one of each class."""
    generator = np.random.default_rng(seed)
    predictions = prediction(generator)
    labels = (generator.random(examples) < predictions).astype(float)
    labels[:2] = (1, 0)
    return labels, predictions


CASES: dict[str, tuple[Array, Array]] = {
    "continuous": _drawn(1, 500, lambda generator: generator.beta(2, 5, 500)),
    "rare outcomes": _drawn(2, 3000, lambda generator: generator.beta(1, 50, 3000)),
    "one positive among 2000": (np.arange(2000) == 700.0, np.random.default_rng(3).random(2000)),
    "heavy ties": _drawn(4, 400, lambda generator: generator.choice([0.1, 0.2, 0.7], 400)),
    "few ties": _drawn(5, 300, lambda generator: generator.random(300).round(2)),
    "exactly 0 and 1": _drawn(6, 200, lambda generator: generator.choice([0.0, 0.0, 0.3, 1.0], 200)),
    "certain and wrong": (np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.5, 0.5])),
    "below the clipping": (np.array([1.0, 0.0, 1.0]), np.array([1e-300, 1e-20, 1 - 1e-16])),
    "neighbouring floats": (np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.3, np.nextafter(0.3, 1), 0.3, 0.2])),
    "constant": _drawn(7, 50, lambda generator: np.full(50, 0.3)),
    "two examples": (np.array([1.0, 0.0]), np.array([0.4, 0.6])),
    "two tied examples": (np.array([0.0, 1.0]), np.array([0.4, 0.4])),
    "eleven examples": _drawn(8, 11, lambda generator: generator.random(11)),
}


@pytest.fixture(params=ALL_METRICS, ids=lambda metric: metric.name)
def metric(request: pytest.FixtureRequest) -> Metric:
    return request.param


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Array, Array]:
    label, prediction = CASES[request.param]
    return label.astype(float), prediction


def _weights(label: Array) -> Array:
    """Three weightings of whole numbers, many of them zero, each with weight on the first of both classes."""
    weight = np.random.default_rng(9).integers(0, 4, (3, len(label))).astype(float)
    weight[:, [np.argmax(label == 0), np.argmax(label == 1)]] += 1
    return weight


def test_a_metric_agrees_with_its_reference(
    metric: Metric, case: tuple[Array, Array], references: dict[str, Reference]
) -> None:
    label, prediction = case
    expected = references[metric.name](label, prediction, np.ones(len(label)))
    assert metric.value(label, prediction) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_a_weighted_metric_agrees_with_its_reference_row_by_row(
    metric: Metric, case: tuple[Array, Array], references: dict[str, Reference]
) -> None:
    label, prediction = case
    weight = _weights(label)
    expected = [references[metric.name](label, prediction, row) for row in weight]
    assert metric.compute(label, prediction, weight) == pytest.approx(np.array(expected), rel=1e-12, abs=1e-15)


def test_all_leading_axes_of_the_weights_are_kept(metric: Metric) -> None:
    label, prediction = CASES["continuous"]
    weight = np.random.default_rng(10).integers(0, 3, (2, 3, len(label))).astype(float)
    flat = metric.compute(label, prediction, weight.reshape(6, -1))
    np.testing.assert_array_equal(metric.compute(label, prediction, weight), flat.reshape(2, 3))


def test_a_weighting_without_any_weight_is_nan_beside_one_that_has_it(metric: Metric) -> None:
    label, prediction = CASES["continuous"]
    values = metric.compute(label, prediction, np.stack([np.zeros(len(label)), np.ones(len(label))]))
    assert np.isnan(values[0])
    assert values[1] == metric.value(label, prediction)


def test_all_examples_weighing_twice_changes_nothing(metric: Metric, case: tuple[Array, Array]) -> None:
    label, prediction = case
    twice = metric.compute(label, prediction, np.full(len(label), 2.0))
    assert float(twice) == pytest.approx(metric.value(label, prediction), rel=1e-12)


@given(
    rows=st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.integers(0, 20)), min_size=1, max_size=30),
    randomness=st.randoms(use_true_random=False),
)
@settings(max_examples=60)
def test_the_order_of_the_examples_does_not_matter(rows: list[tuple[float, int]], randomness: Random) -> None:
    label, twentieths = np.array(rows, dtype=float).T
    shuffled = list(range(len(rows)))
    randomness.shuffle(shuffled)
    for metric in ALL_METRICS:
        value, again = (
            metric.compute(label[order], twentieths[order] / 20, np.ones(len(rows)))
            for order in (np.arange(len(rows)), shuffled)
        )
        assert float(again) == pytest.approx(float(value), rel=1e-12, abs=1e-15, nan_ok=True)


def test_a_metric_is_defined_in_the_file_of_its_name(metric: Metric) -> None:
    module = import_module(f"ml_assets.metrics.{metric.name}")
    assert getattr(module, metric.name.upper()) is metric
    assert getattr(module, metric.name) is metric.compute


def test_names_are_unique() -> None:
    assert len({metric.name for metric in ALL_METRICS}) == len(ALL_METRICS) == 8


def test_what_each_metric_judges_and_which_direction_is_better() -> None:
    assert {metric.name: (metric.judges, metric.better) for metric in ALL_METRICS} == {
        "log_loss": ("both", "lower"),
        "normalized_entropy": ("both", "lower"),
        "roc_auc": ("ranking", "higher"),
        "average_precision": ("ranking", "higher"),
        "brier_score": ("both", "lower"),
        "calibration_ratio": ("calibration", "one"),
        "expected_calibration_error": ("calibration", "lower"),
        "base_rate": ("data", "none"),
    }
