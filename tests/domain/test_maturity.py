"""Whether what a window needs has arrived, and in which words it is said."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.maturity import Arrivals, describe_missing, describe_spans
from ml_assets.domain.windows import evaluation_windows, needed

MakeModel = Callable[..., Model]
WEEK = Duration(7, "d")
IMPRESSIONS, CONVERSIONS = "ads/impressions", "ads/conversions"


def _days(first: int, last: int) -> dict[str, str]:
    return {f"2026-01-{day:02}": f"fingerprint {day}" for day in range(first, last + 1)}


class State:
    """Of the evaluation data of 2026-01-10, which reads impressions of the 11th and conversions up to the 18th."""

    def __init__(self, model: Model, arrived: dict[str, dict[str, str]]) -> None:
        parts = needed(model, evaluation_windows(model, 9, WEEK))
        arrivals = Arrivals(model.logs, arrived)
        self.mature = arrivals.mature(parts)
        self.missing = arrivals.missing(parts)
        self.inputs = arrivals.inputs(parts)


def _maturity(model: Model, impressions: dict[str, str], conversions: dict[str, str]) -> State:
    return State(model, {IMPRESSIONS: impressions, CONVERSIONS: conversions})


def test_a_window_is_mature_once_all_that_it_needs_has_arrived(make_model: MakeModel) -> None:
    state = _maturity(make_model(), _days(11, 11), _days(11, 18))
    assert state.mature
    assert state.missing == {}


def test_what_has_arrived_beyond_the_window_changes_nothing(make_model: MakeModel) -> None:
    more, less = (_maturity(make_model(), _days(first, 31), _days(first, last)) for first, last in ((1, 31), (11, 18)))
    assert vars(more) == vars(less)


@pytest.mark.parametrize(
    ("impressions", "conversions", "words"),
    [
        (_days(11, 11), _days(11, 17), "ads/conversions 2026-01-18"),
        (_days(12, 31), _days(11, 18), "ads/impressions 2026-01-11"),
        (_days(11, 11), _days(13, 16), "ads/conversions 2026-01-11..2026-01-12, 2026-01-17..2026-01-18"),
        ({}, {}, "ads/impressions 2026-01-11, ads/conversions 2026-01-11..2026-01-18"),
    ],
)
def test_what_is_missing_is_named_by_log_in_spans(
    make_model: MakeModel, impressions: dict[str, str], conversions: dict[str, str], words: str
) -> None:
    state = _maturity(make_model(), impressions, conversions)
    assert not state.mature
    assert describe_missing(make_model(), state.missing) == words


def test_a_log_that_nothing_is_known_of_is_missing_as_a_whole(make_model: MakeModel) -> None:
    model = make_model()
    state = State(model, {})
    assert state.missing == {IMPRESSIONS: (10,), CONVERSIONS: tuple(range(10, 18))}


def test_one_log_for_both_is_named_once(make_model: MakeModel) -> None:
    model = make_model(same_log=True)
    state = State(model, {IMPRESSIONS: _days(11, 17)})
    assert describe_missing(model, state.missing) == "ads/impressions 2026-01-18"


@pytest.mark.parametrize(
    ("indices", "words"),
    [
        ((), ""),
        ((3,), "2026-01-04"),
        ((0, 1), "2026-01-01..2026-01-02"),
        ((4, 0, 2, 1), "2026-01-01..2026-01-03, 2026-01-05"),
    ],
)
def test_partitions_are_named_in_order_and_without_repetition(
    make_calendar: Callable[..., Calendar], indices: Iterable[int], words: str
) -> None:
    assert describe_spans(make_calendar(), indices) == words


@given(data=st.data())
@settings(max_examples=40)
def test_the_inputs_change_with_any_fingerprint_and_not_with_the_order_of_arrival(
    make_model: MakeModel, data: st.DataObject
) -> None:
    model, impressions, conversions = make_model(), _days(11, 11), _days(11, 18)
    before = _maturity(model, impressions, conversions).inputs
    shuffled = dict(data.draw(st.permutations(list(conversions.items()))))
    assert _maturity(model, impressions, shuffled).inputs == before
    corrected = data.draw(st.sampled_from([impressions, conversions]))
    corrected[data.draw(st.sampled_from(sorted(corrected)))] = "corrected"
    assert _maturity(model, impressions, conversions).inputs != before
