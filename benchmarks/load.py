"""Loading the code location, this project's and ones of 1, 50 and 200 models, beside a bare `import dagster`.

`python -m benchmarks.load [FILE]` prints the table, and writes it to FILE as JSON.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

PEER = "import dagster"
SIZES = (1, 50, 200)
_MODELS_PER_SERVICE = 10
_REPOSITORY = Path(__file__).parents[1]
_LOAD = "from {}.definitions import defs; defs()"
_DEFINITIONS = """
from pathlib import Path

import dagster as dg

from ml_assets.definitions import build_definitions


@dg.definitions
def defs():
    return build_definitions(dg.ComponentTree.for_project(Path(__file__).parents[1]))
"""
_LOG = """\
type: ml_assets.EventLog
attributes:
  key: {key}
  location: {key}
  partitions: {{every: day, start: "2026-01-01", timezone: Europe/Berlin}}
  lookahead: 8d
  columns: {{time: event_time, key: [{id}]}}
"""
_MODEL = """\
type: ml_assets.EvaluatedModel
attributes:
  name: {service}/{name}
  exposures: {service}/impressions
  outcomes: {service}/conversions
  join: {{id: [impression_id]}}
  training: {{window: 28d, gap: 0d, attribution: 7d}}
  evaluation: {{window: 1d, horizons: [7d]}}
  config:
    features: [campaign, device, hour, user_id]
    number: {number}
"""


def make_project(root: Path, models: int) -> None:
    """Write a project of so many models, ten to a service with two logs, each declared in a folder of its own."""
    package = root / "team"
    package.mkdir(parents=True)
    settings = '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "team"\n'
    (root / "pyproject.toml").write_text(settings, encoding="utf-8")
    (package / "__init__.py").touch()
    (package / "definitions.py").write_text(_DEFINITIONS, encoding="utf-8")
    shutil.copytree(_REPOSITORY / "notebooks", root / "notebooks")
    for number in range(models):
        service = f"service_{number // _MODELS_PER_SERVICE}"
        if number % _MODELS_PER_SERVICE == 0:
            names = (f"{service}/impressions", f"{service}/conversions")
            logs = [_LOG.format(key=name, id="impression_id") for name in names]
            _write(package / "defs" / service / "logs", "---\n".join(logs))
        name = f"model_{number}"
        text = _MODEL.format(service=service, name=name, number=number)
        _write(package / "defs" / service / name, text)


def _write(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "defs.yaml").write_text(text, encoding="utf-8")


def cpu_seconds(code: str, root: Path) -> float:
    """CPU seconds of a fresh Python process that runs `code`, in the folder of a project."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    path = os.pathsep.join([str(root), str(_REPOSITORY)])
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, env={**os.environ, "PYTHONPATH": path})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def measure(rounds: int = 5) -> dict[str, float]:
    """Median CPU seconds of each case; the cases take turns, so that a noisy machine is unfair to none."""
    with tempfile.TemporaryDirectory() as folder:
        cases = {PEER: (PEER, _REPOSITORY), "ml_assets.definitions": (_LOAD.format("ml_assets"), _REPOSITORY)}
        for models in SIZES:
            root = Path(folder, str(models))
            make_project(root, models)
            cases[f"{models} models" if models > 1 else "1 model"] = (_LOAD.format("team"), root)
        # Files are compiled, and in the page cache, once for all.
        for case in cases.values():
            cpu_seconds(*case)
        times: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(rounds):
            for name, case in cases.items():
                times[name].append(cpu_seconds(*case))
    return {name: statistics.median(found) for name, found in times.items()}


def main(path: Path | None = None) -> None:
    """Print the table, and write it as JSON."""
    found = measure()
    table = Table(title="Loading, median CPU seconds of five processes each")
    for heading in ("what", "CPU s", "ratio"):
        table.add_column(heading)
    for name, seconds in found.items():
        table.add_row(name, f"{seconds:.2f}", f"{seconds / found[PEER]:.2f}")
    Console().print(table)
    if path is not None:
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
