"""The check that nothing leaked, on stored Parquet: each rule at its bound."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_assets.data.no_leak import Bounds, LeakError, Verdict, verify
from ml_assets.domain.declared.event_log import Columns

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
CUTOFF = NOON + 10 * HOUR
COLUMNS = Columns("time", ("id",), "known")
BOUNDS = Bounds(
    exposures_from=NOON,
    exposures_until=NOON + 8 * HOUR,
    outcomes_until=CUTOFF,
    within=3 * HOUR,
    by_id=True,
    known_before={"exposures": CUTOFF + HOUR, "outcomes": CUTOFF + 2 * HOUR},
    has_history=True,
)
EVALUATION = replace(BOUNDS, known_before={})
CLEAN = {
    "id": 1,
    "time": NOON + 2 * HOUR,
    "known": NOON + 2 * HOUR,
    "label": 1,
    "outcome_time": NOON + 3 * HOUR,
    "outcome_known": NOON + 3 * HOUR,
    "feature_time": NOON,
}
NEGATIVE = {"label": 0, "outcome_time": None, "outcome_known": None}
TIMES = ("time", "known", "outcome_time", "outcome_known", "feature_time")
SHARED = "the exposure is in training and in evaluation data"

Stored = Callable[..., Path]


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    """Rows like the clean one but for what they say; each has an id of its own."""
    frame = pd.DataFrame([{**CLEAN, "id": number, **row} for number, row in enumerate(rows, start=1)], columns=[*CLEAN])
    return frame.astype({**dict.fromkeys(TIMES, "datetime64[us, UTC]"), "label": "Int8"})


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    def write(*rows: dict[str, Any], name: str = "data.parquet") -> Path:
        table(*rows).to_parquet(tmp_path / name, index=False)
        return tmp_path / name

    return write


def leaks(path: Path, bounds: Bounds = BOUNDS, columns: Columns = COLUMNS) -> dict[str, int]:
    return dict(verify(path, columns, bounds).leaks)


def test_rows_within_their_bounds_keep_to_every_rule(stored: Stored) -> None:
    verdict = verify(stored({}, NEGATIVE, {"feature_time": None}), COLUMNS, BOUNDS)
    assert verdict == Verdict(3, {}, {})
    assert verdict.passed
    assert str(verdict) == "3 rows keep to every rule"


def at(time: datetime) -> dict[str, Any]:
    """An exposure at that time, followed by no outcome."""
    return {"time": time, "feature_time": None, **NEGATIVE}


def followed(outcome: datetime, exposure: datetime = CLEAN["time"]) -> dict[str, Any]:  # type: ignore[assignment]
    return {"time": exposure, "outcome_time": outcome, "outcome_known": outcome}


LATE = NOON + 8 * HOUR - MICROSECOND
BEFORE_START = "the exposure is before 2026-03-01T12:00:00+00:00"
AFTER_END = "the exposure is not before 2026-03-01T20:00:00+00:00"
AFTER_CUTOFF = "the outcome is not before 2026-03-01T22:00:00+00:00"
TOO_LATE = "the outcome is not within 3:00:00 of the exposure"
TOO_EARLY = "the outcome is not after the exposure"
LABEL = "the label is not what the outcome says"
KNOWN = "known is not before 2026-03-01T23:00:00+00:00"
OUTCOME_KNOWN = "outcome_known is not before 2026-03-02T00:00:00+00:00"
FEATURE = "feature_time is not before the exposure"


@pytest.mark.parametrize(
    ("row", "broken"),
    [
        (at(NOON), None),
        (at(NOON - MICROSECOND), BEFORE_START),
        (at(LATE), None),
        (at(LATE + MICROSECOND), AFTER_END),
        (followed(CUTOFF - MICROSECOND, LATE), None),
        (followed(CUTOFF, LATE), AFTER_CUTOFF),
        (followed(NOON + 5 * HOUR - MICROSECOND), None),
        (followed(NOON + 5 * HOUR), TOO_LATE),
        (followed(NOON + 2 * HOUR), None),
        (followed(NOON + 2 * HOUR - MICROSECOND), TOO_EARLY),
        ({"label": 0}, LABEL),
        ({"label": 2}, LABEL),
        ({**NEGATIVE, "label": 1}, LABEL),
        ({"known": CUTOFF + HOUR - MICROSECOND}, None),
        ({"known": CUTOFF + HOUR}, KNOWN),
        ({"outcome_known": CUTOFF + 2 * HOUR - MICROSECOND}, None),
        ({"outcome_known": CUTOFF + 2 * HOUR}, OUTCOME_KNOWN),
        ({"feature_time": NOON + 2 * HOUR - MICROSECOND}, None),
        ({"feature_time": NOON + 2 * HOUR}, FEATURE),
    ],
)
def test_each_rule_holds_up_to_its_bound(row: dict[str, Any], broken: str | None, stored: Stored) -> None:
    assert leaks(stored({}, row)) == ({broken: 1} if broken else {})


@pytest.mark.parametrize(
    ("lost", "broken"),
    [
        ({**NEGATIVE, "time": None}, {BEFORE_START, AFTER_END, FEATURE}),
        ({"known": None}, {KNOWN}),
        ({"outcome_known": None}, {OUTCOME_KNOWN}),
        ({"label": None}, {LABEL}),
    ],
)
def test_a_row_that_lacks_what_is_verified_does_not_pass(
    lost: dict[str, Any], broken: set[str], stored: Stored
) -> None:
    assert leaks(stored({}, lost)) == dict.fromkeys(broken, 1)


def test_an_outcome_joined_by_entity_comes_strictly_after_its_exposure(stored: Stored) -> None:
    bounds = replace(BOUNDS, by_id=False)
    assert leaks(stored(followed(NOON + 2 * HOUR)), bounds) == {TOO_EARLY: 1}
    assert leaks(stored(followed(NOON + 2 * HOUR + MICROSECOND)), bounds) == {}


def test_evaluation_takes_the_newest_knowledge(stored: Stored) -> None:
    later = CUTOFF + 100 * HOUR
    assert leaks(stored({"known": later, "outcome_known": later}, {"known": None}), EVALUATION) == {}


def test_every_row_that_leaks_is_counted_and_one_is_shown(stored: Stored) -> None:
    verdict = verify(
        stored({}, {"known": CUTOFF + HOUR, "id": 17}, {"known": CUTOFF + HOUR, "id": 17}), COLUMNS, BOUNDS
    )
    assert not verdict.passed
    assert verdict.leaks == {KNOWN: 2, "the exposure is there more than once": 2}
    assert verdict.examples[KNOWN] == (
        "id 17, time 2026-03-01 14:00:00+00:00, known 2026-03-01 23:00:00+00:00, outcome_time 2026-03-01 15:00:00+00:00, "
        "outcome_known 2026-03-01 15:00:00+00:00, feature_time 2026-03-01 12:00:00+00:00"
    )
    assert str(verdict).startswith(f"2 of 3 rows: {KNOWN}, such as id 17, time 2026-03-01 14:00:00+00:00, ")


def test_an_exposure_in_both_sets_is_caught(stored: Stored) -> None:
    rows = stored({"id": 1}, {"id": 2}, {"id": 3})
    others = [stored({"id": 9}, {"id": 2}, name="1d.parquet"), stored({"id": 2}, {"id": 3}, name="7d.parquet")]
    assert verify(rows, COLUMNS, BOUNDS, apart_from=[others[0]]).leaks == {SHARED: 1}
    verdict = verify(rows, COLUMNS, BOUNDS, apart_from=others)
    assert verdict.leaks == {SHARED: 2}
    assert verdict.examples[SHARED].startswith(("id 2, time ", "id 3, time "))
    assert verify(stored({"id": 5}), COLUMNS, BOUNDS, apart_from=others).passed


def test_an_exposure_is_told_by_its_whole_key(stored: Stored) -> None:
    columns = Columns("time", ("id", "label"), "known")
    rows = stored({"id": 1}, {"id": 1, **NEGATIVE}, {"id": 2})
    assert verify(rows, columns, BOUNDS).passed
    assert verify(rows, columns, BOUNDS, apart_from=[stored({"id": 2, **NEGATIVE}, name="1d.parquet")]).passed
    other = stored({"id": 2}, {"id": 1, **NEGATIVE}, name="1d.parquet")
    assert verify(rows, columns, BOUNDS, apart_from=[other]).leaks == {SHARED: 2}


def test_an_exposure_that_is_there_twice_is_caught_where_the_log_has_one_row_of_each_key(stored: Stored) -> None:
    twice = stored({"id": 1}, {"id": 1}, {"id": 2})
    assert leaks(twice) == {"the exposure is there more than once": 2}
    assert leaks(twice, columns=Columns("time", ("id",))) == {}


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_rows_without_a_key_are_no_exposure_of_another_row(missing: float | None, tmp_path: Path) -> None:
    """Each of them counts, and none can be told apart: neither here nor in the other set."""
    paths = [tmp_path / "training.parquet", tmp_path / "evaluation.parquet"]
    for path in paths:
        rows = pa.Table.from_pandas(table({}, {}, {}))
        ids = pa.array([missing, missing, float(len(path.name))], pa.float64(), from_pandas=False)
        pq.write_table(rows.set_column(0, "id", ids), path)
    assert verify(paths[0], COLUMNS, BOUNDS, apart_from=paths[1:]).passed


def test_a_log_without_a_known_time_has_none_to_verify(tmp_path: Path) -> None:
    table({}).drop(columns="known").to_parquet(tmp_path / "data.parquet")
    columns = Columns("time", ("id",))
    assert verify(tmp_path / "data.parquet", columns, BOUNDS).passed
    with pytest.raises(LeakError, match=r"lacks the columns \['known'\]"):
        verify(tmp_path / "data.parquet", COLUMNS, BOUNDS)
    assert verify(tmp_path / "data.parquet", COLUMNS, EVALUATION).passed


def test_without_history_rows_need_no_feature_time(tmp_path: Path) -> None:
    table({}).drop(columns="feature_time").to_parquet(tmp_path / "data.parquet")
    assert verify(tmp_path / "data.parquet", COLUMNS, replace(BOUNDS, has_history=False)).passed
    with pytest.raises(LeakError, match=r"lacks the columns \['feature_time'\]"):
        verify(tmp_path / "data.parquet", COLUMNS, BOUNDS)


def test_a_table_without_rows_passes(stored: Stored) -> None:
    empty = stored()
    assert verify(empty, COLUMNS, BOUNDS, apart_from=[stored({}, name="1d.parquet")]) == Verdict(0, {}, {})
    assert verify(stored({}, name="other.parquet"), COLUMNS, BOUNDS, apart_from=[empty]).passed


def test_a_missing_table_is_refused_with_what_to_do(tmp_path: Path, stored: Stored) -> None:
    with pytest.raises(
        LeakError, match=r"there is no data.parquet, so nothing can be verified; save a table with step"
    ):
        verify(tmp_path / "data.parquet", COLUMNS, BOUNDS)
    with pytest.raises(LeakError, match=r"there is no 1d.parquet, so nothing can be verified"):
        verify(stored({}), COLUMNS, BOUNDS, apart_from=[tmp_path / "1d.parquet"])


@pytest.mark.parametrize("name", ["id", "time", "known", "label", "outcome_time", "outcome_known", "feature_time"])
def test_a_column_that_a_notebook_dropped_is_named(name: str, tmp_path: Path) -> None:
    table({}).drop(columns=name).to_parquet(tmp_path / "data.parquet")
    with pytest.raises(
        LeakError, match=rf"data.parquet lacks the columns \['{name}'\], without which nobody can verify"
    ):
        verify(tmp_path / "data.parquet", COLUMNS, BOUNDS)


def test_labels_that_are_no_numbers_cannot_be_verified(tmp_path: Path) -> None:
    table({}).assign(label="bought").to_parquet(tmp_path / "data.parquet")
    with pytest.raises(LeakError, match=r"data.parquet cannot be verified: .*bought"):
        verify(tmp_path / "data.parquet", COLUMNS, BOUNDS)


@pytest.mark.parametrize("name", TIMES)
def test_a_time_without_its_zone_cannot_be_verified(name: str, tmp_path: Path) -> None:
    frame = table({})
    frame.assign(**{name: frame[name].dt.tz_localize(None)}).to_parquet(tmp_path / "data.parquet")
    with pytest.raises(LeakError, match=rf"data.parquet: column {name} is of type timestamp\(6\), which is no instant"):
        verify(tmp_path / "data.parquet", COLUMNS, BOUNDS)


def test_the_zone_in_which_instants_are_written_does_not_matter(tmp_path: Path) -> None:
    frame = table({}, {"known": CUTOFF + HOUR})
    local = frame.assign(**{name: frame[name].dt.tz_convert("Asia/Tokyo") for name in TIMES})
    local.to_parquet(tmp_path / "data.parquet")
    assert leaks(tmp_path / "data.parquet") == {KNOWN: 1}


def test_the_folders_above_a_table_change_nothing(tmp_path: Path) -> None:
    above = tmp_path / "label=1" / "known=2026-03-01"
    for name, row in (("[a] *", at(NOON)), ("a x", at(NOON - HOUR))):
        (above / name).mkdir(parents=True)
        table(row).to_parquet(above / name / "data.parquet")
    assert verify(above / "[a] *" / "data.parquet", COLUMNS, BOUNDS).passed
