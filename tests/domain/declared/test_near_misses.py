"""What somebody may have meant."""

from ml_assets.domain.declared.near_misses import suggestion, suggestions


def test_a_near_miss_is_named_and_nothing_for_a_name_that_is_near_to_none() -> None:
    assert suggestion("round", ["rounds"]) == " (did you mean 'rounds'?)"
    assert suggestion("zzz", ["rounds"]) == ""


def test_of_several_names_each_near_miss_is_named_once() -> None:
    assert suggestions(["devise", "devices", "zzz", "houre"], ["device", "hour", 7]) == (
        " (did you mean 'device', 'hour'?)"
    )
    assert suggestions([], ["device"]) == ""
