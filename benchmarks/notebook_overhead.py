"""What a notebook costs beside its cells: ours by backfill, papermill, a stock dagstermill asset, a script.

`python -m benchmarks.notebook_overhead [FILE]` prints the table, and writes it to FILE as JSON.
Each peer executes the same notebook for the same partitions, one after the other, in processes as its users start
them. The cells alone, as one script per partition within one interpreter, are what cannot be saved.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from rich.console import Console
from rich.table import Table

from ml_assets.examples.advertising import write_logs

ROOT = Path(__file__).parents[1]
PARTITIONS = 20
FIRST = date(2026, 1, 1)
#: Of the simulated log: the training window of the first partition, and the outcomes of the last one's evaluation.
EVENTS = (date(2025, 12, 25), FIRST + timedelta(days=PARTITIONS + 2))
_BIN = Path(sys.executable).parent
#: Peers cost the same for each notebook, so that a few of them say it.
PEER_PARTITIONS = 3
METRICS = "ads/cvr/metrics_1d"
_DEFS = """
type: ml_assets.EventLog
attributes:
  key: ads/impressions
  location: ads/impressions
  partitions: {every: day, start: "2025-12-25", timezone: Asia/Tokyo}
  lookahead: 8d
  columns: {time: event_time, key: [impression_id]}
  arrival: {marker: _SUCCESS}
---
type: ml_assets.EventLog
attributes:
  key: ads/conversions
  location: ads/conversions
  partitions: {every: day, start: "2025-12-25", timezone: Asia/Tokyo}
  lookahead: 8d
  columns: {time: event_time, key: [impression_id], known: ingested_at}
  arrival: {marker: _SUCCESS}
---
type: ml_assets.EvaluatedModel
attributes:
  name: ads/cvr
  exposures: ads/impressions
  outcomes: ads/conversions
  join: {id: [impression_id]}
  training: {window: 7d, attribution: 1d}
  evaluation: {window: 1d, horizons: [1d]}
  notebooks: {metrics: NOTEBOOK}
  config: {features: [campaign, device, hour], rounds: 5}
"""
_DEFINITIONS = """
from pathlib import Path

import dagster as dg

from ml_assets.definitions import build_definitions


@dg.definitions
def defs():
    return build_definitions(dg.ComponentTree.for_project(Path(__file__).parents[1]))
"""
_PROJECT = """
[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "measured"
"""
_STOCK = """
import dagster as dg
from dagstermill import ConfigurableLocalOutputNotebookIOManager, define_dagstermill_asset

notebook = define_dagstermill_asset(
    name="notebook",
    notebook_path="stock.ipynb",
    partitions_def=dg.DailyPartitionsDefinition("2026-01-01"),
    io_manager_key="notebooks",
)
resources = {"notebooks": ConfigurableLocalOutputNotebookIOManager(base_dir="stock")}
defs = dg.Definitions(assets=[notebook], resources=resources)
"""
_TRIVIAL = """\
# %% tags=["parameters"]
from ml_assets.jupyter import context_of

context = context_of("ads/cvr/metrics_1d")

# %%
import pandas as pd

from ml_assets.notebooks.step import Step

step = Step.of(context)
step.save(pd.DataFrame({"one": [1]}))
"""
#: How each peer learns of its partition; what the cells need of it, our runner had written down before.
_ORDERED = """\
from pathlib import Path

from ml_assets.notebooks.context import context_of_order

context = context_of_order(Path("orders", partition, "order.json"))
"""
_PARAMETERS = {
    "papermill": 'partition = ""',
    "stock": "import dagstermill\n\ncontext = dagstermill.get_context()",
}
_STOCK_PARTITION = 'partition = context.run.tags["dagster/partition"]\n'


@dataclass(frozen=True)
class Cost:
    """CPU and wall seconds of a notebook."""

    cpu: float
    wall: float


class Bench:
    """A project in a folder, whose metrics are all that is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.env = {**os.environ, "DAGSTER_HOME": str(self.home), "PYTHONPATH": f"{root}{os.pathsep}{ROOT}"}
        # Bytecode is written by whoever compiles first, for all.
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)
        self.partitions = [(FIRST + timedelta(days=number)).isoformat() for number in range(PARTITIONS)]

    def prepare(self) -> None:
        """Write the project, and make all but the metrics."""
        defs = self.root / "measured/defs/ads"
        defs.mkdir(parents=True)
        (self.root / "pyproject.toml").write_text(_PROJECT, encoding="utf-8")
        (self.root / "measured/__init__.py").touch()
        (self.root / "measured/definitions.py").write_text(_DEFINITIONS, encoding="utf-8")
        (self.root / "stock_definitions.py").write_text(_STOCK, encoding="utf-8")
        shutil.copytree(ROOT / "notebooks", self.root / "notebooks")
        trivial = jupytext.reads(_TRIVIAL, fmt="py:percent")
        trivial.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        jupytext.write(trivial, self.root / "notebooks/trivial.ipynb")
        write_logs(self.home / "events", first_day=EVENTS[0], last_day=EVENTS[1], on_partition=lambda _: None)
        self.choose("standard/metrics")
        self._run("ml-assets", "home", "--home", str(self.home))
        for asset in ("training_data", "model", "evaluation_data_1d"):
            self._backfill(f"ads/cvr/{asset}")
        shutil.copytree(self.home, self.root / "without_metrics")

    def choose(self, notebook: str) -> None:
        """Let a notebook make the metrics."""
        text = _DEFS.replace("NOTEBOOK", f"notebooks/{notebook}.ipynb")
        (self.root / "measured/defs/ads/defs.yaml").write_text(text, encoding="utf-8")

    def write_peers(self, notebook: str) -> None:
        """The same cells for each peer, and the orders of the partitions that they make."""
        cells = nbformat.read(self.root / f"notebooks/{notebook}.ipynb", as_version=4)
        for peer, parameters in _PARAMETERS.items():
            made = nbformat.from_dict(cells)
            (index,) = [
                number for number, cell in enumerate(made.cells) if "parameters" in cell.metadata.get("tags", [])
            ]
            made.cells[index].source = parameters
            context = nbformat.v4.new_code_cell(_STOCK_PARTITION * (peer == "stock") + _ORDERED)
            made.cells.insert(index + 1, context)
            nbformat.write(made, self.root / f"{peer}.ipynb")
        own = [cell.source for cell in cells.cells if cell.cell_type == "code" and not cell.metadata.get("tags")]
        body = "\n".join(own)
        script = "import matplotlib\nmatplotlib.use('agg')\nimport sys\nfor partition in sys.argv[1:]:\n"
        lines = [f"    {line}" for line in f"{_ORDERED}\n{body}".splitlines()]
        (self.root / "script.py").write_text(script + "\n".join(lines) + "\n", encoding="utf-8")
        self._run(
            "python",
            "-c",
            "import shutil, sys; from pathlib import Path; from ml_assets.jupyter import context_of\n"
            "for partition in sys.argv[1:]:\n"
            f"    path = Path(context_of({METRICS!r}, partition).run.tags['ml_assets/order'])\n"
            "    target = Path('orders', partition); target.mkdir(parents=True, exist_ok=True)\n"
            "    shutil.copy(path, target)",
            *self.partitions,
        )

    def ours(self) -> Cost:
        """Ours, by backfill."""
        shutil.rmtree(self.home)
        shutil.copytree(self.root / "without_metrics", self.home)
        return self._measured(len(self.partitions), lambda: self._backfill(METRICS))

    def papermill(self) -> Cost:
        """Papermill's command line, in a loop."""
        partitions = self.partitions[:PEER_PARTITIONS]

        def loop() -> None:
            for partition in partitions:
                self._run("papermill", "papermill.ipynb", "executed.ipynb", "-p", "partition", partition)

        return self._measured(len(partitions), loop)

    def stock(self) -> Cost:
        """A stock dagstermill asset, materialized by Dagster's command line."""
        partitions = self.partitions[:PEER_PARTITIONS]
        command = ("dagster", "asset", "materialize", "-f", "stock_definitions.py", "--select", "notebook")

        def loop() -> None:
            for partition in partitions:
                self._run(*command, "--partition", partition)

        return self._measured(len(partitions), loop)

    def script(self) -> Cost:
        """The cells alone, for all partitions in one process."""
        return self._measured(len(self.partitions), lambda: self._run("python", "script.py", *self.partitions))

    def _backfill(self, asset: str) -> None:
        ends = ("--from", self.partitions[0], "--to", self.partitions[-1])
        self._run("ml-assets", "backfill", asset, *ends, "--home", str(self.home))

    def _measured(self, notebooks: int, run: Callable[[], None]) -> Cost:
        # Of the scratch of the round before.
        for partition in self.partitions:
            shutil.rmtree(self.home / "scratch" / METRICS / partition / "artifact", ignore_errors=True)
            (self.home / "scratch" / METRICS / partition / "artifact").mkdir(parents=True, exist_ok=True)
        started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        run()
        wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Cost(cpu / notebooks, wall / notebooks)

    def _run(self, command: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(_BIN / command), *arguments], cwd=self.root, env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{command} {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-4000:]}")


_CASES: dict[str, Callable[[Bench], Cost]] = {
    "ml-assets backfill": Bench.ours,
    "papermill command line": Bench.papermill,
    "stock dagstermill asset": Bench.stock,
    "cells as a script": Bench.script,
}


def measure(rounds: int = 3) -> dict[str, dict[str, Any]]:
    """Median seconds a notebook of each case, by notebook, and the ratio of ours to it; the cases take turns."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="ml_assets-bench-") as folder:
        bench = Bench(Path(folder))
        bench.prepare()
        for notebook in ("trivial", "standard/metrics"):
            bench.choose(notebook)
            bench.write_peers(notebook)
            runs: dict[str, list[Cost]] = {name: [] for name in _CASES}
            for _ in range(rounds):
                for name, case in _CASES.items():
                    runs[name].append(case(bench))
            found[notebook] = {name: _summary(costs, runs["ml-assets backfill"]) for name, costs in runs.items()}
    return found


def _summary(costs: list[Cost], ours: list[Cost]) -> dict[str, float]:
    return {
        "cpu": statistics.median(cost.cpu for cost in costs),
        "wall": statistics.median(cost.wall for cost in costs),
        "ours_cpu": statistics.median(our.cpu / cost.cpu for our, cost in zip(ours, costs, strict=True)),
        "ours_wall": statistics.median(our.wall / cost.wall for our, cost in zip(ours, costs, strict=True)),
    }


def main(path: Path | None = None) -> None:
    """Print the table, and write it as JSON."""
    found = measure()
    table = Table(
        title=f"A notebook, median of 3 rounds of {PARTITIONS} partitions (papermill, stock: {PEER_PARTITIONS})"
    )
    for heading in ("notebook", "by", "CPU s", "wall s", "ours, CPU", "ours, wall"):
        table.add_column(heading)
    for notebook, cases in found.items():
        for name, of in cases.items():
            ratios = (f"{of['ours_cpu']:.2f} x", f"{of['ours_wall']:.2f} x")
            table.add_row(notebook, name, f"{of['cpu']:.2f}", f"{of['wall']:.2f}", *ratios)
    Console().print(table)
    if path is not None:
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
