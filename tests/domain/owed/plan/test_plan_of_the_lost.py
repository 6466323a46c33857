"""What is lost from the store is owed, planned and blocked with its reason."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ml_assets.domain.owed.due import State, due, statuses
from ml_assets.domain.owed.plan import Kind, Plan, Want, plan
from ml_assets.domain.owed.runs import RunSize
from tests.domain.owed.plan.planned import (
    ALL,
    EVALUATION_DATA,
    FIRST,
    IMPRESSIONS,
    METRICS,
    METRICS_2D,
    MISSING,
    MODEL,
    TRAINING_DATA,
    blocked_of,
    make,
    plan_of,
    wants_of,
)
from tests.domain.steps import Step
from tests.domain.world import World


def _lose(world: World, *assets: str, day: int = 1, **changes: Any) -> Plan:
    """The plan once the store has lost a day of some assets."""
    key = world.key(day)
    facts = replace(world.facts(), lost={asset: {key: f"/store/{asset}/{key}"} for asset in assets})
    found = statuses(world.model, facts, as_of=world.now)
    options = {"assets": list(world.code), "size": RunSize(world.partitions_per_run), "only": _of_day(key), **changes}
    return plan(world.model, facts, found, **options)


def _of_day(key: str) -> Callable[[str, str], bool]:
    return lambda _, partition: partition == key


def _lost(asset: str) -> Want:
    return Want(Kind.MISSING, f"recorded, but lost from the store: /store/{asset}/{FIRST}")


@pytest.fixture
def finished(world: World) -> World:
    """All of the first day is made."""
    make(world, *ALL)
    return world


def test_all_that_is_lost_is_owed_with_its_reason(finished: World) -> None:
    assert plan_of(finished, only=_of_day(FIRST)).runs == []
    assert wants_of(_lose(finished, *ALL)) == {asset: _lost(asset) for asset in ALL}


@pytest.mark.parametrize(
    ("asset", "follows"),
    [
        (TRAINING_DATA, {MODEL: "its training data made again", **dict.fromkeys((METRICS, METRICS_2D), "its model made again")}),
        (MODEL, dict.fromkeys((METRICS, METRICS_2D), "its model made again")),
        (EVALUATION_DATA, {METRICS: "its evaluation data 1d made again"}),
        (METRICS, {}),
    ],
)  # fmt: skip
def test_what_is_made_of_what_was_lost_is_made_again_after_it(
    asset: str, follows: dict[str, str], finished: World
) -> None:
    made = _lose(finished, asset)
    assert wants_of(made) == {asset: _lost(asset), **{one: Want(Kind.STALE, why) for one, why in follows.items()}}
    assert wants_of(_lose(finished, asset, kinds=[Kind.MISSING])) == {asset: _lost(asset)}
    assert not wants_of(_lose(finished, asset, kinds=[Kind.STALE]))


def test_what_needs_something_that_is_lost_is_blocked_unless_that_is_made_too(world: World) -> None:
    make(world, TRAINING_DATA, MODEL, EVALUATION_DATA)
    made = _lose(world, MODEL, assets=[METRICS])
    assert blocked_of(made) == {METRICS: f"its model is recorded, but lost from the store: /store/{MODEL}/{FIRST}"}
    assert wants_of(_lose(world, MODEL, assets=[MODEL, METRICS])) == {MODEL: _lost(MODEL), METRICS: MISSING}


def test_what_is_lost_and_whose_events_have_gone_cannot_be_made(finished: World) -> None:
    del finished.source[IMPRESSIONS][0]
    made = _lose(finished, TRAINING_DATA)
    assert TRAINING_DATA not in wants_of(made)
    words = f"{_lost(TRAINING_DATA).why}; it waits for ads/impressions 2026-01-01"
    assert blocked_of(made) == {TRAINING_DATA: words}


def test_what_is_lost_and_being_made_is_not_planned(finished: World) -> None:
    finished.launch([Step(MODEL, 1)])
    assert MODEL not in wants_of(_lose(finished, MODEL))


@pytest.mark.parametrize("asset", ALL)
def test_nothing_that_is_lost_is_due(asset: str, finished: World) -> None:
    facts = replace(finished.facts(), lost={asset: {FIRST: "/store"}})
    found = statuses(finished.model, facts, as_of=finished.now)
    assert found[asset][FIRST].state is State.LOST
    requests = due(finished.model, facts, found, size=RunSize(30))
    assert not any(FIRST in request.partitions for request in requests)
