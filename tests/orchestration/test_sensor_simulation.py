"""What the sensor promises, on a real instance: the same happenings as in memory, with real files, ticks and events.

`pytest --examples 300` plays more of them.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_assets.domain.spec import Model
from ml_assets.orchestration import sensors
from tests.domain.strategies import models
from tests.domain.watched import HAPPENINGS, assert_settled
from tests.orchestration.real_world import RealWorld

pytestmark = pytest.mark.slow

EXAMPLES = 30
NESTED = (("day", "day", "day"), ("hour", "hour", "hour"), ("week", "week", "week"), ("week", "week", "day"))


@contextmanager
def real_world(model: Model) -> Iterator[RealWorld]:
    """A world in a folder of its own; nothing is put off to another tick, and lost runs are repeated without end."""
    limits = {"REPORTS_PER_TICK": 10_000, "RUNS_PER_TICK": 10_000, "TRIES": 10_000}
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        for name, limit in limits.items():
            patch.setattr(sensors, name, limit)
        world = RealWorld(model, Path(root))
        try:
            yield world
        finally:
            world.instance.dispose()


def play(model: Model, days_over: int, settled: bool, happenings: list[tuple[tuple[Any, ...], bool]]) -> None:
    with real_world(model) as world:
        world.time_passes(days_over)
        for log in range(len(model.logs)):
            world.arrives(log, 0, days_over)
        if settled:
            world.settle()
        for (what, *details), then_tick in happenings:
            getattr(world, what)(*details)
            if then_tick:
                world.tick()
        world.settle()
        for step in world.expected():
            assert_settled(world, step)
        for asset in world.code:
            world.code[asset] += "!"
        world.settle()
        for step in world.expected():
            assert step in world.made
            assert world.horizon(step.asset) is None or world.made[step].of == world.truth(step)


def test_whatever_happens_the_sensor_forgets_nothing_and_repeats_nothing(pytestconfig: pytest.Config) -> None:
    examples = pytestconfig.getoption("--examples") or EXAMPLES
    happenings = st.lists(st.tuples(HAPPENINGS, st.booleans()), min_size=5, max_size=25)
    test = given(models(nested=NESTED), st.integers(3, RealWorld.days), st.booleans(), happenings)(play)
    settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)(test)()
