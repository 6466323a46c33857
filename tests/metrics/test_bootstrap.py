"""The resamples, the values on them, and how often their interval holds the truth."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from ml_assets.metrics.bootstrap import percentile_interval, resampled_values, resampled_weights
from ml_assets.metrics.metric import NotComputable
from ml_assets.metrics.registry import ALL_METRICS

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
    percentile_interval(np.repeat([0.5, np.nan], [190, 10]))
    with pytest.raises(NotComputable) as absence:
        percentile_interval(np.repeat([0.5, np.nan], [189, 11]))
    assert absence.value.reason == "no interval: computable in 189 of 200 resamples, should be in 95% of them"


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
