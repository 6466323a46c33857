"""Statuses and requests of a world."""

from tests.domain.steps import Step
from tests.domain.world import World

TRAINING_DATA, MODEL = "ads/cvr/training_data", "ads/cvr/model"
EVALUATION_DATA, METRICS = "ads/cvr/evaluation_data_1d", "ads/cvr/metrics_1d"
IMPRESSIONS, CONVERSIONS = "ads/impressions", "ads/conversions"


def make(world: World, *assets: str, day: int = 1, fails: bool = False) -> None:
    """Materialize a partition of some assets, or try to."""
    for asset in assets:
        world.launch([Step(asset, day)])
        run = world.runs[-1]
        world.advance(run)
        world.advance(run, fails=fails)


def requested(world: World) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(request.assets, request.partitions) for request in world.requests()]
