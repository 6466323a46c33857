"""Plans of a world, and what a test reads off them."""

from collections.abc import Iterable
from typing import Any

from ml_assets.domain.owed.due import statuses
from ml_assets.domain.owed.plan import Kind, Plan, PlannedRun, Want, plan
from ml_assets.domain.owed.runs import RunSize
from tests.domain.steps import Step
from tests.domain.world import World

TRAINING_DATA, MODEL = "ads/cvr/training_data", "ads/cvr/model"
EVALUATION_DATA, METRICS = "ads/cvr/evaluation_data_1d", "ads/cvr/metrics_1d"
EVALUATION_DATA_2D, METRICS_2D = "ads/cvr/evaluation_data_2d", "ads/cvr/metrics_2d"
ALL = (TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS, EVALUATION_DATA_2D, METRICS_2D)
IMPRESSIONS, CONVERSIONS = "ads/impressions", "ads/conversions"
FIRST = "2026-01-02"
MISSING = Want(Kind.MISSING, "")


def plan_of(world: World, **changes: Any) -> Plan:
    facts = world.facts()
    found = statuses(world.model, facts, as_of=world.now)
    options = {"assets": list(world.code), "size": RunSize(world.partitions_per_run), **changes}
    return plan(world.model, facts, found, **options)


def wants_of(made: Plan, *, of: str | None = None) -> dict[str, Want]:
    """Why each asset is made, of one partition."""
    partition = of or FIRST
    return {
        asset: run.wants[asset, partition]
        for run in made.runs
        for asset, one in run.items
        if one == partition and (asset, one) in run.wants
    }


def blocked_of(made: Plan, partition: str = FIRST) -> dict[str, str]:
    return {asset: of[partition] for asset, of in made.blocked.items() if partition in of}


def make(world: World, *assets: str, day: int = 1, fails: bool = False) -> None:
    """Materialize a partition of some assets, or try to."""
    for asset in assets:
        world.launch([Step(asset, day)])
        run = world.runs[-1]
        world.advance(run)
        world.advance(run, fails=fails)


def planned_by(world: World, runs: Iterable[PlannedRun]) -> dict[Step, Want]:
    calendar = world.model.partitions
    return {Step(item[0], calendar.index_of(item[1])): run.wants[item] for run in runs for item in run.items}
