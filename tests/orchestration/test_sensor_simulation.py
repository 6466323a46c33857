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

from ml_assets.domain.declared.spec import Model
from ml_assets.orchestration import sensors
from tests.domain.strategies import models
from tests.domain.watched import HAPPENINGS, play
from tests.orchestration.real_world import RealWorld

pytestmark = pytest.mark.slow

EXAMPLES = 20
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


def play_for_real(model: Model, **happened: Any) -> None:
    with real_world(model) as world:
        play(world, **happened)


def test_whatever_happens_the_sensor_forgets_nothing_and_repeats_nothing(pytestconfig: pytest.Config) -> None:
    examples = pytestconfig.getoption("--examples") or EXAMPLES
    happenings = st.lists(st.tuples(HAPPENINGS, st.booleans()), min_size=5, max_size=25)
    days_over = st.integers(3, RealWorld.days)
    happened = {"days_over": days_over, "settled": st.booleans(), "happenings": happenings}
    test = given(model=models(nested=NESTED), **happened)(play_for_real)
    settings(max_examples=examples, suppress_health_check=list(HealthCheck), database=None)(test)()
