"""Event logs in a real PostgreSQL: what is seen of their partitions, and labels equal to those of files."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_assets.data.content import hash_frame
from ml_assets.data.databases import SourceError
from ml_assets.data.event_tables import columns_of, fingerprints
from ml_assets.data.examples import ExampleReader
from ml_assets.data.labels import Selection
from ml_assets.data.log_files import ExamplesQuery, HistoryFiles, LogFiles, PartitionFiles
from ml_assets.domain.agreement import Agreement
from ml_assets.domain.calendar import Calendar, Interval
from ml_assets.domain.contents import Alike, Contents, Wanted
from ml_assets.domain.durations import Duration
from ml_assets.domain.event_log import Columns, EventLog, Table, Watermark
from ml_assets.domain.history import Feature
from tests.support.postgres import PASSWORD, Postgres, postgres_server

pytestmark = pytest.mark.slow

VARIABLE = "WAREHOUSE_URL"
TABLE = Table("analytics.events", VARIABLE)
COLUMNS = Columns("time", ("row",))
DAYS = 10


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def warehouse(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    """A database whose time zone is not UTC."""
    server.execute("drop schema if exists analytics cascade")
    server.execute("create schema analytics")
    server.execute("alter database postgres set timezone to 'America/New_York'")
    server.execute('create table analytics.events ("row" bigint, time timestamptz, known timestamptz, device text)')
    monkeypatch.setenv(VARIABLE, server.url)
    return server


def event_log(zone: str = "UTC", every: str = "day", known: str | None = None) -> EventLog:
    calendar = Calendar(every, date(2026, 3, 23), zone)  # type: ignore[arg-type]
    watermark = Watermark("select now()", VARIABLE)
    columns = replace(COLUMNS, known=known)
    return EventLog("shop/events", "", calendar, Duration(3, "d"), columns, watermark, table=TABLE)


def insert(warehouse: Postgres, row: int, time: datetime | None, known: datetime | None = None) -> None:
    warehouse.execute(
        "insert into analytics.events values (:row, :time, :known, 'phone')", row=row, time=time, known=known
    )


@pytest.mark.parametrize(
    ("zone", "every"),
    [
        # Clocks change on 29 March in Europe; Kathmandu is off by 45 minutes.
        ("UTC", "day"),
        ("Europe/Berlin", "day"),
        ("Asia/Kathmandu", "day"),
        ("Asia/Kathmandu", "hour"),
        ("Europe/Berlin", "week"),
    ],
)
def test_a_row_changes_the_fingerprint_of_the_partition_of_its_event_time_and_no_other(
    warehouse: Postgres, zone: str, every: str
) -> None:
    log, draw = event_log(zone, every), random.Random(zone + every)
    indices = range(2 if every == "week" else DAYS)
    edges = [log.partitions.interval(index) for index in indices]
    before = fingerprints(log, indices)
    assert list(before) == [log.partitions.key(index) for index in indices]
    assert len(set(before.values())) == 1, "all are empty"
    microsecond = timedelta(microseconds=1)
    for number in range(12):
        index = draw.choice(indices)
        time = draw.choice(
            [edges[index].start, edges[index].end - microsecond, edges[index].start + timedelta(minutes=50)]
        )
        insert(warehouse, number, time)
        after = fingerprints(log, indices)
        assert [name for name in after if after[name] != before[name]] == [log.partitions.key(index)]
        before = after
    insert(warehouse, 99, edges[-1].end)
    insert(warehouse, 99, edges[0].start - microsecond)
    assert fingerprints(log, indices) == before


def test_partitions_that_are_asked_for_alone_have_the_same_fingerprints(warehouse: Postgres) -> None:
    log = event_log("Europe/Berlin")
    for number in range(40):
        insert(warehouse, number, datetime(2026, 3, 23, tzinfo=UTC) + timedelta(hours=5 * number))
    whole = fingerprints(log, range(DAYS))
    assert len(set(whole.values())) > 2
    assert fingerprints(log, [6]) == {"2026-03-29": whole["2026-03-29"]}
    assert fingerprints(log, [7, 2]) == {name: whole[name] for name in ("2026-03-30", "2026-03-25")}
    assert fingerprints(log, []) == {}


def test_a_deleted_row_and_a_correction_are_seen_and_a_row_that_is_rewritten_in_place_is_not(
    warehouse: Postgres,
) -> None:
    time = datetime(2026, 3, 23, 8, tzinfo=UTC)
    for number in range(3):
        insert(warehouse, number, time + timedelta(hours=number), time + timedelta(days=1, hours=number))
    log, known = event_log(), event_log(known="known")
    before = fingerprints(log, [0])
    warehouse.execute("update analytics.events set device = 'desktop' where row = 1")
    assert fingerprints(log, [0]) == before
    known_before = fingerprints(known, [0])
    warehouse.execute("update analytics.events set known = '2026-03-28T00:00Z' where row = 1")
    assert fingerprints(log, [0]) == before
    assert fingerprints(known, [0]) != known_before
    warehouse.execute("delete from analytics.events where row = 1")
    assert fingerprints(log, [0]) != before


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("drop table analytics.events", "table analytics.events cannot be read"),
        ("alter table analytics.events rename time to happened", "lacks the columns"),
        ("alter table analytics.events alter time type timestamp", "column time is of type timestamp"),
        ("alter table analytics.events alter time type date", "column time is of type date"),
    ],
)
def test_a_table_that_is_not_as_declared_is_refused(warehouse: Postgres, sql: str, words: str) -> None:
    warehouse.execute(sql)
    with pytest.raises(SourceError, match="event log shop/events: .*" + words):
        fingerprints(event_log(), [0])
    with pytest.raises(SourceError, match="event log shop/events: .*" + words):
        examples(in_table(datetime(2026, 3, 23, tzinfo=UTC)), in_table(datetime(2026, 3, 23, tzinfo=UTC)))


def test_no_error_shows_the_password(warehouse: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in (warehouse.url_of("nothing"), warehouse.url.replace("postgresql:", "postgresql+nodriver:"), "nothing"):
        monkeypatch.setenv(VARIABLE, url)
        if url.startswith("postgresql+nodriver"):
            # Ibis has its own driver.
            assert fingerprints(event_log(), [0])
            continue
        with pytest.raises(SourceError, match="shop/events") as caught:
            fingerprints(event_log(), [0])
        assert PASSWORD not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(SourceError, match=f"the environment variable {VARIABLE} is not set"):
        fingerprints(event_log(), [0])


def in_table(
    start: datetime, days: int = 1, known_before: datetime | None = None, columns: Columns = COLUMNS
) -> LogFiles:
    """Some days of the table, as a window of all."""
    day = timedelta(days=1)
    parts = [
        PartitionFiles(
            f"{start + number * day:%Y-%m-%d}", Interval(start + number * day, start + (number + 1) * day), ()
        )
        for number in range(days)
    ]
    selection = Selection(columns, Interval(start, start + days * day), known_before)
    return LogFiles("shop/events", tuple(parts), None, selection, TABLE)


def in_files(frame: pd.DataFrame, log: LogFiles, root: Path) -> LogFiles:
    """The same rows in Parquet files, by the day of their event time."""
    parts = []
    for part in log.partitions:
        rows = frame[(frame["time"] >= part.interval.start) & (frame["time"] < part.interval.end)]
        path = root / f"date={part.key}.parquet"
        root.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), path)
        parts.append(replace(part, files=(path,)))
    return replace(log, partitions=tuple(parts), table=None)


def examples(exposures: LogFiles, outcomes: LogFiles, **changes: object) -> pd.DataFrame:
    options = {
        "keys": ("id",),
        "by_id": True,
        "within": timedelta(hours=4),
        "observed_until": exposures.selection.interval.end,
    }
    return ExampleReader().examples(ExamplesQuery(exposures, outcomes, **{**options, **changes}))  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("join", [("id",), ("user", "item")], ids=["by id", "by entity"])
@pytest.mark.parametrize("known", [None, "known"], ids=["no known time", "known time"])
def test_labels_of_tables_are_those_of_files(
    warehouse: Postgres,
    random_log: Callable[..., pd.DataFrame],
    tmp_path: Path,
    seed: int,
    join: tuple[str, ...],
    known: str | None,
) -> None:
    rng = np.random.default_rng(seed)
    columns = Columns("time", ("row",), known)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    logs = {}
    for name in ("shown", "bought"):
        frame = random_log(rng, 300)
        # Keys repeat where a log has a known time: the newest counts.
        frame["row"] = rng.integers(0, 200, len(frame)) if known else frame["row"]
        fill(warehouse, name, frame)
        before = start + timedelta(hours=5) if known else None
        log = replace(
            in_table(start, 1, before, columns), key=f"shop/{name}", table=Table(f"analytics.{name}", VARIABLE)
        )
        logs[name] = (log, in_files(frame, log, tmp_path / name))
    options = {"keys": join, "by_id": join == ("id",)}
    of_tables, of_files = (examples(*(logs[name][kind] for name in logs), **options) for kind in (0, 1))
    assert of_files["label"].nunique() == 2
    pd.testing.assert_frame_equal(of_tables, of_files)


def test_history_of_a_table_is_that_of_files(
    warehouse: Postgres, random_log: Callable[..., pd.DataFrame], tmp_path: Path
) -> None:
    frame, start = random_log(np.random.default_rng(3), 200), datetime(2026, 3, 1, tzinfo=UTC)
    fill(warehouse, "events", frame)
    log = in_table(start)
    given = pd.DataFrame({"user": frame["user"], "time": frame["time"] + timedelta(minutes=10)})
    found = [
        ExampleReader().with_history(
            given,
            [HistoryFiles(one, ("user",), timedelta(hours=2), {"seen": Feature("count", None)})],
            time="time",
        )
        for one in (log, in_files(frame, log, tmp_path / "events"))
    ]
    assert found[0]["seen"].sum() > 0
    pd.testing.assert_frame_equal(*found)


# A value of each type that needs more than a word to be carried; of all others null must do.
VALUES = {
    "uuid": "6b4ce1a3-3c7e-4a8d-9f62-000000000001",
    "money": "1.5",
    "numeric": "1.1234567890123",
    "numeric(50,20)": "1.5",
    "numeric(100,2)": "1.5",
    "numeric(100,2)[]": "{1.5}",
    "numeric(10,2)": "NaN",
    "numeric(3,-2)": "12300",
    "bytea": "ab",
    "json": '{"a": [1, null]}',
    "jsonb": '{"a": [1, null]}',
    "integer[]": "{{1,2},{3,4}}",
    "uuid[]": "{6b4ce1a3-3c7e-4a8d-9f62-000000000001}",
    "interval": "1 month 2 days",
    "time with time zone": "12:00+02",
    "inet": "10.0.0.1/32",
    "macaddr": "08:00:2b:01:02:03",
    "point": "(1,2)",
    "tstzrange": "[2026-01-01,)",
    "bit(3)": "101",
    "xml": "<a/>",
    "regclass": "pg_class",
    "double precision": "NaN",
    "analytics.mood": "glad",
    "analytics.email": "a@b",
    "analytics.place": "(1,x)",
}


def test_no_column_hinders_by_its_type(warehouse: Postgres, tmp_path: Path) -> None:
    for kind in (
        "type mood as enum ('glad')",
        "domain email as text check (value ~ '@')",
        "type place as (x int, y text)",
    ):
        warehouse.execute(f"create {kind.replace(' ', ' analytics.', 1)}")
    own = (
        "typtype in ('b', 'r', 'm') and typnamespace = 'pg_catalog'::regnamespace and typname not in ('cstring', '_cstring') "
        "and typelem not in (select oid from pg_type where typtype = 'c')"
    )
    kinds = [str(kind) for [kind] in warehouse.execute(f"select format_type(oid, null) from pg_type where {own}")]
    kinds = [*kinds, *(kind for kind in VALUES if kind not in kinds)]
    assert len(kinds) > 150
    columns = {f"c{number}": kind for number, kind in enumerate(kinds)}
    declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    warehouse.execute(f'create table analytics.wide ("row" bigint, time timestamptz, {declared})')
    given = [name for name, kind in columns.items() if kind in VALUES]
    values = ", ".join(f"cast(cast(:{name} as text) as {columns[name]})" for name in given)
    start = datetime(2026, 3, 23, tzinfo=UTC)
    for number, filled in enumerate((True, False)):
        texts = {name: VALUES[columns[name]] if filled else None for name in given}
        sql = f'insert into analytics.wide ("row", time, {", ".join(given)}) values (:row, :time, {values})'
        warehouse.execute(sql, row=number, time=start, **texts)
    wide = replace(in_table(start), table=Table("analytics.wide", VARIABLE))
    assert columns_of(replace(event_log(), table=wide.table)).keys() == {"row", "time", *columns}
    insert(warehouse, 1, start)
    found = examples(wide, in_table(start), keys=["row"])
    assert dict(zip(found["row"], found["label"], strict=True)) == {0: 0, 1: 1}
    found.to_parquet(tmp_path / "data.parquet", index=False)
    assert hash_frame(pd.read_parquet(tmp_path / "data.parquet")) == hash_frame(found)
    arrived = {columns[name]: found[name].iloc[0] for name in given}
    assert {kind: arrived[kind] for kind in ("uuid", "inet", "integer[]", "analytics.mood")} == {
        kind: VALUES[kind] for kind in ("uuid", "inet", "integer[]", "analytics.mood")
    }
    assert (arrived["money"], arrived["numeric"], arrived["numeric(50,20)"]) == (Decimal("1.5"), 1.1234567890123, 1.5)
    assert arrived["numeric(10,2)"] is None


def test_keys_of_more_digits_than_are_held_here_are_told_apart_and_nan_is_none(warehouse: Postgres) -> None:
    start, large = datetime(2026, 3, 23, tzinfo=UTC), 10**44
    warehouse.execute('create table analytics.wide ("row" numeric(50,2), time timestamptz)')
    for number in (large, large + 1, "NaN"):
        warehouse.execute("insert into analytics.wide values (cast(:row as numeric), :time)", row=number, time=start)
    shown = replace(in_table(start), table=Table("analytics.wide", VARIABLE))
    warehouse.execute("create table analytics.bought as select * from analytics.wide")
    warehouse.execute('delete from analytics.bought where "row" = :row', row=large + 1)
    bought = replace(shown, key="shop/bought", table=Table("analytics.bought", VARIABLE))
    found = examples(shown, bought, keys=["row"])
    labels = dict(zip(found["row"].fillna(""), found["label"], strict=True))
    assert labels == {f"{large}.00": 1, f"{large + 1}.00": 0, "": 0}
    columns = columns_of(replace(event_log(), table=shown.table))
    seen = {key: {"": Contents("", alike=(Alike(columns, "table", 1),))} for key in (shown.key, bought.key)}
    logs = [(one.key, one.selection.columns) for one in (shown, bought)]
    assert not Agreement(Wanted.of_logs(logs, ["row"]), seen).misfits(seen)


@pytest.mark.parametrize("in_both", [True, False], ids=["tables", "a table and files"])
def test_uuids_are_keys(warehouse: Postgres, tmp_path: Path, in_both: bool) -> None:
    start = datetime(2026, 3, 23, tzinfo=UTC)
    ids = [UUID(int=number) for number in range(3)]
    for name, some in (("shown", ids), ("bought", ids[1:])):
        warehouse.execute(f'create table analytics.{name} ("row" uuid, time timestamptz, known timestamptz)')
        for one in some:
            warehouse.execute(f"insert into analytics.{name} values (:row, :time, :time)", row=one, time=start)
    columns = replace(COLUMNS, known="known")
    shown, bought = (
        replace(in_table(start, columns=columns), table=Table(f"analytics.{name}", VARIABLE))
        for name in ("shown", "bought")
    )
    if not in_both:
        times = pa.array([start] * 2, pa.timestamp("us", "UTC"))
        rows = {"row": pa.array([one.bytes for one in ids[1:]], pa.uuid()), "time": times, "known": times}
        pq.write_table(pa.table(rows), tmp_path / "a.parquet")
        bought = replace(
            bought, partitions=(replace(bought.partitions[0], files=(tmp_path / "a.parquet",)),), table=None
        )
    found = examples(shown, bought, keys=["row"])
    assert dict(zip(found["row"], found["label"], strict=True)) == {str(ids[0]): 0, str(ids[1]): 1, str(ids[2]): 1}


def test_a_value_that_cannot_be_read_is_refused_with_its_column(warehouse: Postgres) -> None:
    start = datetime(2026, 3, 23, tzinfo=UTC)
    warehouse.execute("alter table analytics.events add valid_until timestamptz, add born date")
    for column, value in (("valid_until", "infinity"), ("born", "0044-03-15 BC")):
        warehouse.execute("delete from analytics.events")
        warehouse.execute(
            f'insert into analytics.events ("row", time, {column}) values (1, :time, :value)', time=start, value=value
        )
        with pytest.raises(
            SourceError, match=f"shop/events: table analytics.events: column {column} holds what cannot"
        ):
            examples(in_table(start), in_table(start), keys=["row"])


def test_a_window_without_any_partition_has_the_columns_of_the_table_and_no_row(warehouse: Postgres) -> None:
    start = datetime(2026, 3, 23, tzinfo=UTC)
    insert(warehouse, 1, start)
    found = examples(in_table(start), replace(in_table(start), partitions=()), keys=["row"])
    assert found["label"].tolist() == [0]
    assert examples(in_table(start, days=0), in_table(start), keys=["row"]).empty


def test_a_correction_without_an_event_time_is_refused(warehouse: Postgres) -> None:
    start = datetime(2026, 3, 23, tzinfo=UTC)
    log = in_table(start, columns=replace(COLUMNS, known="known"))
    insert(warehouse, 1, None, start)
    with pytest.raises(
        SourceError, match="1 rows have no time; in a table a row lies in the partition of its event time"
    ):
        examples(log, log, keys=["row"])


def test_what_lies_outside_of_the_window_stays_in_the_database(warehouse: Postgres) -> None:
    start = datetime(2026, 3, 23, tzinfo=UTC)
    warehouse.execute(
        "insert into analytics.events select n, :start + n * interval '1 minute', null, 'phone' "
        "from generate_series(0, 100000) n",
        start=start,
    )
    warehouse.execute("create index on analytics.events (time)")
    warehouse.execute("analyze analytics.events")
    before = rows_read(warehouse)
    assert len(examples(in_table(start), in_table(start), keys=["row"])) == 24 * 60
    assert rows_read(warehouse) - before < 10_000


def rows_read(warehouse: Postgres) -> int:
    warehouse.execute("select pg_stat_force_next_flush()")
    warehouse.execute("select pg_sleep(1)")
    query = "select seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_user_tables where relname = 'events'"
    return int(warehouse.execute(query)[0][0])  # type: ignore[call-overload]


def fill(warehouse: Postgres, name: str, frame: pd.DataFrame) -> None:
    """Write a frame into a new table."""
    types = {
        "row": "bigint",
        "id": "bigint",
        "user": "text",
        "item": "bigint",
        "time": "timestamptz",
        "known": "timestamptz",
    }
    names = ", ".join(f'"{column}" {types[column]}' for column in frame)
    warehouse.execute(f"drop table if exists analytics.{name}")
    warehouse.execute(f"create table analytics.{name} ({names})")
    import sqlalchemy as sa

    with sa.create_engine(warehouse.url, poolclass=sa.NullPool).begin() as connection:
        frame.to_sql(name, connection, schema="analytics", if_exists="append", index=False)
