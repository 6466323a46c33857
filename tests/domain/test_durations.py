"""How lengths of time are written, and how long they are."""

from datetime import timedelta

import pytest

from ml_assets.domain.durations import Duration, parse_duration
from ml_assets.domain.errors import SpecError


@pytest.mark.parametrize(
    ("text", "elapsed"),
    [
        ("1m", timedelta(seconds=60)),
        ("90m", timedelta(hours=1, minutes=30)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(hours=168)),
        ("2w", timedelta(days=14)),
    ],
)
def test_a_duration_is_a_number_and_a_unit_and_is_written_as_it_was_read(text: str, elapsed: timedelta) -> None:
    duration = parse_duration(text, key="evaluation.horizons")
    assert duration.elapsed == elapsed
    assert str(duration) == text


@pytest.mark.parametrize(
    "text", ["", "7", "d", "7 d", "7D", "7d ", " 7d", "-7d", "1.5h", "7days", "1d12h", "7y", 7, None]
)
def test_anything_else_is_refused_with_what_would_be_right(text: object) -> None:
    with pytest.raises(SpecError) as refusal:
        parse_duration(text, key="training.window", zero=True)
    assert refusal.value.key == "training.window"
    assert refusal.value.value == text
    assert "such as 7d or 12h" in refusal.value.expected


def test_nothing_is_a_duration_only_where_it_is_allowed() -> None:
    assert parse_duration("0d", key="training.gap", zero=True).elapsed == timedelta(0)
    with pytest.raises(SpecError, match=r"evaluation.window: '0d' is not accepted"):
        parse_duration("0d", key="evaluation.window")


def test_equal_lengths_in_other_units_are_not_the_same_duration() -> None:
    week, days = Duration(1, "w"), Duration(7, "d")
    assert week.elapsed == days.elapsed
    assert week != days


@pytest.mark.parametrize("text", ["36526d", "5218w", "876601h", "99999999999d", "999999999999999999m"])
def test_a_duration_that_no_calendar_holds_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match=rf"^window: '{text}' is not accepted; write at most 36525d"):
        parse_duration(text, key="window")


def test_digits_are_those_of_ascii() -> None:
    with pytest.raises(SpecError, match="write a whole number and a unit"):
        parse_duration("\u0667d", key="window")
