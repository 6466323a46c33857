"""A world in which nothing is made yet, to plan in: daily, two days of training, horizons of one and two days."""

from collections.abc import Callable

import pytest

from ml_assets.domain.declared.spec import Model
from tests.domain.owed.plan.planned import CONVERSIONS, IMPRESSIONS
from tests.domain.world import World


@pytest.fixture
def model(make_model: Callable[..., Model]) -> Model:
    return make_model(training=("2d", "0d", "1d"), evaluation=("1d", "1d", "2d"))


@pytest.fixture
def world(model: Model) -> World:
    """Nothing is made yet. Five days are over and have arrived: for the days 1 to 4, two evaluations of day 1."""
    world = World(model)
    world.days_over = 5
    for day in range(5):
        world.arrive(IMPRESSIONS, day)
        world.arrive(CONVERSIONS, day)
    return world
