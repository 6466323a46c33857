"""What the demo costs with its files in HDFS, beside the same on this machine's disk.

`python -m benchmarks.hdfs [FILE]` prints the table, and writes it to FILE as JSON. Both run `ml-assets demo` whole, in
turns, each in a new home; the data versions of all artifacts must be equal. The NameNode and two DataNodes, the fewest
by which a cluster loses nothing, run beside it, and are counted in wall time alone.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ml_assets import variables
from ml_assets.examples import demo_days
from ml_assets.orchestration.recorded.lineage import current_runs
from ml_assets.project.project import Project
from tests.support.hdfs import hdfs_server

ROOT = Path(__file__).parents[1]
ROUNDS = 3
#: What may be lost by files that lie elsewhere.
BOUND = 1.3
_COMMAND = Path(sys.executable).with_name("ml-assets")


@dataclass(frozen=True)
class Cost:
    """CPU and wall seconds of a demo."""

    cpu: float
    wall: float


def demo(home: Path, storage: str | None, anchor: str) -> Cost:
    """Run the demo in a new home. Args: `anchor`: its days are those of a home made then."""
    home.mkdir()
    (home / demo_days.FILE).write_text(anchor, encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env |= {variables.STORAGE: storage} if storage else {}
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [str(_COMMAND), "demo", "--home", str(home)], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"the demo in {storage or home}: {done.stdout[-4000:]}{done.stderr[-4000:]}")
    return Cost(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall)


def versions(home: Path) -> dict[str, str]:
    """The data versions of all artifacts."""
    project = Project(home, ROOT)
    return {
        f"{asset} {partition}": project.store.load(asset, partition, run).data_version
        for asset in project.assets
        for partition, run in current_runs(project.instance, asset).items()
    }


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Median seconds on the disk and in HDFS, and the ratios of each round."""
    costs: dict[str, list[Cost]] = {"disk": [], "HDFS": []}
    anchor, made = time.strftime("%Y-%m-%d"), {}
    with tempfile.TemporaryDirectory(prefix="ml_assets-bench-") as folder, hdfs_server(data_nodes=2) as hdfs:
        for number in range(rounds):
            found = {}
            for name, storage in (("disk", None), ("HDFS", f"{hdfs.url}/round {number}")):
                home = Path(folder) / f"{name}-{number}"
                costs[name].append(demo(home, storage, anchor))
                # No storage is the home's own folder.
                with variables.being(variables.STORAGE, storage or str(home)):
                    found[name] = made = versions(home)
            if found["disk"] != found["HDFS"]:
                raise RuntimeError(f"other data versions in HDFS: {found['disk'].items() ^ found['HDFS'].items()}")
    ratios = {
        kind: [getattr(far, kind) / getattr(near, kind) for near, far in zip(costs["disk"], costs["HDFS"], strict=True)]
        for kind in ("cpu", "wall")
    }
    medians = {
        name: {kind: statistics.median(getattr(one, kind) for one in of) for kind in ("cpu", "wall")}
        for name, of in costs.items()
    }
    return {"artifacts": len(made), "seconds": medians, "ratios": ratios}


def main(path: Path | None = None) -> None:
    """Print the table, and write it as JSON."""
    found = measure()
    table = Table(title=f"`ml-assets demo`, {found['artifacts']} artifacts of equal data versions, {ROUNDS} rounds")
    for heading in ("files in", "CPU s", "wall s", "CPU, to the disk", f"wall, to the disk (at most {BOUND})"):
        table.add_column(heading)
    for name, of in found["seconds"].items():
        ratios = [f"{statistics.median(found['ratios'][kind]):.2f}" if name == "HDFS" else "" for kind in of]
        table.add_row(name, f"{of['cpu']:.0f}", f"{of['wall']:.0f}", *ratios)
    Console().print(table)
    if path is not None:
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
