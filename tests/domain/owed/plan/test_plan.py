"""What a plan holds: what is missing or stale, in which order, and what is blocked by what."""

from collections.abc import Callable
from datetime import timedelta

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.owed.plan import Kind, Plan, Want
from ml_assets.domain.owed.runs import RunSize
from tests.domain.owed.plan.planned import (
    ALL,
    CONVERSIONS,
    EVALUATION_DATA,
    EVALUATION_DATA_2D,
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
    planned_by,
    wants_of,
)
from tests.domain.steps import Step
from tests.domain.world import World


def _runs(made: Plan) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(run.assets, run.partitions) for run in made.runs]


def test_what_is_missing_is_planned_oldest_first_and_training_before_evaluation(world: World) -> None:
    made = plan_of(world)
    assert _runs(made) == [
        ((TRAINING_DATA, MODEL), ("2026-01-02", "2026-01-03")),
        ((EVALUATION_DATA, METRICS), ("2026-01-02", "2026-01-03")),
        ((EVALUATION_DATA_2D, METRICS_2D), ("2026-01-02",)),
        ((TRAINING_DATA, MODEL), ("2026-01-04", "2026-01-05")),
    ]
    assert [want for run in made.runs for want in run.wants.values()] == [MISSING] * 14
    assert {run.model for run in made.runs} == {"ads/cvr"}


def test_a_run_makes_all_partitions_of_an_asset_before_the_next_asset(world: World) -> None:
    run = plan_of(world).runs[0]
    assert run.items == [
        (TRAINING_DATA, "2026-01-02"),
        (TRAINING_DATA, "2026-01-03"),
        (MODEL, "2026-01-02"),
        (MODEL, "2026-01-03"),
    ]
    assert set(run.wants) == set(run.items)


def test_runs_that_execute_at_once_share_what_is_missing(world: World) -> None:
    training = [run for run in plan_of(world, size=RunSize(100, 3)).runs if MODEL in run.assets]
    assert [len(run.partitions) for run in training] == [1, 1, 2]


def test_immature_partitions_are_blocked_with_what_they_wait_for(world: World) -> None:
    made = plan_of(world)
    why = "for ads/impressions 2026-01-06, ads/conversions 2026-01-06..2026-01-07"
    assert blocked_of(made, "2026-01-05") == {
        EVALUATION_DATA: why,
        METRICS: why,
        EVALUATION_DATA_2D: "for ads/impressions 2026-01-06, ads/conversions 2026-01-06..2026-01-08",
        METRICS_2D: "for ads/impressions 2026-01-06, ads/conversions 2026-01-06..2026-01-08",
    }
    assert blocked_of(made) == {}


def test_training_that_waits_for_events_blocks_all_that_follows_with_their_names(world: World) -> None:
    del world.source[IMPRESSIONS][0]
    made = plan_of(world)
    assert wants_of(made) == {}
    why = "for ads/impressions 2026-01-01"
    assert blocked_of(made)[TRAINING_DATA] == blocked_of(made)[MODEL] == why
    assert blocked_of(made)[EVALUATION_DATA] == f"its model is waiting {why}"
    assert blocked_of(made)[METRICS] == "its evaluation data 1d is waiting for the model of 2026-01-02 (waiting)"


def test_training_that_waits_for_rows_says_until_when(make_model: Callable[..., Model]) -> None:
    world = World(make_model(training=("2d", "0d", "1d"), evaluation=("1d", "1d"), known_delay=timedelta(days=3)))
    world.days_over = 2
    for day in range(2):
        world.arrive(IMPRESSIONS, day)
        world.arrive(CONVERSIONS, day)
    made = plan_of(world)
    assert made.runs == []
    why = "for rows that become known before 2026-01-06T00:00:00+00:00"
    assert blocked_of(made)[TRAINING_DATA] == why
    assert blocked_of(made)[MODEL] == f"its training data is waiting {why}"


def test_what_is_made_and_current_is_not_planned(world: World) -> None:
    make(world, *ALL)
    assert wants_of(plan_of(world)) == {}
    assert blocked_of(plan_of(world)) == {}


def test_only_what_is_missing_of_a_partition_is_planned(world: World) -> None:
    make(world, TRAINING_DATA, EVALUATION_DATA)
    assert wants_of(plan_of(world)) == dict.fromkeys((MODEL, METRICS, EVALUATION_DATA_2D, METRICS_2D), MISSING)


def test_a_partition_that_failed_is_planned_and_says_in_which_run(world: World) -> None:
    make(world, TRAINING_DATA, fails=True)
    wants = wants_of(plan_of(world))
    assert wants[TRAINING_DATA] == Want(Kind.MISSING, "failed on its present inputs, in run r1")
    assert [wants[asset] for asset in ALL[1:]] == [MISSING] * 5


def test_a_partition_that_was_made_and_then_failed_is_stale(world: World) -> None:
    make(world, *ALL)
    make(world, EVALUATION_DATA, fails=True)
    assert wants_of(plan_of(world)) == {
        EVALUATION_DATA: Want(Kind.STALE, "failed on its present inputs, in run r7"),
        METRICS: Want(Kind.STALE, "its evaluation data 1d made again"),
    }


def test_what_other_code_made_is_stale_and_what_is_made_from_it_follows(world: World) -> None:
    make(world, *ALL)
    world.code[TRAINING_DATA] = "another"
    assert wants_of(plan_of(world)) == {
        TRAINING_DATA: Want(Kind.STALE, "its notebook or declaration changed"),
        MODEL: Want(Kind.STALE, "its training data made again"),
        METRICS: Want(Kind.STALE, "its model made again"),
        METRICS_2D: Want(Kind.STALE, "its model made again"),
    }


def test_metrics_of_which_both_inputs_are_made_again_name_both(world: World) -> None:
    make(world, *ALL)
    world.code[MODEL] = world.code[EVALUATION_DATA] = "another"
    assert wants_of(plan_of(world))[METRICS] == Want(Kind.STALE, "its evaluation data 1d and model made again")


def test_training_data_that_was_made_again_by_hand_makes_the_model_stale(world: World) -> None:
    make(world, *ALL, TRAINING_DATA)
    wants = wants_of(plan_of(world))
    assert wants[MODEL] == Want(Kind.STALE, "its training data was made again")
    assert set(wants) == {MODEL, METRICS, METRICS_2D}


def test_corrected_data_is_trained_on_and_evaluated_again(world: World) -> None:
    make(world, *ALL)
    world.arrive(IMPRESSIONS, 1, says=1)
    assert wants_of(plan_of(world)) == {
        TRAINING_DATA: Want(Kind.STALE, "its event partitions changed"),
        MODEL: Want(Kind.STALE, "its training data made again"),
        METRICS: Want(Kind.STALE, "its model made again"),
        METRICS_2D: Want(Kind.STALE, "its model made again"),
    }


def test_corrected_data_of_the_evaluation_leaves_the_model_alone(world: World) -> None:
    make(world, *ALL)
    world.arrive(CONVERSIONS, 4, says=1)
    assert wants_of(plan_of(world)) == {
        EVALUATION_DATA_2D: Want(Kind.STALE, "its event partitions changed"),
        METRICS_2D: Want(Kind.STALE, "its evaluation data 2d made again"),
    }


def test_a_declaration_that_names_other_events_makes_stale(world: World, make_model: Callable[..., Model]) -> None:
    make(world, *ALL)
    world.model = make_model(training=("1d", "0d", "1h"), evaluation=("1d", "1d", "2d"))
    assert wants_of(plan_of(world))[TRAINING_DATA] == Want(Kind.STALE, "its declaration names other event partitions")


def _mixed(world: World) -> None:
    """Of the first partition training is stale and the evaluation after two days missing; the second is missing."""
    make(world, *ALL[:4])
    world.code[TRAINING_DATA] = "another"


def test_only_what_is_missing_can_be_planned(world: World) -> None:
    _mixed(world)
    made = plan_of(world, kinds=[Kind.MISSING])
    assert wants_of(made) == {EVALUATION_DATA_2D: MISSING, METRICS_2D: MISSING}
    assert set(wants_of(made, of="2026-01-03")) == set(ALL[:4])
    assert blocked_of(made, "2026-01-05")


def test_only_what_is_stale_can_be_planned(world: World) -> None:
    _mixed(world)
    made = plan_of(world, kinds=[Kind.STALE])
    assert _runs(made) == [((TRAINING_DATA, MODEL), (FIRST,)), ((METRICS,), (FIRST,))]
    assert made.blocked == {}, "what is missing is not asked for"


def test_what_failed_and_is_of_the_other_kind_is_left_out_and_not_forgotten(world: World) -> None:
    make(world, *ALL)
    make(world, EVALUATION_DATA, fails=True)
    again = Want(Kind.STALE, "failed on its present inputs, in run r7")
    assert plan_of(world, kinds=[Kind.MISSING], span=range(2)) == Plan([], {}, {EVALUATION_DATA: {FIRST: again}})
    assert plan_of(world).left_out == {}
    make(world, TRAINING_DATA, day=2, fails=True)
    left = plan_of(world, kinds=[Kind.STALE]).left_out
    assert left == {TRAINING_DATA: {"2026-01-03": Want(Kind.MISSING, "failed on its present inputs, in run r8")}}


def test_only_partitions_in_the_span_are_planned_or_blocked(world: World) -> None:
    made = plan_of(world, span=range(2, 4))
    assert {partition for run in made.runs for partition in run.partitions} == {"2026-01-03", "2026-01-04"}
    assert {partition for of in made.blocked.values() for partition in of} == {"2026-01-03", "2026-01-04"}


def test_a_span_after_all_partitions_is_an_empty_plan(world: World) -> None:
    assert plan_of(world, span=range(100, 200)) == Plan([], {}, {})


def test_what_needs_an_asset_outside_of_the_selection_is_blocked_with_its_name(world: World) -> None:
    made = plan_of(world, assets=[MODEL, METRICS, EVALUATION_DATA])
    assert made.runs == []
    assert blocked_of(made) == {
        MODEL: "its training data is missing",
        EVALUATION_DATA: "its model is missing",
        METRICS: "its evaluation data 1d is waiting for the model of 2026-01-02 (due)",
    }


def test_what_exists_outside_of_the_selection_is_used_as_it_is(world: World) -> None:
    make(world, TRAINING_DATA, MODEL, EVALUATION_DATA)
    world.code[TRAINING_DATA] = "another"
    made = plan_of(world, assets=[METRICS])
    assert _runs(made) == [((METRICS,), (FIRST,))]
    assert blocked_of(made) == {}
    assert blocked_of(made, "2026-01-03") == {
        METRICS: "its evaluation data 1d is waiting for the model of 2026-01-03 (due)"
    }


def test_what_runs_is_neither_planned_nor_blocked(world: World) -> None:
    world.launch([Step(TRAINING_DATA, 1), Step(MODEL, 1)])
    made = plan_of(world)
    assert not {TRAINING_DATA, MODEL} & {*wants_of(made), *blocked_of(made)}
    assert set(blocked_of(made)) == {EVALUATION_DATA, METRICS, EVALUATION_DATA_2D, METRICS_2D}


def test_what_comes_after_something_that_runs_is_blocked_by_its_running(world: World) -> None:
    world.launch([Step(TRAINING_DATA, 1)])
    assert blocked_of(plan_of(world))[MODEL] == "its training data is running"


def test_what_is_made_and_runs_again_is_used_as_it_is(world: World) -> None:
    make(world, *ALL[:3])
    world.launch([Step(TRAINING_DATA, 1)])
    assert METRICS in wants_of(plan_of(world))


def test_a_run_comes_after_all_that_it_needs_where_ranges_overlap(world: World) -> None:
    """A budget cuts the plan anywhere, and must not leave an evaluation without its model."""
    make(world, TRAINING_DATA, day=2)
    made = plan_of(world, size=RunSize(100))
    order = list(planned_by(world, made.runs))
    assert order.index(Step(MODEL, 2)) < order.index(Step(EVALUATION_DATA, 2))
