"""Worlds that owe metrics: daily, two days of training, one day of evaluation, horizons of two days and of one."""

from collections.abc import Callable

import pytest

from ml_assets.domain.declared.spec import Model
from tests.domain.owed.debt.owed import CHAIN, make, world_of
from tests.domain.world import World


@pytest.fixture
def model(make_model: Callable[..., Model]) -> Model:
    return make_model(training=("2d", "0d", "1d"), evaluation=("1d", "2d", "1d"))


@pytest.fixture
def world(model: Model) -> World:
    """The first metric of one day is mature, and no other."""
    return world_of(model, 4)


@pytest.fixture
def judged(world: World) -> World:
    """The first metric of one day is made."""
    make(world, *CHAIN)
    return world
