"""Debts of a world, and what a test reads off them."""

from datetime import UTC, datetime

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.owed.debt import Cause, Debt, Entry, debt
from ml_assets.domain.owed.due import statuses
from ml_assets.domain.owed.facts import Facts
from tests.domain.steps import Step
from tests.domain.world import World

TRAINING_DATA, MODEL = "ads/cvr/training_data", "ads/cvr/model"
EVALUATION_DATA, METRICS = "ads/cvr/evaluation_data_1d", "ads/cvr/metrics_1d"
CHAIN = (TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS)
IMPRESSIONS, CONVERSIONS = "ads/impressions", "ads/conversions"
ONE_DAY, TWO_DAYS = Duration(1, "d"), Duration(2, "d")
MATURE = datetime(2026, 1, 5, tzinfo=UTC)


def world_of(model: Model, days: int) -> World:
    """A world in which some days are over and have arrived; nothing is made yet."""
    world = World(model)
    world.days_over = days
    for log in model.logs:
        for day in range(days):
            world.arrive(log.key, day)
    return world


def make(world: World, *assets: str, fails: bool = False) -> None:
    """Let a run make 2026-01-02 of each asset, or fail at it."""
    for asset in assets:
        run = world.launch([Step(asset, 1)])
        world.advance(run)
        world.advance(run, fails=fails)


def debt_of(world: World, facts: Facts | None = None) -> Debt:
    facts = facts or world.facts()
    return debt(world.model, facts, statuses(world.model, facts, as_of=world.now), as_of=world.now)


def entry_of(world: World, partition: str = "2026-01-02", horizon: Duration = ONE_DAY) -> Entry:
    (found,) = (one for one in debt_of(world).entries if (one.partition, one.horizon) == (partition, horizon))
    return found


def cause_of(world: World, horizon: Duration = ONE_DAY) -> tuple[Cause, str]:
    """Cause and words of 2026-01-02."""
    found = entry_of(world, horizon=horizon)
    return found.cause, found.why
