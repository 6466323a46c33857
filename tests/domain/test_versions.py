"""When digests are equal, and when they differ."""

from datetime import date
from itertools import combinations

from ml_assets.domain.versions import digest


def test_a_digest_is_sixteen_hexadecimal_digits_that_never_change() -> None:
    # A digest is recorded and compared years later: what this line says may not change.
    assert digest("events", {"ads/impressions": {"2026-01-01": "a"}}) == "99549144c39a16b3"


def test_the_order_of_a_mapping_does_not_count_and_the_order_of_a_list_does() -> None:
    assert digest({"a": 1, "b": {"c": 2, "d": 3}}) == digest({"b": {"d": 3, "c": 2}, "a": 1})
    assert digest(["a", "b"]) != digest(["b", "a"])


def test_different_parts_have_different_digests() -> None:
    different = [
        (),
        ("",),
        ("a",),
        ("a", "b"),
        ("ab",),
        (("a", "b"),),
        ({"a": "b"},),
        (1,),
        ("1",),
        (None,),
        ("null",),
        (0,),
    ]
    for one, other in combinations(different, 2):
        assert digest(*one) != digest(*other)


def test_what_json_does_not_know_counts_by_its_text() -> None:
    assert digest(date(2026, 1, 1)) == digest("2026-01-01")
