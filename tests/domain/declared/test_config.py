from datetime import date
from typing import Any

import pytest

from ml_assets.domain.declared.config import check_config
from ml_assets.domain.errors import SpecError


class Name(str):
    """A text of a kind of its own."""


def test_what_json_and_yaml_know_is_accepted() -> None:
    check_config({"a": None, "b": [1, -0.0, float("inf"), float("nan")], "c": {"d": "10", "": True}, "ü": "\0"})


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "config: None is not accepted; keys with values"),
        ([1], r"config: \[1\] is not accepted; keys with values"),
        ({1: 2}, 'config: {1: 2} is not accepted; keys that are text: write "1" in quotes'),
        ({"w": {None: 2}}, r"config\.w: {None: 2} is not accepted; keys that are text"),
        ({"w": [{True: 2}]}, r"config\.w\.0: {True: 2} is not accepted; keys that are text"),
        ({"day": date(2026, 3, 1)}, r"config\.day: .* is not accepted; a text, .*; it is a date"),
        ({"pair": (1, 2)}, r"config\.pair: \(1, 2\) is not accepted; .*; it is a tuple"),
        ({"all": {1, 2}}, "it is a set"),
        ({"raw": b"a"}, "it is a bytes"),
        ({"name": Name("a")}, "it is a Name"),
        ({"half": "\ud800"}, r"config\.half: .* is not accepted; whole characters"),
        ({"\ud800": 1}, "whole characters"),
    ],
)
def test_what_would_arrive_as_something_else_is_refused_by(config: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        check_config(config)
