"""Random logs, small ones in files, and double loops in plain Python that say which rows count and with which label."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest
from ibis import ir
from ibis.backends.duckdb import Backend

from ml_assets.data.labels import Selection, label_examples
from ml_assets.data.logs.log_files import LogFiles
from ml_assets.domain.declared.event_log import Columns
from tests.data.by_hand import newest_versions
from tests.data.parquet_logs import HOUR, NOON, instants, log_files, written
from tests.data.warehouse import VARIABLE
from tests.support.postgres import Postgres, postgres_server

Frames = Callable[..., pd.DataFrame]

START = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=30)
STEPS = 16
JITTER = (0, 0, 0, 0, 1, -1, 250_000)


@pytest.fixture(scope="session")
def connection() -> Backend:
    backend = ibis.duckdb.connect()
    backend.raw_sql("SET TimeZone = 'UTC'")
    return backend


@pytest.fixture(scope="session")
def random_log() -> Frames:
    """Few keys and a coarse grid of times, so that keys repeat and times often meet or miss by a microsecond."""

    def draw(rng: np.random.Generator, rows: int) -> pd.DataFrame:
        time = rng.integers(0, STEPS, rows) * (STEP // timedelta(microseconds=1)) + rng.choice(JITTER, rows)
        # No two rows become known at once.
        known = rng.integers(0, STEPS, rows) * (STEP // timedelta(microseconds=1)) + rng.permutation(rows)
        return pd.DataFrame(
            {
                "row": np.arange(rows),
                "id": pd.array(rng.integers(0, 12, rows), dtype="Int64"),
                "user": pd.array([f"user {one}" for one in rng.integers(0, 4, rows)], dtype="string"),
                "item": pd.array(rng.integers(0, 3, rows), dtype="Int64"),
                "time": _instants(time),
                "known": _instants(known),
            }
        ).assign(**{name: _with_nulls(name, rng) for name in ("id", "user", "item")})

    return draw


def _instants(microseconds: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(
        microseconds.astype("timedelta64[us]") + np.datetime64(START.replace(tzinfo=None), "us")
    ).tz_localize("UTC")


def _with_nulls(name: str, rng: np.random.Generator) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda log: log[name].mask(rng.random(len(log)) < 0.1)


@pytest.fixture(scope="session")
def labelled(connection: Backend) -> Frames:
    """The label expression on two tables: in memory, or expressions themselves."""

    def run(
        exposures: pd.DataFrame | ir.Table,
        outcomes: pd.DataFrame | ir.Table,
        *,
        keys: Sequence[str],
        by_id: bool,
        within: timedelta,
        observed_until: datetime,
    ) -> pd.DataFrame:
        expression = label_examples(
            *(ibis.memtable(log) if isinstance(log, pd.DataFrame) else log for log in (exposures, outcomes)),
            exposure_time="time",
            outcome_columns=Columns("time", ("row",), "known" if "known" in outcomes.columns else None),
            keys=keys,
            by_id=by_id,
            within=within,
            observed_until=observed_until,
        )
        return connection.to_pyarrow(expression).to_pandas()

    return run


@pytest.fixture(scope="session")
def labelled_by_hand() -> Frames:
    """Each exposure against each outcome."""

    def run(
        exposures: pd.DataFrame,
        outcomes: pd.DataFrame,
        *,
        keys: Sequence[str],
        by_id: bool,
        within: timedelta,
        observed_until: datetime,
    ) -> pd.DataFrame:
        labels, ages, matures, firsts = [], [], [], []
        for exposure in exposures.to_dict("records"):
            start, hits = exposure["time"], []
            for outcome in outcomes.to_dict("records"):
                begun = start <= outcome["time"] if by_id else start < outcome["time"]
                if _same(exposure, outcome, keys) and begun and outcome["time"] < start + within:
                    hits.append((outcome["time"], outcome.get("known", outcome["time"])))
            labels.append(int(bool(hits)))
            firsts.append(min(hits, default=(pd.NaT, pd.NaT)))
            ages.append((observed_until - start) / timedelta(seconds=1))
            matures.append(start + within <= observed_until)
        return exposures.assign(
            label=np.array(labels, dtype=np.int8),
            label_age=np.array(ages, dtype=np.float64),
            mature=np.array(matures, dtype=bool),
            outcome_time=pd.DatetimeIndex([time for time, _ in firsts], dtype="datetime64[us, UTC]"),
            outcome_known=pd.DatetimeIndex([known for _, known in firsts], dtype="datetime64[us, UTC]"),
        )

    return run


def _same(left: dict[str, object], right: dict[str, object], keys: Sequence[str]) -> bool:
    return not any(pd.isna(left[key]) or pd.isna(right[key]) or left[key] != right[key] for key in keys)


@pytest.fixture(scope="session")
def selected_by_hand() -> Frames:
    """The rows that count; the columns are those of the random logs, and of rows at once the last one is greatest."""

    def run(log: pd.DataFrame, selection: Selection) -> pd.DataFrame:
        rows = log.astype(object).where(log.notna(), None).to_dict("records")
        known = selection.columns.known
        if known is not None and selection.known_before is not None:
            rows = [row for row in rows if row[known] < selection.known_before]
        newest = newest_versions(
            rows, selection.columns, lambda row: (row["time"], row.get("gone") is not None, row["row"])
        )
        kept = {row["row"] for row in newest if row["time"] in selection.interval}
        return log[log["row"].isin(kept)]

    return run


@pytest.fixture
def outcomes(tmp_path: Path) -> LogFiles:
    """One outcome, of exposure 1, half an hour after noon."""
    return log_files("ads/sales", written(tmp_path / "sales.parquet", id=[1], time=instants(NOON + HOUR / 2)))


@pytest.fixture
def column_file(tmp_path: Path) -> Path:
    """A file of another day, which tells the columns alone."""
    return written(tmp_path / "column_file.parquet", id=[1], time=instants(NOON))


@pytest.fixture(scope="session")
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
