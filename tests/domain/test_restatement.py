"""Which changes of an event partition count."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.durations import Duration
from ml_assets.domain.restatement import EventVersion, version_of

MakeLog = Callable[..., EventLog]
DAY = "2026-01-03"
END = datetime(2026, 1, 4, tzinfo=UTC)
WINDOW = timedelta(days=2)
FIRST = EventVersion("a", "a")


@pytest.fixture
def log(make_log: MakeLog) -> EventLog:
    return make_log(restatement=Duration(2, "d"))


def test_what_is_new_counts_however_late(log: EventLog) -> None:
    assert version_of(log, DAY, None, "a", as_of=END + 100 * WINDOW) == FIRST


@pytest.mark.parametrize(
    ("after", "accepted"), [(timedelta(0), "b"), (WINDOW - timedelta(microseconds=1), "b"), (WINDOW, "a")]
)
def test_a_change_counts_before_the_end_of_the_window(log: EventLog, after: timedelta, accepted: str) -> None:
    assert version_of(log, DAY, FIRST, "b", as_of=END + after) == EventVersion("b", accepted)


def test_without_a_window_every_change_counts(make_log: MakeLog) -> None:
    assert version_of(make_log(), DAY, FIRST, "b", as_of=END + 100 * WINDOW) == EventVersion("b", "b")


def test_what_was_judged_once_stays_so_while_the_content_does(log: EventLog) -> None:
    late = EventVersion("b", "a")
    assert late.late
    assert version_of(log, DAY, late, "b", as_of=END + 5 * WINDOW) == late
    changed_in_time = EventVersion("b", "b")
    assert not changed_in_time.late
    assert version_of(log, DAY, changed_in_time, "b", as_of=END + 2 * WINDOW) == changed_in_time


def test_what_was_late_counts_once_the_window_is_extended_or_taken_away(log: EventLog, make_log: MakeLog) -> None:
    late, as_of = EventVersion("b", "a"), END + WINDOW
    assert version_of(make_log(), DAY, late, "b", as_of=as_of) == EventVersion("b", "b")
    assert version_of(make_log(restatement=Duration(3, "d")), DAY, late, "b", as_of=as_of) == EventVersion("b", "b")


def test_one_late_change_after_another_leaves_what_counts(log: EventLog) -> None:
    assert version_of(log, DAY, EventVersion("b", "a"), "c", as_of=END + WINDOW) == EventVersion("c", "a")


def test_content_that_comes_back_late_is_as_if_nothing_had_changed(log: EventLog) -> None:
    assert version_of(log, DAY, EventVersion("b", "a"), "a", as_of=END + WINDOW) == FIRST


@pytest.mark.parametrize("version", [FIRST, EventVersion("b", "a")])
def test_a_version_is_read_as_it_was_written(version: EventVersion) -> None:
    assert EventVersion.parse(str(version)) == version
    assert (str(version) == version.present) == (not version.late)
