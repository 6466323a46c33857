"""A shop on PostgreSQL whose trainings can be held: what it has made, and what commands print of it."""

import time
from pathlib import Path
from urllib.parse import quote

import dagster as dg

from ml_assets.orchestration.recorded.facts import asset_key
from ml_assets.orchestration.recorded.lineage import current_runs
from ml_assets.project.project import Project
from tests.support import forks, shop
from tests.support.postgres import PASSWORD
from tests.support.projects import TeamProject

DATA, MODEL = "shop/order/training_data", "shop/order/model"
EVALUATION, METRICS = "shop/order/evaluation_data_2d", "shop/order/metrics_2d"
#: As text, and as it stands in a URL.
SECRETS = [text.encode() for text in (PASSWORD, quote(PASSWORD), quote(PASSWORD, safe=""))]
NOTEBOOK = """\
# %%
import time
from pathlib import Path

(home,) = [parent for parent in Path.cwd().parents if (parent / "postgres_shop").exists()]
(home / f"begun {step.partition}").touch()
while (home / f"held {step.partition}").exists():
    time.sleep(0.1)
print("it goes on")

# %%
step.log.info("it is going to train")
if (home / f"fails {step.partition}").exists():
    raise ValueError("no gradient")

# %%
from ml_assets.models.gbdt import GbdtConfig, train

examples = step.read("training_data")
step.save_model(train(examples[examples["mature"]], GbdtConfig.from_mapping(step.config)))
"""


def made(team: TeamProject, asset: str) -> list[str]:
    return sorted(current_runs(team.project.instance, asset))


def times_made(team: TeamProject, asset: str, partition: str) -> int:
    filters = dg.AssetRecordsFilter(asset_key=asset_key(asset), asset_partitions=[partition])
    return len(team.project.instance.fetch_materializations(filters, limit=100).records)


def hold_training(team: TeamProject, *days: int) -> list[Path]:
    """Let days arrive, and wait until their trainings have begun.

    Returns: of each the file which, once it is gone, lets it go on.
    """
    held = [team.root / f"held 2026-03-{day:02}" for day in days]
    for path in held:
        path.touch()
    for log in ("visits", "orders"):
        shop.arrive(team, log, days[0], days[-1])
    deadline = time.monotonic() + 180
    while not all((team.root / path.name.replace("held", "begun")).exists() for path in held):
        assert time.monotonic() < deadline, "no model is trained"
        time.sleep(0.2)
    return held


def run(team: TeamProject, home: Path, *arguments: str, code: int = 0) -> str:
    """What a command prints."""
    result = forks.run(["ml_assets", *arguments, "--home", str(home)], cwd=team.root)
    assert result.returncode == code, result.stdout + result.stderr
    assert not any(secret in (result.stdout + result.stderr).encode() for secret in SECRETS)
    return result.stdout


def content(project: Project) -> dict[tuple[str, str], str]:
    """The data version of all that exists."""
    return {
        (asset, partition): project.store.load(asset, partition, run_id).data_version
        for asset in (DATA, MODEL, EVALUATION, METRICS)
        for partition, run_id in current_runs(project.instance, asset).items()
    }
