"""Labels: which outcome counts for which exposure, also against a double loop in plain Python."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from ibis import ir
from pandas.testing import assert_frame_equal

from ml_assets.data.labels import label_examples
from ml_assets.domain.declared.event_log import Columns
from tests.data.instant_logs import HOUR, MICROSECOND, NOON, hour, log

Frames = Callable[..., pd.DataFrame]
JOINS: dict[str, dict[str, Any]] = {
    "by id": {"keys": ["id"], "by_id": True},
    "by entity": {"keys": ["user", "item"], "by_id": False},
}
# A multiple of the grid of the random logs: many an outcome comes exactly at the end.
RANDOM: dict[str, Any] = {"within": 2 * HOUR, "observed_until": datetime(2026, 3, 1, 6, 0, 0, 1, tzinfo=UTC)}


@pytest.mark.parametrize("join", JOINS)
@pytest.mark.parametrize("seed", range(5))
def test_every_row_is_labelled_as_by_a_double_loop(
    seed: int, join: str, random_log: Frames, labelled: Frames, labelled_by_hand: Frames
) -> None:
    rng = np.random.default_rng(seed)
    exposures, outcomes = random_log(rng, 120), random_log(rng, 100)
    options = JOINS[join] | RANDOM
    found = labelled(exposures, outcomes[["id", "user", "item", "time"]], **options)
    assert_same_rows(found, labelled_by_hand(exposures, outcomes, **options))


@pytest.mark.parametrize("keys", [["user"], ["user", "item"]], ids=["one key", "two keys"])
def test_a_log_followed_by_itself_is_labelled_as_by_a_double_loop(
    keys: list[str], random_log: Frames, labelled: Frames, labelled_by_hand: Frames
) -> None:
    visits = random_log(np.random.default_rng(11), 150)
    options = {"keys": keys, "by_id": False} | RANDOM
    assert_same_rows(labelled(visits, visits, **options), labelled_by_hand(visits, visits, **options))


def assert_same_rows(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Equal row by row and not merely in number; nulls come back as pandas has them without extension types."""
    found, expected = (frame.sort_values("row", ignore_index=True) for frame in (found, expected))
    assert list(found.columns) == list(expected.columns)
    columns = ["row", "time", "label", "label_age", "mature"]
    assert_frame_equal(found[columns], expected[columns], check_exact=True)


def test_the_random_logs_hold_the_hard_cases(random_log: Frames) -> None:
    rng = np.random.default_rng(0)
    exposures, outcomes = random_log(rng, 120), random_log(rng, 100)
    pairs = exposures.dropna(subset="id").merge(outcomes, on="id", suffixes=("", "_outcome"))
    delay = pairs["time_outcome"] - pairs["time"]
    for edge in (timedelta(0), MICROSECOND, -MICROSECOND, 2 * HOUR, 2 * HOUR - MICROSECOND, 2 * HOUR + MICROSECOND):
        assert (delay == edge).any(), edge
    assert (delay < timedelta(0)).any()
    assert exposures[["id", "user", "item"]].isna().any().all()
    assert exposures.duplicated("id").any()
    assert pairs[(delay >= timedelta(0)) & (delay < 2 * HOUR)].duplicated("row_outcome").any()


@pytest.mark.parametrize(
    ("delay", "by_id", "by_entity"),
    [
        (-HOUR, 0, 0),
        (-MICROSECOND, 0, 0),
        (timedelta(0), 1, 0),
        (MICROSECOND, 1, 1),
        (HOUR - MICROSECOND, 1, 1),
        (HOUR, 0, 0),
        (HOUR + MICROSECOND, 0, 0),
    ],
)
def test_an_outcome_counts_from_the_exposure_up_to_the_horizon(
    delay: timedelta, by_id: int, by_entity: int, labelled: Frames
) -> None:
    exposure, outcome = log(NOON), log(NOON + delay)
    assert labelled(exposure, outcome, **hour(by_id=True))["label"].tolist() == [by_id]
    assert labelled(exposure, outcome, **hour(by_id=False))["label"].tolist() == [by_entity]


def test_an_outcome_may_count_for_several_exposures(labelled: Frames) -> None:
    exposures = log(NOON, NOON + HOUR / 2, NOON + HOUR)
    found = labelled(exposures, log(NOON + HOUR * 0.75), **hour(by_id=False)).sort_values("time")
    assert found["label"].tolist() == [1, 1, 0]


def test_an_exposure_with_many_outcomes_is_one_row(labelled: Frames) -> None:
    found = labelled(log(NOON), log(*(NOON + minute * HOUR / 60 for minute in range(50))), **hour())
    assert found["label"].tolist() == [1]


def test_exposures_that_are_alike_stay_as_many_rows(labelled: Frames) -> None:
    found = labelled(log(NOON, NOON, NOON), log(NOON, NOON), **hour())
    assert found["label"].tolist() == [1, 1, 1]


def test_an_earlier_outcome_does_not_hide_a_later_one_that_counts(labelled: Frames) -> None:
    found = labelled(log(NOON), log(NOON - HOUR, NOON + HOUR / 2, NOON + 9 * HOUR), **hour())
    assert found["label"].tolist() == [1]


def test_rows_without_a_key_match_nothing_and_are_kept(labelled: Frames) -> None:
    exposures = log(NOON, NOON, id=[None, 1], user=["a", None])
    outcomes = log(NOON + HOUR / 2, NOON + HOUR / 2, id=[None, 1], user=["a", None])
    by_id = labelled(exposures, outcomes, **hour())
    assert dict(zip(by_id["id"].fillna(-1), by_id["label"], strict=True)) == {-1: 0, 1: 1}
    by_both = labelled(exposures, outcomes, **hour(keys=["id", "user"], by_id=False))
    assert by_both["label"].tolist() == [0, 0]


@pytest.mark.parametrize("by_id", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_equals_nothing_and_a_word_like_it_does(dtype: str, by_id: bool, labelled: Frames) -> None:
    """An anonymous user's order is no other visitor's."""

    def of_users(time: datetime, users: list[Any], kind: pa.DataType) -> ir.Table:
        return ibis.memtable(pa.table({"time": [time] * 3, "user": pa.array(users, kind, from_pandas=False)}))

    numbers, words = [np.nan, -np.nan, 1.0], ["NaN", "nan", None]
    for values, kind, expected in ((numbers, pa.type_for_alias(dtype), {"1.0"}), (words, pa.string(), {"NaN", "nan"})):
        logs = (of_users(time, values, kind) for time in (NOON, NOON + HOUR / 2))
        found = labelled(*logs, **hour(keys=["user"], by_id=by_id))
        assert len(found) == 3
        assert set(found.loc[found["label"] == 1, "user"].astype(str)) == expected


@pytest.mark.parametrize(
    ("exposures", "outcomes"),
    [
        (pa.int64(), pa.float64()),
        (pa.float32(), pa.int8()),
        (pa.decimal128(20, 0), pa.float64()),
        (pa.decimal128(20, 2), pa.decimal128(20, 3)),
        (pa.int64(), pa.string()),
        (pa.string(), pa.int32()),
        (pa.bool_(), pa.int64()),
        (pa.date32(), pa.timestamp("us")),
        (pa.string(), pa.binary()),
    ],
)
def test_keys_of_two_kinds_are_refused_by_name(exposures: pa.DataType, outcomes: pa.DataType, labelled: Frames) -> None:
    """A float has no room for the last digits of a large number: one customer's order would be another's."""
    logs = (pa.table({"time": [NOON], "user": pa.nulls(1, kind)}) for kind in (exposures, outcomes))
    with pytest.raises(ValueError, match=r"join by user: it is of type .* in the exposures and of type .* in the out"):
        labelled(*map(ibis.memtable, logs), **hour(keys=["user"], by_id=False))


@pytest.mark.parametrize(
    ("exposures", "outcomes"),
    [
        (pa.int8(), pa.int64()),
        (pa.int64(), pa.uint64()),
        (pa.uint8(), pa.int16()),
        (pa.decimal128(30, 2), pa.decimal128(38, 2)),
        (pa.string(), pa.dictionary(pa.int32(), pa.string())),
    ],
)
def test_keys_of_one_kind_are_joined_whatever_their_width(
    exposures: pa.DataType, outcomes: pa.DataType, labelled: Frames
) -> None:
    values = ["a", "b"] if exposures == pa.string() else [1, 2]
    shown = pa.table({"time": [NOON] * 2, "user": pa.array(values).cast(exposures)})
    sold = pa.table({"time": [NOON + HOUR / 2], "user": pa.array(values[1:]).cast(outcomes)})
    found = labelled(ibis.memtable(shown), ibis.memtable(sold), **hour(keys=["user"], by_id=False))
    assert dict(zip(found["user"], found["label"], strict=True)) == {values[0]: 0, values[1]: 1}


@pytest.mark.parametrize("kind", [pa.int64(), pa.string(), pa.decimal128(10, 2)])
def test_a_key_column_without_a_type_fits_any(kind: pa.DataType, labelled: Frames) -> None:
    typed, untyped = (pa.table({"time": [NOON], "user": pa.nulls(1, one)}) for one in (kind, pa.null()))
    for logs in ((typed, untyped), (untyped, typed), (untyped, untyped)):
        assert labelled(*map(ibis.memtable, logs), **hour(keys=["user"], by_id=False))["label"].tolist() == [0]


def test_all_entity_keys_must_agree(labelled: Frames) -> None:
    exposures = log(NOON, NOON, NOON, user=["a", "a", "b"], item=[1, 2, 1])
    found = labelled(exposures, log(NOON + HOUR / 2, user=["a"], item=[1]), **hour(keys=["user", "item"], by_id=False))
    assert found.loc[found["label"] == 1, ["user", "item"]].to_numpy().tolist() == [["a", 1]]


def test_without_outcomes_every_label_is_zero(labelled: Frames) -> None:
    found = labelled(log(NOON, NOON + HOUR), log(), **hour())
    assert found["label"].tolist() == [0, 0]
    assert found["mature"].tolist() == [True, True]


@pytest.mark.parametrize("join", JOINS)
def test_spark_has_words_for_the_same_expression(join: str) -> None:
    visits = ibis.table(
        {"id": "int64", "user": "string", "item": "int64", "time": "timestamp('UTC', 6)"}, name="visits"
    )
    expression = label_examples(
        visits, visits, exposure_time="time", outcome_columns=Columns("time", ("id",)), **JOINS[join] | RANDOM
    )
    assert "UNIX_MICROS(`t1`.`time`)" in ibis.to_sql(expression, dialect="pyspark")
