"""Examples of event logs in a real PostgreSQL: labels and history equal to those of files, whatever their columns hold."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_assets.data.artifacts.content import hash_frame
from ml_assets.data.examples import ExampleReader
from ml_assets.data.logs.databases import SourceError
from ml_assets.data.logs.event_tables import columns_of
from ml_assets.data.logs.log_files import HistoryFiles
from ml_assets.domain.agreement import Agreement
from ml_assets.domain.contents import Alike, Contents, Wanted
from ml_assets.domain.declared.event_log import Columns, Table
from ml_assets.domain.declared.history import Feature
from tests.data.warehouse import COLUMNS, VARIABLE, event_log, examples, fill, in_files, in_table, insert, rows_read
from tests.support.postgres import Postgres

pytestmark = pytest.mark.slow


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
