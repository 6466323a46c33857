from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from ibis import ir
from pandas.testing import assert_frame_equal

from ml_assets.data.labels import label_examples
from ml_assets.domain.event_log import Columns
from ml_assets.domain.spec import LABEL_COLUMNS

Frames = Callable[..., pd.DataFrame]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
JOINS: dict[str, dict[str, Any]] = {
    "by id": {"keys": ["id"], "by_id": True},
    "by entity": {"keys": ["user", "item"], "by_id": False},
}
# A multiple of the grid of the random logs: many an outcome comes exactly at the end.
RANDOM: dict[str, Any] = {"within": 2 * HOUR, "observed_until": datetime(2026, 3, 1, 6, 0, 0, 1, tzinfo=UTC)}


def log(*times: datetime, **columns: list[Any]) -> pd.DataFrame:
    frame = pd.DataFrame({"time": pd.DatetimeIndex(list(times), dtype="datetime64[us, UTC]")})
    values = {"id": [1] * len(times), **columns}
    return frame.assign(**{name: pd.array(value, dtype=_dtype(value)) for name, value in values.items()})


def _dtype(values: list[Any]) -> str:
    return "string" if any(isinstance(value, str) for value in values) else "Int64"


def hour(**changes: Any) -> dict[str, Any]:
    return {"keys": ["id"], "by_id": True, "within": HOUR, "observed_until": NOON + 2 * HOUR} | changes


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


@pytest.mark.parametrize("exposures", [log(), log(NOON)], ids=["no exposures", "one exposure"])
@pytest.mark.parametrize("outcomes", [log(), log(NOON)], ids=["no outcomes", "one outcome"])
def test_types_do_not_depend_on_the_rows(exposures: pd.DataFrame, outcomes: pd.DataFrame, labelled: Frames) -> None:
    found = labelled(exposures, outcomes, **hour())
    assert len(found) == len(exposures)
    assert found.dtypes.astype(str).to_dict() == {
        "time": "datetime64[us, UTC]",
        "id": "int64",
        "label": "int8",
        "label_age": "float64",
        "mature": "bool",
        "outcome_time": "datetime64[us, UTC]",
        "outcome_known": "datetime64[us, UTC]",
    }


@pytest.mark.parametrize(("late", "mature"), [(-MICROSECOND, False), (timedelta(0), True), (MICROSECOND, True)])
def test_an_exposure_is_mature_once_the_whole_horizon_has_passed(
    late: timedelta, mature: bool, labelled: Frames
) -> None:
    found = labelled(log(NOON), log(), **hour(observed_until=NOON + HOUR + late))
    assert found["mature"].tolist() == [mature]
    assert found["label_age"].tolist() == [(HOUR + late) / timedelta(seconds=1)]


def test_an_immature_exposure_has_its_label_as_far_as_it_is_known(labelled: Frames) -> None:
    found = labelled(log(NOON, NOON), log(NOON, id=[1]), **hour(observed_until=NOON + MICROSECOND))
    assert found["label"].tolist() == [1, 1]
    assert not found["mature"].any()


def test_the_label_age_is_exact_to_the_microsecond(labelled: Frames) -> None:
    times = [NOON + timedelta(microseconds=one) for one in (1, 333_333, 700_000, 999_999)]
    found = labelled(log(*times), log(), **hour(observed_until=NOON + timedelta(seconds=1.5)))
    assert sorted(found["label_age"], reverse=True) == [1.499999, 1.166667, 0.8, 0.500001]


def test_the_time_zone_in_which_an_instant_is_written_does_not_matter(labelled: Frames) -> None:
    zone = ZoneInfo("Asia/Tokyo")
    exposures, outcomes = log(NOON), log(NOON + HOUR / 2)
    written = labelled(exposures, outcomes, **hour(observed_until=(NOON + 2 * HOUR).astimezone(zone)))
    assert_frame_equal(written, labelled(exposures, outcomes, **hour()))
    local = labelled(exposures.assign(time=exposures["time"].dt.tz_convert(zone)), outcomes, **hour())
    assert local["label"].tolist() == [1]


def test_a_horizon_is_elapsed_time_where_clocks_change(labelled: Frames) -> None:
    """The 5th of November 2017 had 25 hours in New York."""
    midnight = datetime(2017, 11, 5, tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)
    exposures = log(midnight)
    exposures["time"] = exposures["time"].dt.tz_convert("America/New_York")
    day = hour(within=24 * HOUR, observed_until=midnight + 24 * HOUR)
    assert labelled(exposures, log(midnight + 24 * HOUR - MICROSECOND), **day)["label"].tolist() == [1]
    assert labelled(exposures, log(midnight + 24 * HOUR), **day)["label"].tolist() == [0]
    assert labelled(exposures, log(), **day)["mature"].tolist() == [True]
    local = (midnight + 24 * HOUR).astimezone(ZoneInfo("America/New_York"))
    assert labelled(exposures, log(), **day | {"observed_until": local})["mature"].tolist() == [True]
    earlier = local - MICROSECOND
    assert labelled(exposures, log(), **day | {"observed_until": earlier})["mature"].tolist() == [False]


@pytest.mark.parametrize("join", JOINS)
def test_spark_has_words_for_the_same_expression(join: str) -> None:
    visits = ibis.table(
        {"id": "int64", "user": "string", "item": "int64", "time": "timestamp('UTC', 6)"}, name="visits"
    )
    expression = label_examples(
        visits, visits, exposure_time="time", outcome_columns=Columns("time", ("id",)), **JOINS[join] | RANDOM
    )
    assert "UNIX_MICROS(`t1`.`time`)" in ibis.to_sql(expression, dialect="pyspark")


@pytest.mark.parametrize("by_id", [True, False])
def test_of_outcomes_at_once_the_earliest_known_is_named(by_id: bool, labelled: Frames) -> None:
    outcomes = log(*[NOON + HOUR / 2] * 3, NOON + HOUR * 0.75)
    outcomes["known"] = NOON + pd.to_timedelta([3, 1, 2, 0], unit="h")
    found = labelled(log(NOON, NOON + HOUR / 2, NOON + HOUR / 2 + MICROSECOND), outcomes, **hour(by_id=by_id))
    found = found.sort_values("time")
    assert found["label"].tolist() == [1, 1, 1]
    later = NOON + HOUR if by_id else NOON
    assert found["outcome_known"].tolist() == [NOON + HOUR, later, NOON]


def test_the_columns_of_the_exposures_alone_come_through(labelled: Frames) -> None:
    exposures = log(NOON, value=[5], shared=["exposure"])
    outcomes = log(NOON, value=[7], shared=["outcome"], label=[9])
    found = labelled(exposures, outcomes, **hour())
    assert list(found.columns) == ["time", "id", "value", "shared", *LABEL_COLUMNS]
    assert found[["value", "shared", "label"]].to_numpy().tolist() == [[5, "exposure", 1]]


@pytest.mark.parametrize(
    "name",
    [
        "label",
        "label_age",
        "mature",
        "outcome_time",
        "outcome_known",
        "Label",
        "MATURE",
        "_outcome_events",
        "_Outcome_",
    ],
)
def test_an_exposure_log_with_a_column_of_ours_is_refused(name: str, labelled: Frames) -> None:
    with pytest.raises(ValueError, match=rf"columns \['{name}'\], which labelling adds"):
        labelled(log(NOON).rename(columns={"id": name}).assign(id=1), log(), **hour())


def test_the_first_outcome_that_counts_is_named_with_when_it_was_known(labelled: Frames) -> None:
    times = [NOON - MICROSECOND, NOON + HOUR / 2, NOON + HOUR / 4, NOON + HOUR]
    outcomes = log(*times)
    outcomes["known"] = outcomes["time"] + HOUR
    found = labelled(log(NOON, NOON, id=[1, 2]), outcomes, **hour()).set_index("id")
    assert found.loc[1, "outcome_time"] == NOON + HOUR / 4
    assert found.loc[1, "outcome_known"] == NOON + HOUR / 4 + HOUR
    assert found.loc[2, ["outcome_time", "outcome_known"]].isna().all()


def test_without_a_known_time_an_outcome_is_known_when_it_happens(labelled: Frames) -> None:
    found = labelled(log(NOON), log(NOON + HOUR / 2), **hour())
    assert found["outcome_known"].tolist() == found["outcome_time"].tolist() == [NOON + HOUR / 2]
