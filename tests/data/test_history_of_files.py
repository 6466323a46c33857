"""History features of real files, as a step reads them: rows, types, and what is refused."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ibis.backends.duckdb import Backend
from pandas.testing import assert_frame_equal

from ml_assets.data.artifacts.content import hash_frame
from ml_assets.data.engines.engine import EventLogError
from ml_assets.data.examples import ExampleReader
from ml_assets.data.history import with_history
from ml_assets.data.labels import Selection
from ml_assets.data.logs.log_files import HistoryFiles, LogFiles, PartitionFiles
from ml_assets.domain.calendar import Interval
from ml_assets.domain.declared.event_log import Columns
from ml_assets.domain.declared.history import Feature
from tests.data.history_rows import (
    CORRECTED,
    FEATURES,
    LOG_TYPES,
    MINUTE,
    NOON,
    PLAIN,
    by_hand,
    examples,
    minute,
    plain,
    shown,
    typed,
    visit,
)

DAY = Interval(NOON - timedelta(hours=12), NOON + timedelta(hours=12))


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
