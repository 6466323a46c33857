"""Files that no examples are read from, each refused by name: without a log's columns, its times, its types."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ml_assets.data.engines.engine import EventLogError
from ml_assets.data.examples import ExampleReader
from ml_assets.data.logs.log_files import HistoryFiles, LogFiles
from ml_assets.domain.declared.history import Feature
from tests.data.parquet_logs import HOUR, NOON, examples_of, instants, log_files, written


def test_a_log_without_any_file_is_refused_by_name(outcomes: LogFiles) -> None:
    with pytest.raises(EventLogError, match="ads/shown has no Parquet file at all"):
        examples_of(log_files("ads/shown"), outcomes)


def test_missing_columns_are_named_with_their_log(tmp_path: Path, outcomes: LogFiles) -> None:
    file = written(tmp_path / "a.parquet", id=[1], at=instants(NOON))
    shown = log_files("ads/shown", file, known="ingested_at", key=("id", "row"))
    with pytest.raises(
        EventLogError,
        match=r"ads/shown .*/a\.parquet: it lacks row, time, ingested_at, user; it has id, at",
    ):
        examples_of(shown, outcomes, keys=("user",))


def test_the_outcome_log_needs_the_join_columns_too(tmp_path: Path, outcomes: LogFiles) -> None:
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", id=[1], user=[1], time=instants(NOON)))
    with pytest.raises(EventLogError, match=r"ads/sales .*\.parquet: it lacks user; it has "):
        examples_of(shown, outcomes, keys=("user",))


@pytest.mark.parametrize("naive", ["time", "known"])
def test_times_without_a_time_zone_are_refused(naive: str, tmp_path: Path, outcomes: LogFiles) -> None:
    columns = {name: instants(NOON, zone=None if name == naive else "UTC") for name in ("time", "known")}
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", id=[1], **columns), known="known")
    with pytest.raises(
        EventLogError, match=rf"ads/shown .*: column {naive} is timestamp\[..\]; write .* with a time zone"
    ):
        examples_of(shown, outcomes)


@pytest.mark.parametrize("first", ["a.parquet", "c.parquet"])
def test_one_file_without_a_time_zone_among_others_is_refused_by_name(
    first: str, tmp_path: Path, outcomes: LogFiles
) -> None:
    """Read together, its times would be taken for UTC."""
    aware = written(tmp_path / "b.parquet", id=[1], time=instants(NOON))
    naive = written(tmp_path / first, id=[1], time=instants(NOON, zone=None))
    with pytest.raises(EventLogError, match=rf"ads/shown .*{first}: column time is timestamp.* with a time zone"):
        examples_of(log_files("ads/shown", *sorted([aware, naive])), outcomes)


def test_a_time_that_is_no_timestamp_is_refused(tmp_path: Path, outcomes: LogFiles) -> None:
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", id=[1], time=["2026-03-01T12:00Z"]))
    with pytest.raises(EventLogError, match="column time is string; write timestamps"):
        examples_of(shown, outcomes)


def test_a_file_that_cannot_be_read_is_named_with_its_log(tmp_path: Path, outcomes: LogFiles) -> None:
    good = written(tmp_path / "a.parquet", id=[1], time=instants(NOON))
    bad = tmp_path / "b.parquet"
    bad.write_bytes(b"PAR1 and then the power went")
    with pytest.raises(EventLogError, match=rf"^event log ads/shown cannot be read: {bad}: "):
        examples_of(log_files("ads/shown", good, bad), outcomes)


def test_a_file_that_has_gone_is_named_with_its_log(tmp_path: Path, outcomes: LogFiles) -> None:
    with pytest.raises(EventLogError, match=r"^event log ads/shown cannot be read: .*gone\.parquet"):
        examples_of(log_files("ads/shown", tmp_path / "gone.parquet"), outcomes)


def test_a_column_that_labelling_adds_is_refused(tmp_path: Path, outcomes: LogFiles) -> None:
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", id=[1], time=instants(NOON), label=[1]))
    with pytest.raises(ValueError, match=r"columns \['label'\], which labelling adds"):
        examples_of(shown, outcomes)


#: A float stands for this number and its neighbours.
LARGE = 2**53


def test_no_float_in_one_file_makes_one_of_ids_that_differ(tmp_path: Path) -> None:
    """Read as one table with it, all ids would be floats, and three exposures would meet the outcome of one."""
    shown = written(tmp_path / "a.parquet", id=[LARGE, LARGE + 1, LARGE + 2, 7], time=instants(*[NOON] * 4))
    alone = log_files("ads/shown", shown)
    sold = log_files("ads/sales", written(tmp_path / "sold.parquet", id=[LARGE, 7], time=instants(NOON, NOON)))
    found = examples_of(alone, sold).set_index("id")["label"]
    assert found.to_dict() == {LARGE: 1, LARGE + 1: 0, LARGE + 2: 0, 7: 1}
    lost = written(tmp_path / "b.parquet", id=[None, 3.0], time=instants(NOON, NOON))
    both = log_files("ads/shown", shown, lost)
    why = r"ads/shown .*/b\.parquet: column id is double, and int64 in most files; keys are integers"
    for logs in ((both, sold), (sold, both)):
        with pytest.raises(EventLogError, match=why):
            examples_of(*logs)


@pytest.mark.parametrize("other", [["1"], [1.0], [b"1"], pa.array([1]).cast(pa.decimal128(19, 0))])
def test_logs_whose_keys_are_of_two_kinds_are_refused_with_both(other: Any, tmp_path: Path, outcomes: LogFiles) -> None:
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", id=other, time=instants(NOON)))
    with pytest.raises(EventLogError, match=r"ads/(shown|sales) .*\.parquet: column id is .*"):
        examples_of(shown, outcomes)


def test_a_column_that_one_file_lacks_is_no_column_of_nulls(tmp_path: Path, outcomes: LogFiles) -> None:
    files = [
        written(tmp_path / "a.parquet", id=[1], time=instants(NOON), known=instants(NOON)),
        written(tmp_path / "b.parquet", id=[2], time=instants(NOON)),
    ]
    with pytest.raises(EventLogError, match=r"ads/shown .*/b\.parquet: it lacks known \(timestamp\[us, tz=UTC\]"):
        examples_of(log_files("ads/shown", *files, known="known"), outcomes)
    renamed = written(tmp_path / "c.parquet", row=[1], visit=[1], time=instants(NOON))
    sold = log_files("ads/sales", *outcomes.files, renamed, key=("time",))
    shown = log_files("ads/shown", files[0])
    with pytest.raises(EventLogError, match=r"ads/sales .*/c\.parquet: it lacks id \(int64 in most files\)"):
        examples_of(shown, sold)


def test_a_history_whose_keys_are_floats_in_one_file_is_refused(tmp_path: Path, outcomes: LogFiles) -> None:
    shown = examples_of(outcomes, outcomes)
    files = [
        written(tmp_path / "a.parquet", id=[1], row=[1], price=[1], time=instants(NOON)),
        written(tmp_path / "b.parquet", id=[2.0], row=[2], price=[1], time=instants(NOON)),
    ]
    features = {"paid": Feature("sum", "price")}
    history = HistoryFiles(log_files("ads/paid", *files, key=("row",)), ("id",), HOUR, features)
    with pytest.raises(EventLogError, match=r"ads/paid .*/b\.parquet: column id is double, and int64 in most files"):
        ExampleReader().with_history(shown, [history], time="time")
    changed = written(tmp_path / "b.parquet", id=[2], row=[2], price=[0.5], time=instants(NOON))
    history = HistoryFiles(log_files("ads/paid", files[0], changed, key=("row",)), ("id",), HOUR, features)
    with pytest.raises(EventLogError, match=r"ads/paid .*/b\.parquet: column price is double, but int64 in most files"):
        ExampleReader().with_history(shown, [history], time="time")
