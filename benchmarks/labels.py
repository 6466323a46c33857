"""Labels of 20 million exposures, beside a plain copy of the exposures, SQL by hand, pandas and polars.

`python -m benchmarks.labels [FILE]` prints the table, and writes it to FILE as JSON. It needs 8 GB of memory, which
pandas takes, and 5 GB of disk where temporary files go.
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psutil
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from ml_assets.data.logs.log_files import ExamplesQuery, LogFiles

EXPOSURES, OUTCOMES, DAYS = 20_000_000, 1_000_000, 27
WITHIN = timedelta(days=7)
MEMORY, LITTLE_MEMORY = "2GB", "300MB"
_SEED = 1
_START = datetime(2026, 2, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_END = _START + DAYS * _DAY
#: Outcomes of the last exposures come after the window.
_OUTCOME_DAYS = DAYS + WITHIN // _DAY

#: Days before the window from which outcomes lie: those that came before their exposure.
_BEFORE = 3
_JOINS = {"by id": ("impression_id",), "by entity": ("user_id", "item_id")}

#: One exposure, of its number `i`: users come back to few items, so that the same entity is shown several times.
#: Numbers are drawn by hashing, as the rows of `random()` depend on threads.
_MACROS = f"""
CREATE MACRO draw(i, what) AS (hash(i, what, {_SEED}) % 1_000_003) / 1_000_003.0;
CREATE MACRO user_of(i) AS (500_000 * draw(i, 'user') * draw(i, 'habit'))::BIGINT;
CREATE MACRO item_of(i) AS (hash(user_of(i), (20 * draw(i, 'item'))::INT) % 20_000)::BIGINT;
CREATE MACRO id_of(i) AS (hash(i, {_SEED}) >> 1)::BIGINT;
CREATE MACRO time_of(i, rows) AS TIMESTAMPTZ '{_START.isoformat()}' + to_microseconds(
    (86_400e6 * ({DAYS} * i // rows + least(({DAYS} * i % rows + {DAYS} * draw(i, 'time')) / rows, 0.999999)))::BIGINT
);
"""

_EXPOSURES_OF_DAY = """
SELECT id_of(i) AS impression_id, user_of(i) AS user_id, item_of(i) AS item_id, time_of(i, {rows}) AS event_time,
    ['phone', 'tablet', 'desktop', 'tv'][1 + (hash(i, 'device') % 4)::INT] AS device,
    (1 + hash(i, 'position') % 30)::SMALLINT AS position,
    round(100 * draw(i, 'price'), 2) AS price
FROM range({first}, {stop}) AS numbers(i)
"""

#: Of a hundred outcomes three come twice, two are of an unknown exposure, two came before it, and a few are too late.
_ALL_OUTCOMES = """
CREATE TABLE outcomes AS
WITH drawn AS (
    SELECT j, CASE WHEN j % 100 < 3 THEN j + 3 ELSE j END * {rows} // {outcomes} AS i
    FROM range({outcomes}) AS numbers(j)
)
SELECT CASE WHEN j % 100 IN (10, 11) THEN -j ELSE id_of(i) END AS impression_id,
    user_of(i) AS user_id,
    item_of(i) AS item_id,
    least(
        time_of(i, {rows}) + to_microseconds(
            (CASE WHEN j % 100 IN (20, 21) THEN 1 ELSE ln(draw(j, 'delay') + 1e-6) END * -{scale})::BIGINT
        ),
        TIMESTAMPTZ '{end}' - INTERVAL 1 MICROSECOND
    ) AS event_time
FROM drawn
"""


@dataclass(frozen=True)
class Logs:
    """The files of both logs, by day."""

    exposures: tuple[Path, ...]
    outcomes: tuple[Path, ...]


def _connect(folder: Path | None = None) -> Any:
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
    if folder is not None:
        connection.execute(f"SET temp_directory = '{folder}'")
    return connection


def _make(folder: Path, exposures: int, outcomes: int) -> Logs:
    """Write both logs, in a folder per day."""
    connection = _connect(folder / "spilled")
    connection.execute(_MACROS)
    end = (_START + _OUTCOME_DAYS * _DAY).isoformat()
    scale = 2.5 * 86_400e6
    connection.execute(_ALL_OUTCOMES.format(rows=exposures, outcomes=outcomes, end=end, scale=scale))
    logs: dict[str, list[Path]] = {"exposures": [], "outcomes": []}

    def write(log: str, day: int, query: str) -> None:
        date = (_START + day * _DAY).date().isoformat()
        path = folder / log / f"date={date}" / "part-0.parquet"
        path.parent.mkdir(parents=True)
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION snappy)")
        logs[log].append(path)

    for day in range(DAYS):
        low, high = (-(-exposures * number // DAYS) for number in (day, day + 1))
        write("exposures", day, _EXPOSURES_OF_DAY.format(rows=exposures, first=low, stop=high))
    for day in range(-_BEFORE, _OUTCOME_DAYS):
        start, stop = (f"TIMESTAMPTZ '{(_START + (day + one) * _DAY).isoformat()}'" for one in (0, 1))
        query = f"SELECT * FROM outcomes WHERE event_time >= {start} AND event_time < {stop}"  # noqa: S608
        write("outcomes", day, query)
    return Logs(tuple(logs["exposures"]), tuple(logs["outcomes"]))


def _sql_list(files: Sequence[Path]) -> str:
    return str([str(path) for path in files])


def _copy(logs: Logs, join: str, target: Path) -> None:  # noqa: ARG001
    _connect().execute(
        f"COPY (FROM read_parquet({_sql_list(logs.exposures)}, hive_partitioning = false)) TO '{target}' "
        "(FORMAT parquet, COMPRESSION snappy)"
    )


def _ours(logs: Logs, join: str, target: Path, memory: str | None = None) -> None:
    from ml_assets.data.examples import ExampleReader

    ExampleReader(memory).write_examples(target, _query(logs, join))


def _query(logs: Logs, join: str) -> "ExamplesQuery":
    from ml_assets.data.logs.log_files import ExamplesQuery

    return ExamplesQuery(
        _log_files(logs.exposures, 0, DAYS),
        _log_files(logs.outcomes, -_BEFORE, _OUTCOME_DAYS),
        keys=_JOINS[join],
        by_id=join == "by id",
        within=WITHIN,
        observed_until=_END,
    )


def _log_files(files: Sequence[Path], first: int, stop: int) -> "LogFiles":
    from ml_assets.data.labels import Selection
    from ml_assets.data.logs.log_files import LogFiles, PartitionFiles
    from ml_assets.domain.calendar import Interval
    from ml_assets.domain.declared.event_log import Columns

    days = [Interval(_START + day * _DAY, _START + (day + 1) * _DAY) for day in range(first, stop)]
    partitions = [PartitionFiles(str(day.start.date()), day, (path,)) for day, path in zip(days, files, strict=True)]
    columns = Columns("event_time", ("impression_id",))
    window = Interval(days[0].start, days[-1].end)
    return LogFiles("ads/log", tuple(partitions), None, Selection(columns, window, None))


def _by_hand(logs: Logs, join: str, target: Path) -> None:
    same = " AND ".join(f"e.{key} = o.{key}" for key in _JOINS[join])
    end = f"TIMESTAMPTZ '{_END.isoformat()}'"
    _connect(target.with_suffix(".spilled")).execute(f"""
        COPY (
            SELECT * EXCLUDE (found),
                (found IS NOT NULL)::TINYINT AS label,
                (epoch_us({end}) - epoch_us(event_time)) / 1000000 AS label_age,
                event_time <= {end} - INTERVAL 7 DAY AS mature,
                found AS outcome_time,
                found AS outcome_known
            FROM (
                SELECT e.*, CASE WHEN o.event_time - INTERVAL 7 DAY < e.event_time THEN o.event_time END AS found
                FROM read_parquet({_sql_list(logs.exposures)}, hive_partitioning = false) AS e
                ASOF LEFT JOIN read_parquet({_sql_list(logs.outcomes)}, hive_partitioning = false) AS o
                ON {same} AND e.event_time {"<=" if join == "by id" else "<"} o.event_time
            )
        ) TO '{target}' (FORMAT parquet, COMPRESSION snappy)
        """)  # noqa: S608


def _pandas(logs: Logs, join: str, target: Path) -> None:
    import pandas as pd

    keys, by_id = _JOINS[join], join == "by id"
    examples = pd.read_parquet([str(path) for path in logs.exposures], partitioning=None)
    outcomes = pd.read_parquet(
        [str(path) for path in logs.outcomes], columns=[*keys, "event_time"], partitioning=None
    ).rename(columns={"event_time": "outcome_time"})
    shown = examples[[*keys, "event_time"]]
    if by_id:
        shown = shown[shown["impression_id"].isin(outcomes["impression_id"])]
        pairs = shown.reset_index().merge(outcomes, on=keys)
        delay = pairs["outcome_time"] - pairs["event_time"]
        hits = pairs[(delay >= timedelta(0)) & (delay < WITHIN)]
        first = hits.groupby("index")["outcome_time"].min()
    else:
        first = pd.merge_asof(
            shown.reset_index().sort_values("event_time"),
            outcomes.sort_values("outcome_time"),
            left_on="event_time",
            right_on="outcome_time",
            by=keys,
            direction="forward",
            allow_exact_matches=False,
            tolerance=pd.Timedelta(WITHIN) - pd.Timedelta(1, "us"),
        ).set_index("index")["outcome_time"]
    examples["outcome_time"] = first.reindex(examples.index)
    examples["label"] = examples["outcome_time"].notna().astype("int8")
    examples["label_age"] = (pd.Timestamp(_END) - examples["event_time"]).dt.as_unit("us").astype("int64") / 1_000_000
    examples["mature"] = examples["event_time"] + WITHIN <= _END
    examples["outcome_known"] = examples["outcome_time"]
    examples.to_parquet(target, index=False, compression="snappy")


def _polars(logs: Logs, join: str, target: Path) -> None:
    import polars as pl

    keys = _JOINS[join]
    time, found = pl.col("event_time"), pl.col("outcome_time")
    exposures = pl.scan_parquet(list(logs.exposures), hive_partitioning=False)
    outcomes = pl.scan_parquet(list(logs.outcomes), hive_partitioning=False).select(*keys, outcome_time="event_time")
    if join == "by id":
        pairs = exposures.select(*keys, "event_time").join(outcomes, on=keys)
        hits = pairs.filter(found >= time, found < time + WITHIN)
        first = hits.group_by(*keys, "event_time").agg(found.min())
        examples = exposures.join(first, on=[*keys, "event_time"], how="left")
    else:
        examples = (
            exposures.sort("event_time")
            .join_asof(
                outcomes.sort("outcome_time"),
                left_on="event_time",
                right_on="outcome_time",
                by=keys,
                strategy="forward",
                allow_exact_matches=False,
                check_sortedness=False,
            )
            .with_columns(pl.when(found < time + WITHIN).then(found).alias("outcome_time"))
        )
    examples.with_columns(
        label=found.is_not_null().cast(pl.Int8),
        label_age=(pl.lit(_END) - time).dt.total_microseconds() / 1_000_000,
        mature=time + WITHIN <= _END,
        outcome_known=found,
    ).sink_parquet(target, compression="snappy")


@dataclass(frozen=True)
class _Case:
    """One way to label. `loads`: the libraries whose loading is not measured."""

    run: Callable[[Logs, str, Path], None]
    loads: tuple[str, ...]


def _ours_within(logs: Logs, join: str, target: Path) -> None:
    _ours(logs, join, target, MEMORY)


def _ours_spilling(logs: Logs, join: str, target: Path) -> None:
    _ours(logs, join, target, LITTLE_MEMORY)


_PEER = "plain copy of the exposures"
_DUCKDB = ("duckdb",)
_CASES = {
    "ours": _Case(_ours, ("ml_assets.data.examples",)),
    f"ours, memory={MEMORY}": _Case(_ours_within, ("ml_assets.data.examples",)),
    f"ours, memory={LITTLE_MEMORY}": _Case(_ours_spilling, ("ml_assets.data.examples",)),
    "DuckDB SQL by hand": _Case(_by_hand, _DUCKDB),
    "polars": _Case(_polars, ("polars",)),
    "pandas": _Case(_pandas, ("pandas", "pyarrow.parquet", "pyarrow.dataset")),
}


def _peak() -> float:
    """The most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def _run(case: _Case, join: str, logs: Logs, target: Path) -> dict[str, Any]:
    """CPU and wall seconds of one case, and its memory: None where the machine has too little."""
    for name in case.loads:
        import_module(name)
    # The machine is shared: rather an error here than a process killed elsewhere.
    available = psutil.virtual_memory().available
    resource.setrlimit(resource.RLIMIT_DATA, (available, available))
    loaded, cpu, wall = _peak(), time.process_time(), time.perf_counter()
    try:
        case.run(logs, join, target)
    except MemoryError:
        return {"cpu": None, "wall": None, "peak": None, "loaded": loaded}
    return {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "peak": _peak(),
        "loaded": loaded,
    }


def _judge(target: Path) -> dict[str, Any]:
    """What the rows of one case are: their hashes are added, as their order does not count."""
    query = """
        SELECT count(*), sum(label), sum(hash(
            impression_id, user_id, item_id, event_time, device, position, price,
            -- In microseconds: polars divides with another last digit.
            label, (label_age * 1e6)::BIGINT, mature, outcome_time, outcome_known
        ))
        FROM read_parquet(?)
        """
    rows, positives, content = _connect().execute(query, [str(target)]).fetchone()
    return {"rows": rows, "positives": int(positives), "content": str(content)}


def _measure_once(case: _Case, join: str, logs: Logs, folder: Path, *, judge: bool) -> dict[str, Any]:
    target = folder / "labelled.parquet"
    run = _in_new_process(_run, case, join, logs, target)
    if judge and run["wall"] is not None and case is not _COPY:
        run |= _in_new_process(_judge, target)
    target.unlink(missing_ok=True)
    return run


_COPY = _Case(_copy, _DUCKDB)


def _in_new_process(function: Callable[..., Any], *given: Any) -> Any:
    with ProcessPoolExecutor(1, get_context("spawn")) as processes:
        return processes.submit(function, *given).result()


def measure(rounds: int = 3, exposures: int = EXPOSURES, outcomes: int = OUTCOMES) -> dict[str, dict[str, Any]]:
    """Medians of each case, per join; the cases take turns, each time in a process of its own.

    Raises: RuntimeError when the cases do not give the same rows.
    """
    cases = {(_PEER, ""): _COPY} | {(name, join): case for join in _JOINS for name, case in _CASES.items()}
    runs: dict[tuple[str, str], list[dict[str, Any]]] = {case: [] for case in cases}
    with TemporaryDirectory(prefix="labels_bench") as name:
        folder = Path(name)
        logs = _in_new_process(_make, folder, exposures, outcomes)
        for number in range(rounds):
            for (title, join), case in cases.items():
                runs[title, join].append(_measure_once(case, join, logs, folder, judge=number == 0))
    for join in _JOINS:
        contents = {title: of[0]["content"] for (title, by), of in runs.items() if by == join and "content" in of[0]}
        if len(set(contents.values())) != 1:
            raise RuntimeError(f"{join}, the cases give other rows: {contents}")
    return {join or "copy": _summary(runs, join) for join in ("", *_JOINS)}


def _summary(runs: dict[tuple[str, str], list[dict[str, Any]]], join: str) -> dict[str, Any]:
    found = {}
    for (title, by), of in runs.items():
        if by != join:
            continue
        done = [run for run in of if run["wall"] is not None]
        medians = {what: statistics.median(run[what] for run in done) for what in ("cpu", "wall", "loaded") if done}
        # Of memory the worst counts.
        peak = {"peak": max(run["peak"] for run in done)} if done else {}
        found[title] = medians | peak | {what: of[0].get(what) for what in ("rows", "positives")}
    return found


def main(path: Path | None = None) -> None:
    """Print the table, and write it as JSON."""
    found = measure()
    copy = found["copy"][_PEER]
    table = Table(title=f"Labels of {EXPOSURES:,} exposures, {OUTCOMES:,} outcomes; medians of three processes each")
    for heading in (
        "join",
        "case",
        "CPU s",
        "wall s",
        "CPU / copy",
        "wall / copy",
        "peak MB",
        "loaded MB",
        "positives",
    ):
        table.add_column(heading)
    for join, cases in found.items():
        for case, of in cases.items():
            if "wall" not in of:
                table.add_row(join, case, "needs more memory than the machine has")
                continue
            ratios = (f"{of[what] / copy[what]:.2f}" for what in ("cpu", "wall"))
            numbers = (f"{of['cpu']:.1f}", f"{of['wall']:.1f}", *ratios, f"{of['peak']:.0f}", f"{of['loaded']:.0f}")
            table.add_row(join, case, *numbers, f"{of['positives'] or 0:,}")
    Console(width=140).print(table)
    if path is not None:
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
