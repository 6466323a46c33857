"""Backfills of a small shop: how they are started, interrupted, and what they have made."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil

from ml_assets.orchestration.recorded.lineage import current_runs
from ml_assets.project.home import prepare_home
from ml_assets.project.project import Project
from tests.support import forks
from tests.support.projects import TeamProject

DATA, MODEL = "shop/order/training_data", "shop/order/model"
EVALUATION, METRICS = "shop/order/evaluation_data_2d", "shop/order/metrics_2d"
ALL = (DATA, MODEL, EVALUATION, METRICS)


DAYS = ["2026-03-03", "2026-03-04", "2026-03-05", "2026-03-06"]


NOTEBOOK = """\
# %%
from pathlib import Path
import time

(home,) = [parent for parent in Path.cwd().parents if (parent / "broken").exists()]
if step.partition in (home / "broken").read_text().split():
    raise ValueError("no gradient in " + step.partition)
time.sleep(float((home / "slow").read_text()))

# %%
from ml_assets.models.gbdt import GbdtConfig, train

examples = step.read("training_data")
step.save_model(train(examples[examples["mature"]], GbdtConfig.from_mapping(step.config)))
"""


def new_home(team: TeamProject, name: str) -> Path:
    home = prepare_home(team.root / name)
    shutil.copytree(team.home / "events", home / "events")
    return home


def command(team: TeamProject, home: Path, *arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("ml-assets")), *arguments, "--home", str(home)]


def run(team: TeamProject, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return forks.run(["ml_assets", *arguments, "--home", str(home)], cwd=team.root)


def data_versions(team: TeamProject, home: Path) -> dict[tuple[str, str], str]:
    """What is current, by its content."""
    project = Project(home, team.root)
    return {
        (asset, partition): project.store.load(asset, partition, run_id).data_version
        for asset in ALL
        for partition, run_id in current_runs(project.instance, asset).items()
    }


def versions_made(team: TeamProject, home: Path) -> int:
    return len(list((home / "artifacts").rglob("manifest.json")))


def under_way(team: TeamProject, home: Path, *options: str) -> subprocess.Popen[str]:
    """A backfill whose models take long, of which some partitions are made."""
    before = versions_made(team, home)
    process = subprocess.Popen(
        command(team, home, "backfill", "shop", "--to", DAYS[-1], *options),
        cwd=team.root,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 120
    while versions_made(team, home) < before + 1:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return process


def tree_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def wait_until_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []
