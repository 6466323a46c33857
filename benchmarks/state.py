"""What an instance keeps, on SQLite and on PostgreSQL: rows and bytes of a model-day, and the CPU of a steady tick.

A model-day is one partition of each of a model's four assets, made by the real daemon as on an ordinary day: in runs
of one partition. PostgreSQL is started here, with `deploy/dagster.yaml`.
`python -m benchmarks.state [FILE]` prints the tables, and writes them to FILE as JSON.
"""

import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from benchmarks.sensor_tick import REPOSITORY, World
from ml_assets.orchestration import sensors
from ml_assets.orchestration.assets import code_versions
from ml_assets.orchestration.recorded.lineage import current_runs
from ml_assets.orchestration.recorded.memo import Memo
from ml_assets.project.home import prepare_home
from tests.support import shop
from tests.support.postgres import DagsterPostgres, available, postgres_server
from tests.support.projects import TeamProject

STORAGES = ("sqlite", "postgres")
DAYS = 12
MODELS, PARTITIONS, TICKS = 10, 300, 9


@contextmanager
def _home(storage: str, home: Path, server: DagsterPostgres) -> Iterator[None]:
    """A new instance of a storage in `home`, for those who open it meanwhile."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        if storage == "postgres":
            server.new_home(home, monkeypatch)
        else:
            prepare_home(home)
        yield


def _tables(instance: dg.DagsterInstance) -> Counter[str]:
    """Rows by table, of all databases of an instance."""
    rows: Counter[str] = Counter()
    for engine in _engines(instance):
        with engine.connect() as connection:
            for table in sa.inspect(engine).get_table_names():
                rows[table] += connection.execute(sa.text(f'select count(*) from "{table}"')).scalar_one()  # noqa: S608
    return rows


def _bytes(instance: dg.DagsterInstance) -> Counter[str]:
    """Bytes by table, with its indices; of SQLite, by file."""
    storage = instance.event_log_storage
    if type(storage).__name__ == "SqliteEventLogStorage":
        root = Path(instance.root_directory)
        files = [*root.glob("history/**/*.db*"), *root.glob("schedules/**/*.db*")]
        return Counter({"all files": sum(path.stat().st_size for path in files)})
    tables = "relkind = 'r' and relnamespace = 'public'::regnamespace"
    query = f"select relname, pg_total_relation_size(oid) from pg_class where {tables}"  # noqa: S608
    with storage.index_connection() as connection:  # type: ignore[attr-defined]
        return Counter(dict(connection.execute(sa.text(query)).all()))  # type: ignore[arg-type]


def _engines(instance: dg.DagsterInstance) -> list[sa.Engine]:
    root = Path(instance.root_directory)
    files = [*root.glob("history/**/*.db"), *root.glob("schedules/**/*.db")]
    if files:
        return [sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool) for path in files]
    return [sa.create_engine(instance.event_log_storage.postgres_url, poolclass=sa.NullPool)]  # type: ignore[attr-defined]


def model_day(storage: str, server: DagsterPostgres) -> dict[str, Any]:
    """Rows and bytes that a model-day adds."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / storage
        single = shop.DEFS["shop/order"] + "  partitions_per_run: 1\n"
        team = TeamProject.make(root, f"{storage}_shop", {**shop.DEFS, "shop/order": single})
        (team.home / "dagster.yaml").unlink()
        with _home(storage, team.home, server):
            for log in ("visits", "orders"):
                shop.arrive(team, log, 1, 5)
            with team.daemon():
                team.settle("shop")
                instance = team.project.instance
                before = _tables(instance), _bytes(instance), len(current_runs(instance, "shop/order/metrics_2d"))
                for log in ("visits", "orders"):
                    shop.arrive(team, log, 6, DAYS)
                team.settle("shop")
            after = _tables(instance), _bytes(instance), len(current_runs(instance, "shop/order/metrics_2d"))
        days = after[2] - before[2]
        rows, size = (
            {name: (of[name] - was[name]) / days for name in of if of[name] > was[name]}
            for of, was in ((after[0], before[0]), (after[1], before[1]))
        )
        return {"days": days, "rows": rows, "bytes": size}


def _tick(world: World, environment: dict[str, str]) -> dict[str, float]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        services = list(world.services.values())
        codes = [code_versions(models, REPOSITORY) for _, models in services]
        memos = [Memo() for _ in services]
        cpu, wall = [], []
        for _ in range(TICKS + 1):
            before = time.process_time(), time.perf_counter()
            for (logs, models), code, memo in zip(services, codes, memos, strict=True):
                # As a code server does: a tick has an instance of its own.
                with world.open_instance() as instance:
                    sensors.look(
                        instance, logs, models, code=code, events_root=world.events, as_of=world.as_of, memo=memo
                    )
            cpu.append(time.process_time() - before[0])
            wall.append(time.perf_counter() - before[1])
    return {
        "first, CPU s": cpu[0],
        "steady, CPU s": statistics.median(cpu[1:]),
        "first, s": wall[0],
        "steady, s": statistics.median(wall[1:]),
    }


def tick(storage: str, server: DagsterPostgres) -> dict[str, float]:
    """CPU and wall seconds of a tick where nothing is new."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), PARTITIONS, models_each=MODELS, number_of_services=1)
        with _home(storage, world.root / "home", server):
            world.make()
            environment = server.environment if storage == "postgres" else {}
            with ProcessPoolExecutor(1, get_context("spawn")) as processes:
                return processes.submit(_tick, world, environment).result()


def main(path: Path | None = None) -> None:
    """Print the tables, and write them as JSON."""
    console = Console()
    if reason := available():
        console.print(f"not measured: {reason}")
        return
    with postgres_server() as postgres:
        server = DagsterPostgres(postgres)
        found = {
            storage: {"tick": tick(storage, server), "model_day": model_day(storage, server)} for storage in STORAGES
        }
    ticks = Table(
        title=f"A tick of one sensor, {MODELS} models x 4 assets x {PARTITIONS} partitions, median of {TICKS}"
    )
    days = Table(title="A model-day adds")
    for table in (ticks, days):
        table.add_column("")
        for storage in STORAGES:
            table.add_column(storage, justify="right")
    for name in found["sqlite"]["tick"]:
        ticks.add_row(name, *(f"{found[storage]['tick'][name]:.3f}" for storage in STORAGES))
    for unit in ("rows", "bytes"):
        of = {storage: found[storage]["model_day"][unit] for storage in STORAGES}
        for name in sorted(set().union(*of.values())):
            days.add_row(f"{unit} of {name}", *(f"{of[storage].get(name, 0):,.1f}" for storage in STORAGES))
        days.add_row(f"{unit}, all", *(f"{sum(of[storage].values()):,.1f}" for storage in STORAGES))
    console.print(ticks)
    console.print(days)
    if path is not None:
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
