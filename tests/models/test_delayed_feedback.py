"""Delayed feedback: what the weights are, whom they leave out, and that they are right on average where others are not."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from ml_assets.models.delayed_feedback import (
    LEAST_SHARE,
    feedback_shift_weights,
    observed_delays,
    share_arrived,
    training_examples,
)
from ml_assets.models.gbdt import GbdtConfig, train

DAY = 86_400.0
ATTRIBUTION = 7 * DAY
WINDOW = 14 * DAY
# The quickest outcome: of younger exposures none can have come.
QUICKEST = DAY / 4
CUTOFF = datetime(2026, 3, 15, tzinfo=UTC)
KINDS = ("a", "b", "c")
PROBABILITY = np.array([0.05, 0.15, 0.4])
DELAYS = np.array([10.0, 20.0, 20.0, 40.0])
# The true rate is about 0.2; naive and dropping miss it by more than four times this.
TOLERANCE = 0.007


def labelled(*rows: tuple[float, float | None]) -> pd.DataFrame:
    """A row (age, delay of its outcome or None) each, in seconds; the attribution is a minute."""
    age = np.array([row[0] for row in rows], dtype=float)
    delay = np.array([np.nan if row[1] is None else row[1] for row in rows], dtype=float)
    return frame(age, delay, 60.0)


def frame(age: np.ndarray, delay: np.ndarray, attribution: float) -> pd.DataFrame:
    """Examples of these ages in seconds, with their outcome where it has come; a delay of NaN is none."""
    came = delay < age
    # Of a missing number of seconds pandas rounds what happens to lie in memory.
    microseconds = np.where(came, np.round((age - delay) * 1e6), 0).astype("timedelta64[us]")
    outcome_age = pd.Series(microseconds).where(came)
    return pd.DataFrame(
        {
            "label": came.astype("int8"),
            "label_age": age,
            "mature": age >= attribution,
            "outcome_time": pd.Timestamp(CUTOFF).as_unit("us") - outcome_age,
        }
    )


def drawn(seed: int, rows: int = 60_000, probability: np.ndarray = PROBABILITY) -> pd.DataFrame:
    """Exposures of two weeks, of three `kind`s with these probabilities; `truth` is the label each has in the end."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, rows)
    truth = rng.random(rows) < probability[kind]
    delay = np.where(truth, QUICKEST + rng.random(rows) ** 2 * (ATTRIBUTION - QUICKEST), np.nan)
    age = rng.random(rows) * WINDOW
    return frame(age, delay, ATTRIBUTION).assign(kind=np.array(KINDS)[kind], truth=truth)


def config(examples: str = "all") -> GbdtConfig:
    unshrunk = {"learning_rate": 0.3, "lambda_l2": 0.0, "cat_l2": 0.0, "cat_smooth": 0.0}
    return GbdtConfig(features=["kind"], rounds=40, examples=examples, parameters=unshrunk)


def weights(examples: pd.DataFrame) -> np.ndarray:
    """With the rates of the mature examples as predictions."""
    rates = examples[examples["mature"]].groupby("kind")["label"].mean()
    return feedback_shift_weights(examples, examples["kind"].map(rates).to_numpy(), observed_delays(examples, CUTOFF))


def test_the_share_counts_the_delays_shorter_than_an_age() -> None:
    share = share_arrived(DELAYS, np.array([0.0, 10.0, 10.5, 20.5, 40.0, 40.5, 1e9]))
    assert share.tolist() == [0.0, 0.0, 0.25, 0.75, 0.75, 1.0, 1.0]


def test_the_delays_are_those_of_mature_examples_alone() -> None:
    examples = labelled((100, 30), (100, None), (59, 1), (60, 5), (1000, 50.000001), (59, None))
    assert observed_delays(examples, CUTOFF) == pytest.approx([5.0, 30.0, 50.000001], abs=1e-7)


def test_a_cutoff_in_another_time_zone_is_the_same_instant() -> None:
    examples = labelled((100, 30), (70, 20))
    tokyo = CUTOFF.astimezone(timezone(timedelta(hours=9)))
    assert observed_delays(examples, tokyo).tolist() == observed_delays(examples, CUTOFF).tolist() == [20.0, 30.0]


def test_an_outcome_at_the_moment_of_its_exposure_has_no_delay() -> None:
    assert observed_delays(labelled((60.1, 0.0), (1e7 + 0.3, 0.0)), CUTOFF).tolist() == [0.0, 0.0]


def test_an_outcome_counts_for_those_that_are_still_to_come_and_none_for_as_likely_as_it_stays_none() -> None:
    examples = labelled((30, 25), (30, None), (15, 12), (15, None))
    found = feedback_shift_weights(examples, np.array([0.2, 0.2, 0.5, 0.5]), DELAYS)
    assert found == pytest.approx([1 / 0.75, 0.8 / (1 - 0.2 * 0.75), 1 / 0.25, 0.5 / (1 - 0.5 * 0.25)])


def test_a_mature_example_counts_once_whatever_was_predicted() -> None:
    examples = labelled((60, 25), (60, None), (90, None), (1e6, 3))
    for prediction in (0.0, 0.3, 1.0):
        # Delays longer than the attribution are of another log, and do not change that.
        for delays in (DELAYS, DELAYS + 1e7):
            assert feedback_shift_weights(examples, np.full(4, prediction), delays).tolist() == [1.0] * 4


def test_an_example_older_than_every_delay_counts_once_even_before_it_is_mature() -> None:
    examples = labelled((50, 25), (50, None))
    assert feedback_shift_weights(examples, np.array([1.0, 1.0]), DELAYS).tolist() == [1.0, 1.0]


def test_the_youngest_are_left_out_with_an_outcome_or_without() -> None:
    delays = np.arange(1.0, 51.0)  # a fiftieth of the outcomes each second
    examples = labelled((0.5, None), (5, 3), (5, None), (5.5, 3), (5.5, None), (6, 3), (6, None))
    assert share_arrived(delays, np.array([5.5])).tolist() == [LEAST_SHARE]
    found = feedback_shift_weights(examples, np.full(7, 0.2), delays)
    assert (found[:3] == 0).all()
    assert (found[3:] > 0).all()
    assert found.max() == 1 / LEAST_SHARE


@pytest.mark.parametrize(
    "prediction", [[0.5], [0.5, 0.5, 0.5], [[0.5], [0.5]], [0.5, np.nan], [-0.1, 0.5], [0.5, 1.1]], ids=str
)
def test_predictions_that_are_no_probabilities_of_these_examples_are_refused(prediction: list[float]) -> None:
    with pytest.raises(ValueError, match="expected 2 probabilities, one for each example"):
        feedback_shift_weights(labelled((30, 25), (30, None)), np.array(prediction), DELAYS)


@pytest.mark.parametrize(
    ("rows", "counts"),
    [([], "0 mature examples (of 0)"), ([(30, 2)], "0 mature"), ([(99, None), (30, 2)], "1 mature examples (of 2)")],
)
def test_without_a_mature_outcome_the_delay_is_not_known(rows: list[tuple[float, float | None]], counts: str) -> None:
    with pytest.raises(ValueError) as refusal:
        training_examples(labelled(*rows).assign(kind="a"), config(), CUTOFF)
    assert counts in str(refusal.value)
    assert "expected a training window longer than the attribution" in str(refusal.value)


@pytest.mark.parametrize("cutoff", [CUTOFF - timedelta(seconds=71), CUTOFF + timedelta(seconds=31)])
def test_a_cutoff_that_is_not_the_one_of_the_labels_is_refused(cutoff: datetime) -> None:
    with pytest.raises(ValueError, match=r"cutoff is 2026-03-1.*, but 1 outcomes did not come between"):
        observed_delays(labelled((100, 30)), cutoff)


def test_an_outcome_without_a_time_is_refused() -> None:
    examples = labelled((100, 30), (100, 20))
    with pytest.raises(ValueError, match="1 outcomes did not come between their exposure and then"):
        observed_delays(examples.assign(outcome_time=examples["outcome_time"].where([True, False])), CUTOFF)


def test_a_cutoff_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="cutoff is 2026-03-15 00:00:00: expected a datetime with a time zone"):
        observed_delays(labelled((100, 30)), CUTOFF.replace(tzinfo=None))


def test_training_data_without_the_time_of_outcomes_is_refused() -> None:
    with pytest.raises(ValueError, match="column 'outcome_time' is missing; the columns present are"):
        observed_delays(labelled((100, 30)).drop(columns="outcome_time"), CUTOFF)


@pytest.mark.parametrize("seed", range(5))
def test_the_weighted_rate_is_the_true_one_where_naive_is_low_and_dropping_is_high(seed: int) -> None:
    examples = drawn(seed)
    truth = examples["truth"].mean()
    assert 0.45 < examples["mature"].mean() < 0.55
    assert np.average(examples["label"], weights=weights(examples)) == pytest.approx(truth, abs=TOLERANCE)
    assert examples["label"].mean() < truth - 4 * TOLERANCE
    assert examples["label"][examples["mature"] | (examples["label"] == 1)].mean() > truth + 4 * TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_the_weighted_rate_is_the_true_one_of_each_kind_at_each_age(kind: str) -> None:
    examples = drawn(seed=11, rows=400_000)
    examples["weight"] = weights(examples)
    of_kind = examples[examples["kind"] == kind]
    truth = PROBABILITY[KINDS.index(kind)]
    for low, high in [(0.3, 1), (1, 3), (3, 7), (7, 14)]:
        rows = of_kind[of_kind["label_age"].between(low * DAY, high * DAY)]
        rate = np.average(rows["label"], weights=rows["weight"])
        error = np.sqrt((rows["weight"] ** 2 * (rows["label"] - rate) ** 2).sum()) / rows["weight"].sum()
        # The delays and the predictions are estimates too.
        assert abs(rate - truth) < 4 * error + 0.02 * truth
        if high <= 7:
            assert rows["label"].mean() < 0.95 * truth


def test_cutting_large_weights_off_would_be_biased_where_leaving_out_the_youngest_is_not() -> None:
    examples = drawn(seed=12, rows=400_000)
    young = examples["label_age"] < DAY
    weight = weights(examples)
    assert weight[young].max() > 9
    rate = np.average(examples["label"][young], weights=weight[young])
    cut = np.average(examples["label"][young], weights=weight[young].clip(max=2))
    assert rate == pytest.approx(0.2, abs=0.01)
    assert cut < 0.17


def test_mature_training_takes_the_mature_rows_as_they_are() -> None:
    examples = drawn(seed=0, rows=1_000).drop(columns="outcome_time")
    rows, weight = training_examples(examples, config("mature"), CUTOFF)
    assert rows.equals(examples[examples["label_age"] >= ATTRIBUTION])
    assert weight is None


def test_all_training_takes_every_row_that_is_old_enough_with_the_weights_of_the_mature_model() -> None:
    examples = drawn(seed=0, rows=6_000)
    rows, weight = training_examples(examples, config(), CUTOFF)
    mature = train(examples[examples["mature"]], config("mature"))
    delays = observed_delays(examples, CUTOFF)
    assert rows.equals(examples[share_arrived(delays, examples["label_age"].to_numpy()) >= LEAST_SHARE])
    assert len(examples) * 0.5 < len(rows) < len(examples)
    assert weight is not None
    assert weight.tolist() == feedback_shift_weights(rows, mature.predict(rows), delays).tolist()


def test_where_all_is_mature_the_weights_change_nothing() -> None:
    examples = drawn(seed=0, rows=6_000)
    settled = examples[examples["mature"]]
    rows, weight = training_examples(settled, config(), CUTOFF)
    assert rows.equals(settled)
    assert weight is not None
    assert set(weight) == {1.0}


def test_a_weighted_model_predicts_the_true_rates() -> None:
    examples = drawn(seed=1)
    later = pd.DataFrame({"kind": KINDS})
    rows, weight = training_examples(examples, config(), CUTOFF)
    naive = train(examples, config()).predict(later)
    assert train(rows, config(), weight=weight).predict(later) == pytest.approx(PROBABILITY, rel=0.07)
    assert (naive < 0.88 * PROBABILITY).all()


def test_a_weighted_model_learns_what_no_mature_example_shows() -> None:
    # Kind c began after the last mature exposure, and converts more than any other.
    examples = drawn(seed=2)
    examples = examples[~examples["mature"] | (examples["kind"] != "c")]
    new = pd.DataFrame({"kind": ["c"]})
    rows, weight = training_examples(examples, config(), CUTOFF)
    mature_alone = train(examples[examples["mature"]], config()).predict(new)[0]
    naive = train(examples, config()).predict(new)[0]
    weighted = train(rows, config(), weight=weight).predict(new)[0]
    assert mature_alone < naive < weighted < 0.42
    assert weighted > 0.33


def test_the_order_of_rows_does_not_matter_to_a_byte() -> None:
    examples = drawn(seed=3, rows=4_000)
    texts = []
    for one in (examples, examples.sample(frac=1, random_state=1)):
        rows, weight = training_examples(one, config(), CUTOFF)
        texts.append(train(rows, config(), weight=weight).text)
    assert texts[0] == texts[1]
