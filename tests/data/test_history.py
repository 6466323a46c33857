"""History features: point-in-time aggregates, in memory, row by row as a double loop finds them."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ibis.backends.duckdb import Backend

from ml_assets.data.history import with_history
from ml_assets.domain.declared.event_log import Columns
from tests.data.history_rows import (
    CORRECTED,
    FEATURES,
    LOG_TYPES,
    MINUTE,
    PLAIN,
    Row,
    by_hand,
    minute,
    plain,
    shown,
    typed,
    visit,
)

Made = Callable[..., list[Row]]
MICROSECOND = timedelta(microseconds=1)
RETRACTABLE = Columns("time", ("key",), "known", "gone")
EXAMPLE_TYPES = {"row": "int64", "user": "string", "item": "Int64", "at": "datetime64[us, UTC]"}


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
