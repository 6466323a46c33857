"""A world in which nothing is made yet: daily, two days of training, horizons of one and two days."""

from collections.abc import Callable

import pytest

from ml_assets.domain.declared.spec import Model
from tests.domain.owed.due.judged import (
    CONVERSIONS,
    IMPRESSIONS,
)
from tests.domain.world import World


@pytest.fixture
def model(make_model: Callable[..., Model]) -> Model:
    return make_model(training=("2d", "0d", "1d"), evaluation=("1d", "1d", "2d"))


@pytest.fixture
def world(model: Model) -> World:
    """Nothing is made yet; everything has arrived for 2026-01-02, the first partition: the log's first four days."""
    world = World(model)
    world.days_over = 2
    for day in range(4):
        world.arrive(IMPRESSIONS, day)
        world.arrive(CONVERSIONS, day)
    return world
