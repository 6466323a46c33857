"""Equal reasons are told once, by the first of them."""

import pytest

from ml_assets.project.answers.causes import by_the_first, general


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ValueError: no gradient in 2026-03-04", "ValueError: no gradient in 2026-03-05"),
        (
            "ads/a 2026-01-01..2026-01-03, ads/b 2026-01-01",
            "ads/a 2026-01-02, 2026-01-07, ads/b 2026-01-02..2026-01-05",
        ),
        ("shop/a 2026-01-02-05:00+0100", "shop/a 2026-01-02-06:00+0100..2026-01-02-09:00+0100"),
        ("LeakError: 7 of 300 rows", "LeakError: 12 of 1,300 rows"),
    ],
)
def test_reasons_that_differ_in_partitions_and_numbers_are_equal(one: str, other: str) -> None:
    assert general(one) == general(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("shop/visits 2026-01-01", "shop/visits 2026-01-01, shop/orders 2026-01-01"),
        ("shop/order/metrics_1d failed", "shop/order/metrics_7d failed"),
        ("ValueError: no gradient", "ValueError: no rows"),
    ],
)
def test_reasons_that_differ_in_more_are_not(one: str, other: str) -> None:
    assert general(one) != general(other)


def test_one_reason_stands_for_all_and_of_several_the_first_is_told_with_its_partition() -> None:
    assert by_the_first([("2026-03-03", "no rows"), ("2026-03-04", "no rows")]) == "no rows"
    assert by_the_first([("2026-03-03", "7 rows"), ("2026-03-04", "9 rows")]) == "2026-03-03: 7 rows"
