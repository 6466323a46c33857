"""Planted exposures of both sets, and labels that were corrected later: kept out by one guard, caught by another."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ml_assets.domain.calendar import Interval
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.windows import Windows, windows_of
from tests.loops.leaks import (
    BOUND,
    CUTOFF,
    DAY,
    HOUR,
    LONG,
    MICROSECOND,
    SHORT,
    SHOWN,
    TODAY,
    UNKNOWING,
    D,
    Row,
    SwitchOff,
    World,
    click,
    reading,
    sale,
)

SHARED = "the exposure is in training and in evaluation data"


def around(instant: datetime) -> list[Row]:
    """Clicks up to the instant and from it on."""
    steps = [-DAY, -MICROSECOND, timedelta(0), MICROSECOND, DAY - MICROSECOND, DAY]
    return [click(number, instant + step) for number, step in enumerate(steps)]


@pytest.mark.parametrize("horizon", [SHORT, LONG])
def test_no_exposure_is_in_both_sets(horizon: Duration, plain_shop: World) -> None:
    plain_shop.arrive(around(CUTOFF), [])
    training, evaluation = plain_shop.make(D), plain_shop.make(D, horizon)
    assert (training.clicks, evaluation.clicks) == ([0, 1], [2, 3, 4])
    plain_shop.publish(training)
    assert plain_shop.verify(evaluation).passed
    plain_shop.publish(evaluation)
    assert plain_shop.verify(training).passed


def day_early(model: Model, index: int, horizon: Duration | None) -> Windows:
    """Evaluation takes the day before the cutoff as well."""
    windows = windows_of(model, index, horizon)
    if horizon is None:
        return windows
    start = windows.cutoff - DAY
    return replace(
        windows, exposures=Interval(start, windows.exposures.end), outcomes=Interval(start, windows.outcomes.end)
    )


@pytest.mark.parametrize("horizon", [SHORT, LONG])
def test_an_exposure_in_both_sets_is_caught(
    horizon: Duration, plain_shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_shop.arrive(around(CUTOFF), [])
    plain_shop.publish(plain_shop.make(D))
    reading(day_early)(monkeypatch)
    verdict = plain_shop.verify(plain_shop.make(D, horizon))
    assert verdict.leaks == {f"the exposure is before {CUTOFF.isoformat()}": 2, SHARED: 2}


def test_training_that_reaches_into_an_evaluation_is_caught(plain_shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    plain_shop.arrive(around(CUTOFF), [])
    plain_shop.publish(plain_shop.make(D, LONG))
    reading(lambda model, index, horizon: windows_of(model, index + 1, horizon))(monkeypatch)
    leaks = plain_shop.verify(plain_shop.make(D), reads=[]).leaks
    assert leaks == {
        f"the exposure is not before {CUTOFF.isoformat()}": 3,
        f"known is not before {BOUND.isoformat()}": 1,
        SHARED: 3,
    }


def test_an_exposure_that_a_correction_moved_out_of_training_is_caught_in_the_evaluation(plain_shop: World) -> None:
    """Its times are within all bounds: only its key tells."""
    later = CUTOFF + 10 * DAY
    moved = [click(1, SHOWN), click(1, SHOWN, known=later, gone=True), click(1, CUTOFF + HOUR, known=later)]
    plain_shop.arrive([*moved, click(2, SHOWN), click(3, CUTOFF)], [])
    training, evaluation = plain_shop.make(D), plain_shop.make(D, SHORT)
    assert plain_shop.verify(evaluation).passed
    assert training.clicks == [1, 2]
    plain_shop.publish(training)
    assert plain_shop.verify(evaluation).leaks == {SHARED: 1}


CORRECTIONS = {
    "moved into the attribution": (
        [sale(1, SHOWN - HOUR), sale(1, SHOWN + HOUR, known=BOUND)],
        0,
        {f"outcome_known is not before {BOUND.isoformat()}": 1},
    ),
    "of another click first": (
        [sale(1, SHOWN + HOUR, click=2), sale(1, SHOWN + HOUR, known=BOUND)],
        0,
        {f"outcome_known is not before {BOUND.isoformat()}": 1},
    ),
    "taken back before, and no longer": (
        [
            sale(1, SHOWN + HOUR),
            sale(1, SHOWN + HOUR, known=SHOWN + 2 * HOUR, gone=True),
            sale(1, SHOWN + HOUR, known=BOUND),
        ],
        0,
        {f"outcome_known is not before {BOUND.isoformat()}": 1},
    ),
    # These leave no row behind: what was read tells.
    "moved out of the attribution": ([sale(1, SHOWN + HOUR), sale(1, SHOWN - HOUR, known=BOUND)], 1, {}),
    "taken back": ([sale(1, SHOWN + HOUR), sale(1, SHOWN + HOUR, known=BOUND, gone=True)], 1, {}),
}


@pytest.mark.parametrize(("sales", "label"), [case[:2] for case in CORRECTIONS.values()], ids=CORRECTIONS)
def test_a_corrected_label_that_existed_only_later_is_not_trained_on(
    sales: list[Row], label: int, plain_shop: World
) -> None:
    made = plain_shop.arrive([click(1, SHOWN)], sales).make(D)
    assert made.labels == {1: label}
    assert plain_shop.verify(made).passed


@UNKNOWING
@pytest.mark.parametrize(("sales", "label", "in_rows"), CORRECTIONS.values(), ids=CORRECTIONS)
def test_a_corrected_label_that_existed_only_later_is_caught(
    sales: list[Row],
    label: int,
    in_rows: Mapping[str, int],
    switch_off: SwitchOff,
    plain_shop: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain_shop.arrive([click(1, SHOWN)], sales)
    switch_off(monkeypatch)
    made = plain_shop.make(D)
    assert made.labels == {1: 1 - label}
    assert plain_shop.verify(made, reads=[]).leaks == in_rows
    of_reads = f"outcomes of shop/sales were read that were known at or after {BOUND.isoformat()}"
    assert plain_shop.verify(made).leaks == {**in_rows, of_reads: 1}


def test_evaluation_takes_the_label_that_is_known_by_now(plain_shop: World) -> None:
    shown = CUTOFF + HOUR
    sales = [sale(1, shown + HOUR), sale(1, shown + HOUR, known=TODAY, gone=True), sale(2, shown + HOUR, known=TODAY)]
    made = plain_shop.arrive([click(1, shown), click(2, shown)], sales).make(D, SHORT)
    assert made.labels == {1: 0, 2: 1}
    assert plain_shop.verify(made).passed
