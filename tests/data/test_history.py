"""History features, against a double loop in plain Python: for each exposure, what was known before it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ibis.backends.duckdb import Backend
from pandas.testing import assert_frame_equal

from ml_assets.data.content import hash_frame
from ml_assets.data.engine import EventLogError
from ml_assets.data.examples import ExampleReader
from ml_assets.data.history import with_history
from ml_assets.data.labels import Selection
from ml_assets.data.log_files import HistoryFiles, LogFiles, PartitionFiles
from ml_assets.domain.calendar import Interval
from ml_assets.domain.event_log import Columns
from ml_assets.domain.history import Feature
from tests.data.by_hand import newest_versions

Row = dict[str, Any]
Made = Callable[..., list[Row]]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)
DAY = Interval(NOON - timedelta(hours=12), NOON + timedelta(hours=12))
CORRECTED = Columns("time", ("key",), "known")
RETRACTABLE = Columns("time", ("key",), "known", "gone")
PLAIN = Columns("time", ("key",))
FEATURES = {
    name: Feature(name, None if name == "count" else "price") for name in ("count", "sum", "mean", "min", "max", "last")
}
LOG_TYPES = {
    "key": "Int64",
    "user": "string",
    "item": "Int64",
    "time": "datetime64[us, UTC]",
    "known": "datetime64[us, UTC]",
    "gone": "boolean",
    "price": "Float64",
}
EXAMPLE_TYPES = {"row": "int64", "user": "string", "item": "Int64", "at": "datetime64[us, UTC]"}


def typed(rows: Sequence[Row], types: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name: pd.Series([row.get(name) for row in rows], dtype=dtype if "datetime" not in dtype else None)
            for name, dtype in types.items()
        }
    ).astype({name: dtype for name, dtype in types.items() if "datetime" in dtype})


def plain(frame: pd.DataFrame) -> list[Row]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


@pytest.fixture
def made(connection: Backend) -> Made:
    """The expression on rows in memory: exposures (user, item, at) and a log; the rows that come back, in order."""

    def run(exposures: Sequence[Row], log: Sequence[Row], **changes: Any) -> list[Row]:
        options: dict[str, Any] = {
            "columns": CORRECTED,
            "by": ["user"],
            "within": 5 * MINUTE,
            "features": FEATURES,
        } | changes
        examples = typed([{"row": number, **row} for number, row in enumerate(exposures)], EXAMPLE_TYPES)
        tables = (ibis.memtable(pa.Table.from_pandas(one)) for one in (examples, typed(log, LOG_TYPES)))
        expression = with_history(*tables, example_time="at", **options)
        found = connection.to_pyarrow(expression).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
        rows = plain(found.sort_values("row"))
        assert [row["row"] for row in rows] == list(range(len(exposures)))
        return [{name: row[name] for name in (*options["features"], "feature_time")} for row in rows]

    return run


def by_hand(
    exposures: Sequence[Row],
    log: Sequence[Row],
    *,
    columns: Columns = CORRECTED,
    by: Sequence[str] = ("user",),
    within: timedelta = 5 * MINUTE,
    features: Mapping[str, Feature] = FEATURES,
) -> list[Row]:
    """Each exposure against each row."""
    rows = [{name: row.get(name) for name in LOG_TYPES} for row in log]
    return [_of_one(exposure, rows, columns, by, within, features) for exposure in exposures]


def _of_one(
    exposure: Row,
    log: list[Row],
    columns: Columns,
    by: Sequence[str],
    within: timedelta,
    features: Mapping[str, Feature],
) -> Row:
    at, seen = exposure["at"], []
    for row in _as_known(log, columns, at):
        same = all(exposure.get(name) is not None and exposure[name] == row[name] for name in by)
        if same and row["time"] is not None and at - within <= row["time"] < at:
            seen.append(row)
    known = columns.known or columns.time
    newest = sorted(seen, key=lambda row: (row["time"], row[known]))
    values = {name: _value(feature, newest, known) for name, feature in features.items()}
    return {**values, "feature_time": max((max(row["time"], row[known]) for row in seen), default=None)}


def _as_known(log: list[Row], columns: Columns, at: datetime) -> list[Row]:
    """The newest version of each key that was known before an instant, without what was taken back."""
    known = columns.known
    if known is not None:
        log = [row for row in log if row[known] is not None and row[known] < at]
    return newest_versions(log, columns, lambda row: _order(row, columns))


def _order(row: Row, columns: Columns) -> tuple[object, ...]:
    names = [columns.time, *sorted(LOG_TYPES)]
    return tuple((True, row[name]) if row[name] is not None else (False,) for name in names)


def _value(feature: Feature, newest: list[Row], known: str) -> object:
    if feature.column is None:
        return len(newest)
    values = [row[feature.column] for row in newest]
    if feature.function == "last":
        at_once = [row for row in newest if all(row[name] == newest[-1][name] for name in ("time", known))]
        return max((row[feature.column] for row in at_once if row[feature.column] is not None), default=None)
    there = [value for value in values if value is not None]
    if not there:
        return None
    return {"sum": sum(there), "mean": sum(there) / len(there), "min": min(there), "max": max(there)}[feature.function]


def minute(number: float) -> datetime:
    return NOON + number * MINUTE


def visit(time: float, known: float | None = None, **changes: Any) -> Row:
    """A row of user a, known when it happens if not said otherwise."""
    later = time if known is None else known
    return {"key": 1, "user": "a", "time": minute(time), "known": minute(later), "price": 1.0, **changes}


def shown(at: float = 10, user: str | None = "a") -> Row:
    return {"user": user, "at": minute(at)}


# Minutes of a short while, often equal, and a microsecond to either side of them: rows that meet each other, the
# exposure, and the beginning of its window.
instants = st.builds(
    lambda number, offset: minute(number) + offset * MICROSECOND, st.integers(0, 8), st.sampled_from([0, 0, 0, -1, 1])
)
users = st.sampled_from(["a", "a", "b", None])
items = st.sampled_from([1, 2, None])
# Quarters: their sums are exact in any order.
prices = st.one_of(st.none(), st.integers(-8, 8).map(lambda quarters: quarters / 4))
log_rows = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from([1, 2, 3, None]),
            "user": users,
            "item": items,
            "time": st.one_of(instants, instants, instants, st.none()),
            "known": st.one_of(instants, instants, instants, st.none()),
            "gone": st.sampled_from([None, False, False, True]),
            "price": prices,
        }
    ),
    max_size=14,
)
example_rows = st.lists(st.fixed_dictionaries({"user": users, "item": items, "at": instants}), max_size=8)


@pytest.mark.parametrize("examples", [20, pytest.param(40, marks=pytest.mark.slow)])
def test_any_history_is_what_a_double_loop_finds(made: Made, examples: int) -> None:
    @settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck))
    @given(
        exposures=example_rows,
        log=log_rows,
        columns=st.sampled_from([CORRECTED, RETRACTABLE, PLAIN, Columns("time", ("key", "item"), "known", "gone")]),
        by=st.sampled_from([("user",), ("user", "item")]),
        minutes=st.integers(1, 6),
    )
    def compare(exposures: list[Row], log: list[Row], columns: Columns, by: tuple[str, ...], minutes: int) -> None:
        ask: dict[str, Any] = {"columns": columns, "by": by, "within": minutes * MINUTE}
        assert made(exposures, log, **ask) == by_hand(exposures, log, **ask)

    compare()


def random_rows(rng: np.random.Generator, exposures: int, rows: int) -> tuple[list[Row], list[Row]]:
    def instant() -> datetime:
        return minute(int(rng.integers(0, 60))) + int(rng.choice([0, 0, 0, -1, 1])) * MICROSECOND

    def one_of(*values: Any) -> Any:
        return values[rng.integers(len(values))]

    shown = [
        {"user": one_of("a", "b", "c", None), "item": one_of(1, 2, None), "at": instant()} for _ in range(exposures)
    ]
    log = [
        {
            "key": int(rng.integers(0, rows // 2)),
            "user": one_of("a", "b", "c", None),
            "item": one_of(1, 2, None),
            "time": (time := instant()),
            # Most are known soon after they happen, some before (a planned event), some never.
            "known": one_of(time, time, time + int(rng.integers(0, 20)) * MINUTE, instant(), None),
            "gone": one_of(None, False, False, True),
            "price": one_of(None, int(rng.integers(-40, 40)) / 4, int(rng.integers(-40, 40)) / 4),
        }
        for _ in range(rows)
    ]
    return shown, log


@pytest.mark.parametrize("columns", [CORRECTED, RETRACTABLE, PLAIN], ids=["corrected", "retractable", "plain"])
@pytest.mark.parametrize("seed", range(3))
def test_a_long_history_is_what_a_double_loop_finds(seed: int, columns: Columns, made: Made) -> None:
    exposures, log = random_rows(np.random.default_rng(seed), 150, 200)
    ask: dict[str, Any] = {"columns": columns, "within": 10 * MINUTE}
    expected = by_hand(exposures, log, **ask)
    assert made(exposures, log, **ask) == expected
    assert len({row["count"] for row in expected}) > 3


def test_the_random_rows_hold_the_hard_cases() -> None:
    exposures, log = random_rows(np.random.default_rng(0), 150, 200)
    pairs = [
        (one["at"], row)
        for one in exposures
        for row in log
        if one["user"] == row["user"] is not None and row["known"] is not None
    ]
    assert any(row["time"] == at for at, row in pairs)
    assert any(row["known"] == at and row["time"] < at for at, row in pairs)
    assert any(row["time"] == at - 10 * MINUTE and row["known"] < at for at, row in pairs)
    assert any(row["known"] < at < row["time"] for at, row in pairs)
    keys = [row["key"] for row in log]
    assert max(keys.count(key) for key in keys) > 3


@pytest.mark.parametrize(
    ("time", "count"),
    [
        (minute(5) - MICROSECOND, 0),
        (minute(5), 1),
        (minute(10) - MICROSECOND, 1),
        (minute(10), 0),
        (minute(10) + MICROSECOND, 0),
    ],
)
def test_a_window_holds_its_first_instant_and_not_the_exposure(time: datetime, count: int, made: Made) -> None:
    log = [visit(0) | {"time": time, "known": time}]
    assert made([shown()], log)[0]["count"] == count
    assert made([shown()], log, columns=PLAIN)[0]["count"] == count


@pytest.mark.parametrize(
    ("known", "count"), [(minute(10) - MICROSECOND, 1), (minute(10), 0), (minute(10) + MICROSECOND, 0), (None, 0)]
)
def test_a_row_counts_once_it_is_known(known: datetime | None, count: int, made: Made) -> None:
    assert made([shown()], [visit(8) | {"known": known}])[0]["count"] == count


def test_a_row_that_was_known_before_it_happened_counts_once_it_has_happened(made: Made) -> None:
    log = [visit(8, known=1)]
    assert [row["count"] for row in made([shown(7), shown(8), shown(9)], log)] == [0, 0, 1]
    assert made([shown(9)], log)[0]["feature_time"] == minute(8)


def test_a_row_without_a_time_never_happened_and_one_without_a_known_time_was_never_known(made: Made) -> None:
    corrected = [
        visit(5),
        visit(5, known=6, key=2),
        visit(0, known=7) | {"time": None},
        visit(8, key=2) | {"known": None},
    ]
    assert [row["count"] for row in made([shown(6.5), shown(7.5), shown(9)], corrected)] == [2, 1, 1]
    assert made([shown()], [visit(8) | {"time": None}], columns=PLAIN)[0]["count"] == 0


def test_each_exposure_sees_the_version_of_its_own_time(made: Made) -> None:
    log = [visit(8, price=1.0), visit(8, known=10, price=2.0), visit(8, known=11, price=3.0)]
    found = made([shown(9), shown(10), shown(10.5), shown(11), shown(12)], log)
    assert [row["sum"] for row in found] == [1, 1, 2, 2, 3]
    assert [row["count"] for row in found] == [1] * 5
    assert [row["feature_time"] for row in found] == [minute(one) for one in (8, 8, 10, 10, 11)]


def test_a_correction_that_moves_an_event_counts_where_it_happened_as_known_then(made: Made) -> None:
    log = [visit(3), visit(8, known=9)]
    assert [row["count"] for row in made([shown(4), shown(8.5), shown(9), shown(10)], log)] == [1, 0, 0, 1]
    log = [visit(8), visit(3, known=9)]
    assert [row["count"] for row in made([shown(9), shown(9.5)], log)] == [1, 0]


def test_a_retraction_counts_from_when_it_is_known(made: Made) -> None:
    log = [visit(8), visit(8, known=10, gone=True), visit(8, known=12, gone=False)]
    found = made([shown(10), shown(10.5), shown(12), shown(12.5)], log, columns=RETRACTABLE)
    assert [row["count"] for row in found] == [1, 0, 0, 1]
    assert [row["feature_time"] for row in found] == [minute(8), None, None, minute(12)]


def test_without_rows_the_count_is_zero_and_the_rest_is_unknown(made: Made) -> None:
    nothing = {**dict.fromkeys(FEATURES), "count": 0, "feature_time": None}
    assert made([shown(), shown(user=None), shown(user="b")], []) == [nothing] * 3
    assert made([shown(user=None), shown(user="b")], [visit(8), visit(9, key=2, user=None)]) == [nothing] * 2
    assert made([], [visit(8)]) == []


def test_values_that_are_missing_are_left_out_but_the_last_is_that_of_the_last_row(made: Made) -> None:
    log = [visit(7, price=4.0), visit(8, key=2, price=2.0), visit(9, key=3, price=None)]
    one = made([shown()], log)[0]
    assert one == {"count": 3, "sum": 6, "mean": 3, "min": 2, "max": 4, "last": None, "feature_time": minute(9)}


def test_the_last_row_is_the_one_that_happened_last_and_not_the_one_known_last(made: Made) -> None:
    log = [visit(7, known=9.5, price=1.0), visit(8, key=2, price=2.0)]
    assert made([shown()], log)[0] | {"mean": 0} == {
        "count": 2, "sum": 3, "mean": 0, "min": 1, "max": 2, "last": 2, "feature_time": minute(9.5)
    }  # fmt: skip


def test_of_rows_that_happen_at_once_the_last_is_the_one_known_newest_and_then_the_greatest(made: Made) -> None:
    log = [visit(8, key=key, price=price) for key, price in enumerate([3.0, 7.0, None, 5.0])]
    assert made([shown()], log)[0]["last"] == 7
    assert made([shown()], [*log, visit(8, known=9, key=9, price=1.0)])[0]["last"] == 1
    assert made([shown()], log[::-1], columns=PLAIN)[0]["last"] == 7


# --- from files, as a step reads them


class Files:
    """A log in one file, or a few, and features of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.number = 0

    def history(self, *parts: pd.DataFrame, columns: Columns = CORRECTED, **features: str | Feature) -> HistoryFiles:
        files = []
        for part in parts:
            self.number += 1
            files.append(self._folder / f"part-{self.number}.parquet")
            part.to_parquet(files[-1], index=False)
        log = LogFiles(
            "shop/visits", (PartitionFiles("2026-03-01", DAY, tuple(files)),), None, Selection(columns, DAY, None)
        )
        parsed = {name: Feature("count", None) if one == "count" else one for name, one in features.items()}
        return HistoryFiles(log, ("user",), 5 * MINUTE, parsed)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def examples(*rows: Row, **columns: Any) -> pd.DataFrame:
    return typed(rows, {"user": "string", "at": "datetime64[us, UTC]"}).astype({"user": object}).assign(**columns)


def read(frame: pd.DataFrame, *histories: HistoryFiles) -> pd.DataFrame:
    return ExampleReader().with_history(frame, histories, time="at")


VISITS = typed([visit(8, price=2.0), visit(9, key=2, price=3.0)], LOG_TYPES)


def test_rows_their_order_and_the_other_columns_stay_as_they_are(files: Files) -> None:
    rng = np.random.default_rng(7)
    rows = [
        shown(float(at), user) for at, user in zip(rng.permutation(40) / 2, rng.choice(["a", "b"], 40), strict=True)
    ]
    frame = examples(*rows, nested=[[number] for number in range(40)], price=rng.random(40))
    frame.index = pd.Index(rng.permutation(40), name="of the notebook")
    before = frame.copy(deep=True)
    found = read(frame, files.history(VISITS, visits="count"))
    assert_frame_equal(frame, before)
    assert_frame_equal(found[list(frame.columns)], before)
    assert list(found.columns) == [*frame.columns, "visits", "feature_time"]
    log = plain(VISITS)
    assert found["visits"].tolist() == [row["count"] for row in by_hand(rows, log)]


def test_exposures_that_are_alike_stay_as_many_rows(files: Files) -> None:
    assert (
        read(examples(shown(), shown(), shown()), files.history(VISITS, visits="count"))["visits"].tolist() == [2] * 3
    )


def test_several_histories_make_one_table_and_the_newest_feature_time(files: Files) -> None:
    mails = typed([visit(6, key=5), visit(9.5, key=6, user="b"), visit(7, key=7)], LOG_TYPES)
    both = [
        files.history(VISITS, visits="count", spent=Feature("sum", "price")),
        files.history(mails, mails="count"),
    ]
    found = read(examples(shown(), shown(user="b"), shown(user="c"), shown(8)), *both)
    assert found["visits"].tolist() == [2, 0, 0, 0]
    assert found["mails"].tolist() == [2, 1, 0, 2]
    times = [minute(9), minute(9.5), pd.NaT, minute(7)]
    assert_frame_equal(found[["feature_time"]], pd.DataFrame({"feature_time": pd.DatetimeIndex(times).as_unit("us")}))
    assert_frame_equal(
        read(examples(shown(), shown(user="b"), shown(user="c"), shown(8)), *both[::-1])[found.columns], found
    )


ALL = {
    "count": "count",
    **{
        f"{function}_{column}": Feature(function, column)
        for function in ("sum", "mean", "min", "max", "last")
        for column in ("price", "item", "gone")
    },
    "last_user": Feature("last", "user"),
    "last_time": Feature("last", "time"),
}


@pytest.mark.parametrize("shown_users", [[], ["a"], ["b"], [None], ["a", "b", None]], ids=str)
@pytest.mark.parametrize("log", [VISITS, VISITS[:0], VISITS.assign(item=[3, 4], gone=[False, True])], ids=len)
def test_types_do_not_depend_on_the_rows(shown_users: list[str | None], log: pd.DataFrame, files: Files) -> None:
    found = read(examples(*(shown(user=user) for user in shown_users)), files.history(log, **ALL))
    assert len(found) == len(shown_users)
    assert found.drop(columns=["user", "at"]).dtypes.astype(str).to_dict() == {
        "count": "int64",
        "sum_price": "float64",
        "sum_item": "Int64",
        "sum_gone": "Int64",
        **{f"mean_{column}": "float64" for column in ("price", "item", "gone")},
        **{f"{function}_price": "float64" for function in ("min", "max", "last")},
        **{f"{function}_item": "Int64" for function in ("min", "max", "last")},
        **{f"{function}_gone": "boolean" for function in ("min", "max", "last")},
        "last_user": "object",
        "last_time": "datetime64[us, UTC]",
        "feature_time": "datetime64[us, UTC]",
    }


def test_whole_numbers_are_exact_beyond_what_a_float_holds(files: Files) -> None:
    item = 2**60 + 1
    found = read(
        examples(shown(), shown(user="b")),
        files.history(
            VISITS.assign(item=[item - 2, item]), last=Feature("last", "item"), largest=Feature("max", "item")
        ),
    )
    assert found["last"].tolist() == found["largest"].tolist() == [item, pd.NA]


def test_an_entity_may_be_a_float_in_the_examples_where_some_have_none(files: Files) -> None:
    frame = examples(shown(), shown(), shown()).assign(user=[1.0, np.nan, 2.0])
    log = VISITS.assign(user=pd.array([1, None], dtype="Int64"))
    assert read(frame, files.history(log, visits="count"))["visits"].tolist() == [1, 0, 0]


@pytest.mark.parametrize("user", [0.5, 2.0**53, -(2.0**60), float("inf")])
def test_a_float_that_is_no_whole_number_for_sure_is_no_entity(user: float, files: Files) -> None:
    """It would see the rows of those whom a float cannot tell apart from it."""
    log = VISITS.assign(user=pd.array([2**53, 2**53 + 1], dtype="Int64"))
    with pytest.raises(ValueError, match="history by user: it is of type float64 in the examples and of type int64 in"):
        read(examples(shown(), shown()).assign(user=[user, np.nan]), files.history(log, visits="count"))


def test_nan_sees_nothing_and_is_seen_by_none(connection: Backend) -> None:
    times = {"time": [minute(8)] * 2, "known": [minute(8)] * 2}
    log = pa.table({"key": [1, 2], "user": [np.nan, 1.0], **times})
    exposures = pa.table({"row": [0, 1, 2], "user": [np.nan, 1.0, None], "at": [minute(10)] * 3})
    asked = {"columns": CORRECTED, "by": ["user"], "within": 5 * MINUTE, "features": {"seen": FEATURES["count"]}}
    found = with_history(ibis.memtable(exposures), ibis.memtable(log), example_time="at", **asked)
    assert connection.to_pyarrow(found.order_by("row"))["seen"].to_pylist() == [0, 1, 0]


def test_the_zone_and_unit_of_the_exposures_do_not_matter(files: Files) -> None:
    frame = examples(shown(), shown(9))
    local = frame.assign(at=frame["at"].dt.tz_convert("Asia/Tokyo").astype("datetime64[ns, Asia/Tokyo]"))
    assert read(local, files.history(VISITS, visits="count"))["visits"].tolist() == [2, 1]


def test_results_are_the_same_to_the_last_bit_in_whatever_order_rows_lie(files: Files) -> None:
    """Sums of floats depend on their order, and engines add in parallel."""
    rng = np.random.default_rng(1)
    size = 40_000
    seconds = rng.integers(0, 3600, size)
    log = pd.DataFrame(
        {
            "key": np.arange(size),
            "user": rng.choice(["a", "b", "c"], size),
            "time": pd.DatetimeIndex([NOON]).as_unit("us")[0] + pd.to_timedelta(seconds, unit="s").as_unit("us"),
            "price": rng.normal(size=size) * 10.0 ** rng.integers(-8, 8, size),
        }
    )
    log["known"] = log["time"]
    frame = log[["user", "time"]].rename(columns={"time": "at"}).iloc[:2000]
    features = {name: Feature(name, "price") for name in ("sum", "mean", "last")}
    found = [
        read(frame, files.history(*(shuffled.iloc[part::parts] for part in range(parts)), **features))
        for parts, shuffled in [(1, log), *((3, log.sample(frac=1, random_state=rng)) for _ in range(3))]
    ]
    assert found[0]["sum"].nunique() > 1000
    assert len({hash_frame(one) for one in found}) == 1


@pytest.mark.timeout(60)
def test_one_entity_with_very_many_exposures_and_rows_is_not_joined_pair_by_pair(files: Files) -> None:
    """Each pair visited, these would take minutes."""
    rng = np.random.default_rng(2)
    size = 60_000
    start = np.datetime64(NOON.replace(tzinfo=None), "us")
    microseconds = np.sort(rng.integers(0, 3_600_000_000, (2, size)), axis=1)
    at, times = (pd.DatetimeIndex(start + one.astype("timedelta64[us]")).tz_localize("UTC") for one in microseconds)
    price = rng.integers(-5, 100, size)
    log = pd.DataFrame({"key": np.arange(size), "user": "a", "time": times, "known": times, "price": price})
    features = {"sum": Feature("sum", "price"), "last": Feature("last", "price"), "largest": Feature("max", "price")}
    history = files.history(log, visits="count", **features)
    found = read(pd.DataFrame({"user": "a", "at": at}), history)
    first, stop = np.searchsorted(microseconds[1], [microseconds[0] - 300_000_000, microseconds[0]])
    assert found["visits"].tolist() == (stop - first).tolist()
    assert (stop - first).sum() > 200_000_000
    total = np.append(0, np.cumsum(price))
    some = stop > first
    assert found["sum"][some].tolist() == (total[stop] - total[first])[some].tolist()
    assert found["last"][some].tolist() == price[stop - 1][some].tolist()
    for number in rng.integers(0, size, 200):
        assert found["largest"][number] == price[first[number] : stop[number]].max()


# --- what is refused


def test_columns_that_are_missing_or_taken_are_named(files: Files) -> None:
    frame = examples(shown()).drop(columns="user").assign(visits=1)
    with pytest.raises(ValueError, match=r"needs the columns \['user'\] of the examples, and adds \['Visits'\], which"):
        read(frame, files.history(VISITS, Visits="count"))
    with pytest.raises(ValueError, match=r"needs the columns \[\] of the examples, and adds \['feature_time'\]"):
        read(examples(shown()).assign(feature_time=0), files.history(VISITS, visits="count"))


def test_a_log_without_a_column_of_its_features_is_refused(files: Files) -> None:
    history = files.history(VISITS.drop(columns="user"), spent=Feature("sum", "cost"))
    with pytest.raises(EventLogError, match=r"shop/visits .*: it lacks user, cost; it has key"):
        read(examples(shown()), history)


def test_entities_of_two_types_are_refused(files: Files) -> None:
    with pytest.raises(ValueError, match=r"history by user: it is of type int64 in the examples and of type string in"):
        read(examples(shown()).assign(user=[1]), files.history(VISITS, visits="count"))


def test_uuids_are_entities_though_pandas_has_them_as_text(files: Files) -> None:
    ids = [UUID(int=number) for number in range(2)]
    rows = pa.table(
        {
            "key": [1, 2],
            "user": pa.array([one.bytes for one in ids], pa.uuid()),
            "time": pa.array([minute(8)] * 2, pa.timestamp("us", "UTC")),
        }
    )
    history = files.history(VISITS, columns=PLAIN, seen="count")
    (partition,) = history.log.partitions
    pq.write_table(rows, partition.files[0])
    frame = examples(shown(), shown(), shown()).assign(user=[str(ids[0]).upper(), str(UUID(int=9)), None])
    assert read(frame, history)["seen"].tolist() == [1, 0, 0]


@pytest.mark.parametrize("function", ["min", "max", "last"])
def test_maps_have_no_order(function: str, files: Files, tmp_path: Path) -> None:
    history = files.history(VISITS, newest=Feature(function, "tags"))
    tags = pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64()))
    file = history.log.files[0]
    pq.write_table(pq.read_table(file).append_column("tags", tags), file)
    with pytest.raises(
        ValueError, match=rf"history: {function}\(tags\) needs an order, and the column is of type map<"
    ):
        read(examples(shown()), history)


@pytest.mark.parametrize("function", ["sum", "mean"])
def test_words_have_no_sum(function: str, files: Files) -> None:
    with pytest.raises(
        ValueError, match=rf"history: {function}\(user\) needs numbers, and the column is of type string"
    ):
        read(examples(shown()), files.history(VISITS, wrong=Feature(function, "user")))
