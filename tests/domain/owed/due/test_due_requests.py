"""The runs that are due: contiguous, bounded, oldest first, and the keys that tell them apart."""

from dataclasses import replace
from datetime import timedelta

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.owed.due import Request, due, statuses
from ml_assets.domain.owed.facts import Facts, Made
from ml_assets.domain.owed.runs import RunSize
from tests.domain.owed.due.judged import (
    CONVERSIONS,
    EVALUATION_DATA,
    IMPRESSIONS,
    METRICS,
    MODEL,
    TRAINING_DATA,
    make,
    requested,
)
from tests.domain.world import DAY_0, World


def test_requests_are_contiguous_bounded_and_oldest_first(world: World) -> None:
    world.days_over = 12
    for day in range(12):
        if day != 6:
            world.arrive(IMPRESSIONS, day)
            world.arrive(CONVERSIONS, day)
    spans = [partitions for _, partitions in requested(world)]
    assert [(span[0], span[-1], len(span)) for span in spans] == [
        ("2026-01-02", "2026-01-03", 2),
        ("2026-01-04", "2026-01-06", 3),
        ("2026-01-09", "2026-01-10", 2),
        ("2026-01-11", "2026-01-12", 2),
    ]


def test_partitions_that_need_other_assets_go_into_another_run(world: World) -> None:
    world.days_over = 4
    make(world, TRAINING_DATA, day=2)
    assert requested(world) == [
        ((TRAINING_DATA, MODEL), ("2026-01-02",)),
        ((MODEL,), ("2026-01-03",)),
        ((TRAINING_DATA, MODEL), ("2026-01-04",)),
    ]


def test_a_request_has_the_same_key_for_equal_facts_and_another_where_anything_differs(world: World) -> None:
    keys = [_key(world), _key(world)]
    world.arrive(IMPRESSIONS, 3)
    keys.append(_key(world))
    assert len(set(keys)) == 1, "what nobody reads changes no key"
    world.arrive(IMPRESSIONS, 0)
    keys.append(_key(world))
    for asset in (TRAINING_DATA, MODEL):
        world.code[asset] = "another"
        keys.append(_key(world))
    make(world, TRAINING_DATA)
    keys.append(_key(world))
    make(world, MODEL)
    keys.append(_key(world))
    world.arrive(CONVERSIONS, 2)
    keys.append(_key(world))
    assert len(set(keys)) == len(keys) - 2


def _key(world: World) -> str:
    (request,) = world.requests()
    return request.key


def test_evaluating_the_same_inputs_again_has_another_key_because_something_exists(model: Model, world: World) -> None:
    make(world, TRAINING_DATA, MODEL)
    facts, as_of = world.facts(), DAY_0 + timedelta(days=2)

    def asked(known: Facts) -> list[Request]:
        return due(model, known, statuses(model, known, as_of=as_of), size=RunSize(1))

    def with_evaluation_data(made_id: int) -> Facts:
        return replace(facts, made={**facts.made, EVALUATION_DATA: {"2026-01-02": Made(made_id, "v", None, None)}})

    absent, present, again = asked(facts), asked(with_evaluation_data(1)), asked(with_evaluation_data(2))
    assert [request.assets for request in (*absent, *present)] == [(EVALUATION_DATA, METRICS), (EVALUATION_DATA,)]
    assert len({request.key for request in (*absent, *present, *again)}) == 3
