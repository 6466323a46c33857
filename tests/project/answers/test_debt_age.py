"""For how long something is owed, in words."""

from datetime import timedelta

import pytest

from ml_assets.project.answers.debt import describe_age


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(days=3, hours=4, minutes=59), "3d 4h"),
        (timedelta(days=30), "30d 0h"),
        (timedelta(hours=9), "9h 0m"),
        (timedelta(minutes=25, seconds=59), "25m"),
        (timedelta(0), "0m"),
    ],
)
def test_an_age_is_told_by_its_two_largest_units(age: timedelta, words: str) -> None:
    assert describe_age(age) == words
