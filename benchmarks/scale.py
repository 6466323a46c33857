"""What grows with what: each part at three sizes, as the ratio to its smallest.

`python -m benchmarks.scale [FILE]` prints the tables, and writes them to FILE as JSON. It needs 8 GB of memory, and
5 GB of disk where temporary files go.
"""

import json
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import labels, sensor_tick
from ml_assets.domain.durations import Duration

ROUNDS = 3
ROWS = (1_000_000, 4_000_000, 16_000_000)
#: What a notebook holds as a pandas frame.
FRAME_ROWS = (250_000, 1_000_000, 4_000_000)
PARTITIONS, MODELS, HORIZONS = (100, 300, 1_000), (10, 50, 200), (1, 2, 4)
#: What the other dimensions are while one grows.
_PARTITIONS, _MODELS = 100, 10
_OUTCOMES_PER_EXPOSURE = 20
_DAYS = 27


def _label(folder: Path, target: Path) -> None:
    from ml_assets.data.examples import ExampleReader  # noqa: F401  (loading it is not measured)

    labels._ours(_logs(folder), "by id", target)


def _label_by_spark(folder: Path, target: Path) -> None:
    from ml_assets.data.engines.spark_engine import SparkEngine
    from ml_assets.data.engines.spark_tables import hash_spark, write_table
    from ml_assets.data.examples import ExampleReader
    from ml_assets.notebooks.spark import spark_session

    settings = {"spark.master": "local[2]", "spark.driver.memory": "4g", "spark.ui.enabled": "false"}
    session = spark_session(settings, name="scale")
    query = labels._query(_logs(folder), "by id")
    examples = ExampleReader(spark=SparkEngine(session)).spark_examples(query)
    # As a notebook saves it: sorted, written by the executors, and hashed from what is stored.
    hash_spark(write_table(examples, target.with_suffix(""), order=["event_time", "impression_id"]))


def _verify(folder: Path, target: Path) -> None:  # noqa: ARG001
    from ml_assets.data.no_leak import Bounds, verify
    from ml_assets.domain.declared.event_log import Columns

    end = labels._END
    bounds = Bounds(labels._START, end, end + labels.WITHIN, labels.WITHIN, True, {}, False)
    verdict = verify(folder / "labelled.parquet", Columns("event_time", ("impression_id",)), bounds)
    if not verdict.passed:
        raise RuntimeError(str(verdict))


def _hash(folder: Path, target: Path) -> None:  # noqa: ARG001
    import pandas as pd

    from ml_assets.data.artifacts.content import hash_frame

    hash_frame(pd.read_parquet(folder / "labelled.parquet"))


def _train(folder: Path, target: Path) -> None:  # noqa: ARG001
    import pandas as pd

    from ml_assets.models.gbdt import GbdtConfig, train

    config = GbdtConfig(features=["device", "position", "price", "item_id"], categorical=["device"])
    train(pd.read_parquet(folder / "labelled.parquet"), config)


def _evaluate(folder: Path, target: Path) -> None:  # noqa: ARG001
    import numpy as np
    import pandas as pd

    from ml_assets.metrics.evaluate import evaluate

    label = pd.read_parquet(folder / "labelled.parquet", columns=["label"])["label"]
    score = np.random.default_rng(1).beta(1, 20, len(label))
    evaluate(label, score, horizon=timedelta(days=7), attribution=timedelta(days=7), seed=1)


#: What is done with rows, and how many.
_PARTS: dict[str, tuple[Callable[[Path, Path], None], Sequence[int]]] = {
    "labels by id, DuckDB": (_label, ROWS),
    "labels by id, saved: Spark, local[2]": (_label_by_spark, ROWS),
    "no_leak on the stored rows": (_verify, ROWS),
    "data version of a frame": (_hash, FRAME_ROWS),
    "standard model, 100 rounds": (_train, FRAME_ROWS),
    "all metrics, 200 resamples": (_evaluate, FRAME_ROWS),
}


def _logs(folder: Path) -> "labels.Logs":
    found = {name: tuple(sorted((folder / name).glob("*/*.parquet"))) for name in ("exposures", "outcomes")}
    return labels.Logs(found["exposures"], found["outcomes"])


def _measured(run: Callable[[Path, Path], None], folder: Path, target: Path) -> dict[str, float]:
    # Loading the libraries is not what grows.
    import ibis  # noqa: F401
    import lightgbm  # noqa: F401
    import pandas as pd  # noqa: F401

    before, cpu, wall = _peak(), _cpu(), time.perf_counter()
    run(folder, target)
    return {"cpu": _cpu() - cpu, "wall": time.perf_counter() - wall, "MB": _peak() - before}


def _cpu() -> float:
    """CPU seconds of this process, and of its children that live, such as Spark's."""
    times = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return time.process_time() + sum(one.user + one.system for one in times)


def _peak() -> float:
    """The most memory that this process ever had, and its children have now, in MB."""
    children = sum(process.memory_info().rss for process in psutil.Process().children(recursive=True))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3 + children / 1e6


def _in_new_process(function: Callable[..., Any], *given: Any) -> Any:
    with ProcessPoolExecutor(1, get_context("spawn")) as processes:
        return processes.submit(function, *given).result()


def measure_rows(rounds: int = ROUNDS) -> dict[str, dict[int, dict[str, float]]]:
    """Medians of CPU and wall seconds and of MB beyond what the libraries take, by part and number of exposures."""
    found: dict[str, dict[int, dict[str, float]]] = {name: {} for name in _PARTS}
    for rows in sorted({*ROWS, *FRAME_ROWS}):
        with tempfile.TemporaryDirectory(prefix="scale_bench") as name:
            folder = Path(name)
            _in_new_process(labels._make, folder, rows, rows // _OUTCOMES_PER_EXPOSURE)
            _in_new_process(_label, folder, folder / "labelled.parquet")
            for part, (run, sizes) in _PARTS.items():
                if rows in sizes:
                    runs = []
                    for _ in range(rounds):
                        runs.append(_in_new_process(_measured, run, folder, folder / "again.parquet"))
                        shutil.rmtree(folder / "again", ignore_errors=True)
                    found[part][rows] = {what: statistics.median(one[what] for one in runs) for what in runs[0]}
    return found


def _tick(world: sensor_tick.World) -> dict[str, float]:
    return sensor_tick._ours(world)


def _measure_tick(rounds: int, partitions: int, models: int, horizons: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="scale_bench") as root:
        world = sensor_tick.World(
            Path(root),
            partitions,
            models_each=models // sensor_tick.SERVICES,
            horizons=tuple(Duration(days, "d") for days in (1, 3, 7, 14)[:horizons]),
        )
        world.make()
        runs = [_in_new_process(_tick, world) for _ in range(rounds)]
    return {what: statistics.median(one[what] for one in runs) for what in runs[0]}


def measure_ticks(rounds: int = ROUNDS) -> dict[str, dict[int, dict[str, float]]]:
    """Medians of the CPU seconds of the first tick of all sensors and of the next, as one dimension grows."""
    return {
        "partitions": {size: _measure_tick(rounds, size, _MODELS, 1) for size in PARTITIONS},
        "models": {size: _measure_tick(rounds, _PARTITIONS, size, 1) for size in MODELS},
        "horizons": {size: _measure_tick(rounds, _PARTITIONS, _MODELS, size) for size in HORIZONS},
    }


def _print(title: str, first: str, found: Mapping[str, Mapping[int, Mapping[str, float]]], by: str) -> None:
    table = Table(title=title)
    columns = list(next(iter(next(iter(found.values())).values())))
    for heading in (first, "size", *columns, f"{by} / smallest", "size / smallest"):
        table.add_column(heading)
    for name, sizes in found.items():
        smallest = min(sizes)
        for size, of in sizes.items():
            ratio = of[by] / sizes[smallest][by]
            table.add_row(
                name, f"{size:,}", *(f"{of[what]:,.2f}" for what in columns), f"{ratio:.2f}", f"{size / smallest:.1f}"
            )
    Console(width=120).print(table)


def main(path: Path | None = None) -> None:
    """Print the tables, and write them as JSON."""
    rows = measure_rows()
    _print(f"Rows; medians of {ROUNDS} processes each", "part", rows, "cpu")
    ticks = measure_ticks()
    _print(
        f"CPU s of a tick of all sensors ({_MODELS} models, {_PARTITIONS} partitions, 1 horizon)",
        "grows",
        ticks,
        "steady",
    )
    if path is not None:
        path.write_text(json.dumps({"rows": rows, "ticks": ticks}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    import sys

    main(*map(Path, sys.argv[1:2]))
