"""Which rows of a log count, as of an instant: `select_events`, alone and together with the labels."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ibis.backends.duckdb import Backend

from ml_assets.data.labels import Selection, select_events
from ml_assets.domain.calendar import Interval
from ml_assets.domain.declared.event_log import Columns

Frames = Callable[..., pd.DataFrame]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
AFTERNOON = Interval(NOON, NOON + 6 * HOUR)
BY_ID = Columns("time", ("id",), "known")


def versions(*rows: tuple[int | None, datetime, datetime | None], **columns: list[Any]) -> pd.DataFrame:
    """A log with a row (id, event time, known time) each."""
    ids, times, known = zip(*rows, strict=True) if rows else ((), (), ())
    return pd.DataFrame(
        {
            "row": np.arange(len(rows)),
            "id": pd.array(list(ids), dtype="Int64"),
            "time": pd.DatetimeIndex(list(times), dtype="datetime64[us, UTC]"),
            "known": pd.DatetimeIndex(list(known), dtype="datetime64[us, UTC]"),
            **columns,
        }
    )


@pytest.fixture
def selected(connection: Backend) -> Callable[[pd.DataFrame, Selection], list[int]]:
    def run(log: pd.DataFrame, selection: Selection) -> list[int]:
        return sorted(connection.to_pandas(select_events(ibis.memtable(log), selection))["row"])

    return run


Selected = Callable[[pd.DataFrame, Selection], list[int]]


@pytest.mark.parametrize("known", [None, "known"])
def test_an_interval_holds_its_start_and_not_its_end(known: str | None, selected: Selected) -> None:
    edges = (NOON - MICROSECOND, NOON, NOON + 6 * HOUR - MICROSECOND, NOON + 6 * HOUR)
    log = versions(*((number, time, time) for number, time in enumerate(edges)))
    assert selected(log, Selection(Columns("time", ("id",), known), AFTERNOON, None)) == [1, 2]


def test_a_row_known_at_the_bound_or_later_does_not_count(selected: Selected) -> None:
    bound = NOON + HOUR
    log = versions((1, NOON, bound - MICROSECOND), (2, NOON, bound), (3, NOON, bound + HOUR))
    assert selected(log, Selection(BY_ID, AFTERNOON, bound)) == [0]
    assert selected(log, Selection(BY_ID, AFTERNOON, None)) == [0, 1, 2]


def test_the_newest_version_of_a_key_wins_wherever_it_lies_in_the_log(selected: Selected) -> None:
    log = versions((1, NOON, NOON + 2 * HOUR), (1, NOON, NOON + 3 * HOUR), (1, NOON, NOON + HOUR), (2, NOON, NOON))
    assert selected(log, Selection(BY_ID, AFTERNOON, None)) == [1, 3]


def test_a_correction_that_is_not_known_yet_leaves_the_version_before_it(selected: Selected) -> None:
    log = versions((1, NOON, NOON), (1, NOON + HOUR, NOON + 2 * HOUR))
    assert selected(log, Selection(BY_ID, AFTERNOON, NOON + 2 * HOUR)) == [0]
    assert selected(log, Selection(BY_ID, AFTERNOON, NOON + 2 * HOUR + MICROSECOND)) == [1]


def test_a_correction_can_move_an_event_out_of_the_window_and_into_it(selected: Selected) -> None:
    before = NOON - HOUR
    log = versions((1, NOON, NOON), (1, before, NOON + HOUR), (2, before, NOON), (2, NOON, NOON + HOUR))
    assert selected(log, Selection(BY_ID, AFTERNOON, NOON + HOUR)) == [0]
    assert selected(log, Selection(BY_ID, AFTERNOON, None)) == [3]


RETRACTABLE = Columns("time", ("id",), "known", "gone")


def test_a_retraction_takes_its_key_back_from_when_it_is_known(selected: Selected) -> None:
    log = versions((1, NOON, NOON), (1, NOON, NOON + HOUR), (2, NOON, NOON), gone=[None, True, False])
    assert selected(log, Selection(RETRACTABLE, AFTERNOON, NOON + HOUR)) == [0, 2]
    assert selected(log, Selection(RETRACTABLE, AFTERNOON, None)) == [2]


def test_a_row_after_its_retraction_counts_again(selected: Selected) -> None:
    log = versions((1, NOON, NOON), (1, NOON, NOON + HOUR), (1, NOON, NOON + 2 * HOUR), gone=[False, True, False])
    assert selected(log, Selection(RETRACTABLE, AFTERNOON, None)) == [2]


def test_an_event_that_moves_is_retracted_where_it_was_and_appended_where_it_is(selected: Selected) -> None:
    later = NOON + 2 * HOUR
    log = versions((1, NOON, NOON), (1, NOON + 5 * HOUR, later), (1, NOON, later), gone=[False, True, False])
    assert selected(log, Selection(RETRACTABLE, AFTERNOON, None)) == [2]


DAY_1, DAY_2 = (Interval(NOON + day * 24 * HOUR, NOON + (day + 1) * 24 * HOUR) for day in (0, 1))
BOTH_DAYS = Interval(DAY_1.start, DAY_2.end)


@pytest.mark.parametrize("known", [(0, 0, 0), (0, 1, 1), (0, 1, 2), (0, 0, 1)])
@pytest.mark.parametrize("there", [DAY_1, DAY_2], ids=["moved a day later", "moved a day earlier"])
def test_an_event_that_moves_counts_on_one_day_whenever_its_retraction_became_known(
    there: Interval, known: tuple[int, int, int], selected: Selected
) -> None:
    """Each window holds the days of its own: the day it left, the day it went to, or both."""
    here = DAY_2 if there == DAY_1 else DAY_1
    original, retraction, moved = ((1, DAY_2.end + number * HOUR) for number in known)
    log = versions(
        (original[0], there.start, original[1]),
        (retraction[0], there.start, retraction[1]),
        (moved[0], here.start, moved[1]),
        gone=[False, True, False],
    )
    assert [_of_windows(log, one, selected) for one in (there, here, BOTH_DAYS)] == [[], [2], [2]]


def _of_windows(log: pd.DataFrame, window: Interval, selected: Selected) -> list[int]:
    """The rows that count of those that the partitions of the window hold."""
    held = log[[time in window for time in log["time"]]]
    return selected(held, Selection(RETRACTABLE, window, None))


@pytest.mark.parametrize("repeated", [0, 1, 2])
def test_a_load_of_a_row_and_its_retraction_leaves_what_was_there_however_often_it_comes(
    repeated: int, selected: Selected
) -> None:
    loads = [NOON + number * HOUR for number in range(1, repeated + 2)]
    both = [(1, NOON, load) for load in loads for _ in ("row", "retraction")]
    gone = [False, True] * len(loads)
    assert selected(versions(*both, gone=gone), Selection(RETRACTABLE, AFTERNOON, None)) == []
    replaced = versions((1, NOON, NOON), *both, gone=[False, *gone])
    assert selected(replaced, Selection(RETRACTABLE, AFTERNOON, None)) == [len(both) - 1]
    taken_back = versions((1, NOON, NOON - HOUR), (1, NOON, NOON), *both, gone=[False, True, *gone])
    assert selected(taken_back, Selection(RETRACTABLE, AFTERNOON, None)) == []


def test_a_retraction_of_another_time_or_of_none_takes_back_what_was_known_before_it(selected: Selected) -> None:
    for time in (NOON + HOUR, None):
        at_once = versions((1, NOON, NOON), (1, time, NOON), gone=[False, True])
        assert selected(at_once, Selection(RETRACTABLE, AFTERNOON, None)) == [0]
        later = versions((1, NOON, NOON), (1, time, NOON + HOUR), gone=[False, True])
        assert selected(later, Selection(RETRACTABLE, AFTERNOON, None)) == []


def test_rows_without_a_key_are_kept_each_and_taken_back_by_none(selected: Selected, connection: Backend) -> None:
    log = versions(
        *[(None, NOON, NOON)] * 3, (1, NOON, NOON), (1, NOON, NOON + HOUR), gone=[None, True, None] + [None] * 2
    )
    assert selected(log, Selection(RETRACTABLE, AFTERNOON, None)) == [0, 2, 4]
    assert selected(log, Selection(BY_ID, AFTERNOON, None)) == [0, 1, 2, 4]
    both = Columns("time", ("id", "part"), "known")
    parts = log.assign(part=pa.array([1, 1, 1, None, None], pa.int64()).to_pandas())
    assert selected(parts, Selection(both, AFTERNOON, None)) == [0, 1, 2, 3, 4]


def test_nan_is_no_key(connection: Backend) -> None:
    """Of files, pandas' own NaN may become either; engines say that NaN equals NaN."""
    log = pa.table({"row": [0, 1, 2, 3], "id": [np.nan, np.nan, 1.0, 1.0], "time": [NOON] * 4, "known": [NOON] * 4})
    rows = connection.to_pyarrow(select_events(ibis.memtable(log), Selection(BY_ID, AFTERNOON, None)))
    assert sorted(rows["row"].to_pylist()) == [0, 1, 3]


def test_versions_are_those_of_the_whole_key(selected: Selected) -> None:
    log = versions(*((1, NOON, NOON + step * HOUR) for step in range(4)), part=["a", "b", "a", "b"])
    columns = Columns("time", ("id", "part"), "known")
    assert selected(log, Selection(columns, AFTERNOON, None)) == [2, 3]


def test_of_versions_known_at_once_the_same_one_wins_in_every_order(selected: Selected) -> None:
    load = NOON + 3 * HOUR
    log = versions(
        (1, NOON, load),
        (1, NOON + HOUR, load),
        (2, NOON, load),
        (2, NOON, load),
        (2, NOON, load),
        amount=[9, 1, 3, 5, 4],
    )
    rng = np.random.default_rng(0)
    for _ in range(5):
        shuffled = log.sample(frac=1, random_state=rng)
        assert selected(shuffled, Selection(BY_ID, AFTERNOON, None)) == [1, 3]


def test_a_row_without_a_known_time_is_the_oldest_and_never_known_before_a_bound(selected: Selected) -> None:
    log = versions((1, NOON, None), (2, NOON, None), (2, NOON, NOON))
    assert selected(log, Selection(BY_ID, AFTERNOON, None)) == [0, 2]
    assert selected(log, Selection(BY_ID, AFTERNOON, NOON + 9 * HOUR)) == [2]


def test_a_log_without_a_known_time_keeps_every_row(selected: Selected) -> None:
    log = versions((1, NOON, NOON), (1, NOON, NOON), (1, NOON, NOON + HOUR))
    assert selected(log, Selection(Columns("time", ("id",)), AFTERNOON, NOON)) == [0, 1, 2]


def test_every_column_of_the_log_is_kept(connection: Backend) -> None:
    log = versions((1, NOON, NOON)).assign(_version=7)
    found = connection.to_pandas(select_events(ibis.memtable(log), Selection(BY_ID, AFTERNOON, None)))
    assert list(found.columns) == list(log.columns)
    assert found["_version"].tolist() == [7]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bound", [None, datetime(2026, 3, 1, 5, tzinfo=UTC)], ids=["newest", "as of an instant"])
def test_the_rows_that_count_are_those_that_a_loop_finds(
    seed: int, bound: datetime | None, random_log: Frames, selected: Selected, selected_by_hand: Frames
) -> None:
    log = random_log(np.random.default_rng(seed), 200)
    window = Interval(datetime(2026, 3, 1, 2, tzinfo=UTC), datetime(2026, 3, 1, 6, tzinfo=UTC))
    selection = Selection(Columns("time", ("user", "item"), "known"), window, bound)
    expected = sorted(selected_by_hand(log, selection)["row"])
    assert log.loc[expected, ["user", "item"]].isna().any(axis=1).sum() > 2
    assert len(expected) < 60
    assert selected(log, selection) == expected


def test_a_mature_exposure_lacks_an_outcome_that_became_known_too_late(
    selected_by_hand: Frames, labelled: Frames
) -> None:
    """Maturity is about event time; what a slow load holds back is the matter of the log's known delay."""
    cutoff = NOON + 6 * HOUR
    outcomes = versions((1, NOON + HOUR, cutoff - MICROSECOND), (2, NOON + HOUR, cutoff))
    known = selected_by_hand(outcomes, Selection(BY_ID, AFTERNOON, cutoff))
    exposures = versions((1, NOON, NOON), (2, NOON, NOON))
    found = labelled(exposures, known, keys=["id"], by_id=True, within=2 * HOUR, observed_until=cutoff)
    assert found["mature"].tolist() == [True, True]
    assert dict(zip(found["id"], found["label"], strict=True)) == {1: 1, 2: 0}


# Minutes of a short day, so that few draws meet each other often; a microsecond to either side of them.
instants = st.builds(
    lambda minute, offset: NOON + timedelta(minutes=minute, microseconds=offset),
    st.integers(-2, 8),
    st.sampled_from([0, 0, 0, -1, 1]),
)
keys = st.one_of(st.none(), st.integers(0, 2))
rows = st.tuples(keys, instants, instants, st.sampled_from([None, False, False, True]))
logs = st.lists(rows, max_size=12).map(
    lambda rows: versions(*(row[:3] for row in rows), gone=pd.array([row[3] for row in rows], dtype="boolean"))
)


@settings(max_examples=60, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    exposures=logs,
    outcomes=logs,
    by_id=st.booleans(),
    minutes=st.integers(1, 3),
    bound=st.none() | instants,
    columns=st.sampled_from([BY_ID, RETRACTABLE]),
)
def test_any_two_logs_are_labelled_as_by_loops(
    labelled: Frames,
    labelled_by_hand: Frames,
    selected_by_hand: Frames,
    exposures: pd.DataFrame,
    outcomes: pd.DataFrame,
    by_id: bool,
    minutes: int,
    bound: datetime | None,
    columns: Columns,
) -> None:
    ask: dict[str, Any] = {
        "keys": ["id"],
        "by_id": by_id,
        "within": timedelta(minutes=minutes),
        "observed_until": NOON + timedelta(minutes=6),
    }
    shown = Selection(columns, Interval(NOON, NOON + timedelta(minutes=4)), bound)
    followed = Selection(columns, Interval(NOON, NOON + timedelta(minutes=6)), bound)
    expected = labelled_by_hand(selected_by_hand(exposures, shown), selected_by_hand(outcomes, followed), **ask)
    found = labelled(
        select_events(ibis.memtable(exposures), shown), select_events(ibis.memtable(outcomes), followed), **ask
    ).sort_values("row")
    columns = ["row", "label", "label_age", "mature", "outcome_time", "outcome_known"]
    found, expected = (frame[columns].astype(object).where(frame[columns].notna(), None) for frame in (found, expected))
    assert found.to_numpy().tolist() == expected.to_numpy().tolist()
