"""The resamples, the values on them, and how often their interval holds the truth."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from ml_assets.metrics.bootstrap import (
    ENOUGH_OF_EACH,
    calibrated_values,
    percentile_interval,
    resampled_values,
    resampled_weights,
    why_no_interval,
)
from ml_assets.metrics.expected_calibration_error import EXPECTED_CALIBRATION_ERROR
from ml_assets.metrics.metric import NotComputable
from ml_assets.metrics.registry import ALL_METRICS
from ml_assets.metrics.roc_auc import ROC_AUC

Array = npt.NDArray[np.float64]
Reference = Callable[[Array, Array, Array], float]

# Of predictions uniform in [0, 1] and labels drawn from them.
TRUTHS = {
    "log_loss": 0.5,
    "normalized_entropy": 0.5 / np.log(2),
    "roc_auc": 5 / 6,
    "brier_score": 1 / 6,
    "calibration_ratio": 1.0,
    "base_rate": 0.5,
}


def _all_weights(examples: int, **options: int) -> Array:
    return np.concatenate(list(resampled_weights(examples, **options)))


def _calibrated(generator: np.random.Generator, examples: int) -> tuple[Array, Array]:
    prediction = generator.random(examples)
    return (generator.random(examples) < prediction).astype(float), prediction


def test_vectorized_values_equal_each_resample_computed_on_repeated_rows(references: dict[str, Reference]) -> None:
    label, prediction = _calibrated(np.random.default_rng(1), 150)
    prediction = prediction.round(1)  # ties within and between the classes
    weights = _all_weights(150, resamples=25, seed=2)
    values = resampled_values(ALL_METRICS, label, prediction, iter([weights]))
    for metric, row in zip(ALL_METRICS, values, strict=True):
        for weight, value in zip(weights, row, strict=True):
            repeated = np.repeat(np.arange(150), weight.astype(int))
            if metric.name == "expected_calibration_error":  # its bins stay those of the data, so it gets the weights
                expected = references[metric.name](label, prediction, weight)
            else:
                expected = references[metric.name](label[repeated], prediction[repeated], np.ones(150))
            assert value == pytest.approx(expected, rel=1e-12), metric.name


def test_a_resample_draws_as_many_examples_as_there_are() -> None:
    weights = _all_weights(40, resamples=500, seed=3)
    assert weights.shape == (500, 40)
    assert (weights.sum(axis=-1) == 40).all()


def test_every_example_is_drawn_as_often_as_a_multinomial_would() -> None:
    weights = _all_weights(40, resamples=4000, seed=4)
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.08)
    assert weights.var() == pytest.approx(1 - 1 / 40, abs=0.02)
    assert (weights == 0).mean() == pytest.approx((1 - 1 / 40) ** 40, abs=0.01)


@pytest.mark.parametrize("chunk_bytes", [1, 8 * 60, 8 * 60 * 7, 8 * 60 * 1000])
def test_neither_resamples_nor_values_depend_on_the_chunk_size(chunk_bytes: int) -> None:
    label, prediction = _calibrated(np.random.default_rng(5), 60)
    chunks = list(resampled_weights(60, resamples=30, seed=6, chunk_bytes=chunk_bytes))
    assert all(chunk.nbytes <= max(chunk_bytes, 8 * 60) for chunk in chunks)
    whole = _all_weights(60, resamples=30, seed=6)
    np.testing.assert_array_equal(np.concatenate(chunks), whole)
    np.testing.assert_array_equal(
        resampled_values(ALL_METRICS, label, prediction, iter(chunks)),
        resampled_values(ALL_METRICS, label, prediction, iter([whole])),
    )


def test_the_seed_decides_the_resamples() -> None:
    np.testing.assert_array_equal(_all_weights(50, resamples=4, seed=7), _all_weights(50, resamples=4, seed=7))
    assert (_all_weights(50, resamples=4, seed=7) != _all_weights(50, resamples=4, seed=8)).any()


def test_more_resamples_begin_with_the_same_ones() -> None:
    few, many = (_all_weights(50, resamples=count, seed=9) for count in (3, 10))
    np.testing.assert_array_equal(few, many[:3])


def test_the_interval_leaves_out_the_resamples_that_are_not_computable() -> None:
    values = np.concatenate([np.linspace(0, 1, 191), np.full(9, np.nan)])
    assert percentile_interval(values) == pytest.approx((0.025, 0.975))


def test_exactly_95_percent_computable_is_enough_and_less_is_absent_with_its_reason() -> None:
    values = np.linspace(0, 1, 200)
    percentile_interval(np.where(np.arange(200) < 190, values, np.nan))
    with pytest.raises(NotComputable) as absence:
        percentile_interval(np.where(np.arange(200) < 189, values, np.nan))
    assert absence.value.reason == "no interval: computable in 189 of 200 resamples, should be in 95% of them"


@pytest.mark.parametrize("others", [[1.0], [1.0 + 1e-13], [0.2]])
def test_an_interval_that_is_a_point_is_absent_with_its_reason(others: list[float]) -> None:
    with pytest.raises(NotComputable) as absence:
        percentile_interval(np.array([1.0] * 199 + others))
    assert absence.value.reason == "no interval: all resamples give the same value"


@pytest.mark.parametrize(
    ("examples", "positives", "reason"),
    [
        (20, 10, ""),
        (100, 9, "no interval: 9 positives among 100 examples, should be at least 10"),
        (100, 91, "no interval: 9 negatives among 100 examples, should be at least 10"),
        (2, 1, "no interval: 1 positive among 2 examples, should be at least 10"),
        (5, 0, "no interval: one class only: no positive among 5 examples"),
        (1, 1, "no interval: one class only: no negative among 1 example"),
    ],
)
def test_too_few_of_a_class_are_counted(examples: int, positives: int, reason: str) -> None:
    assert why_no_interval(examples, positives) == reason


@pytest.mark.parametrize(("positives", "least", "most"), [(6, 0.5, 0.83), (ENOUGH_OF_EACH, 0.83, 1.0)])
def test_of_fewer_positives_than_enough_the_interval_of_roc_auc_holds_the_truth_too_seldom(
    positives: int, least: float, most: float
) -> None:
    generator, trials, held = np.random.default_rng(12), 200, 0
    label = (np.arange(300) < positives).astype(float)
    for seed in range(trials):
        # Of two normals a distance d apart, the truth is the normal distribution at d / sqrt(2).
        prediction = 1 / (1 + np.exp(-(generator.normal(0, 1, 300) + 1.8123876 * label)))
        (values,) = resampled_values([ROC_AUC], label, prediction, resampled_weights(300, resamples=100, seed=seed))
        low, high = np.nanquantile(values, [0.025, 0.975])
        held += low <= 0.9 <= high
    assert least <= held / trials <= most


@pytest.mark.parametrize("rate", [0.02, 0.2])
def test_of_a_calibrated_model_the_calibration_error_lies_where_it_should(rate: float) -> None:
    generator, trials, held = np.random.default_rng(13), 120, 0
    for seed in range(trials):
        prediction = np.sort(generator.beta(20 * rate, 20 * (1 - rate), 400))
        label = (generator.random(400) < prediction).astype(float)
        drawn = calibrated_values(EXPECTED_CALIBRATION_ERROR, prediction, draws=80, seed=seed)
        low, high = np.quantile(drawn, [0.025, 0.975])
        held += low <= EXPECTED_CALIBRATION_ERROR.value(label, prediction) <= high
    assert held / trials == pytest.approx(0.94, abs=0.04)


def test_what_a_calibrated_model_scores_depends_on_the_seed_alone() -> None:
    prediction = np.linspace(0, 1, 50)
    one, again, other = (calibrated_values(ROC_AUC, prediction, draws=5, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).all()


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    metrics = [metric for metric in ALL_METRICS if metric.name in TRUTHS]
    truths, generator, trials = [TRUTHS[metric.name] for metric in metrics], np.random.default_rng(10), 300
    held = np.zeros(len(metrics))
    for seed in range(trials):
        label, prediction = _calibrated(generator, 200)
        values = resampled_values(metrics, label, prediction, resampled_weights(200, resamples=200, seed=seed))
        intervals = [percentile_interval(row) for row in values]
        held += [low <= truth <= high for (low, high), truth in zip(intervals, truths, strict=True)]
    assert dict(zip((metric.name for metric in metrics), held / trials, strict=True)) == pytest.approx(
        dict.fromkeys(TRUTHS, 0.945), abs=0.035
    )
