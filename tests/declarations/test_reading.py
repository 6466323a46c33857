"""Text stays text, and a template gives what it says."""

from typing import Any

import dagster as dg
import pytest

from ml_assets.declarations.reading import rendered
from ml_assets.domain.errors import SpecError

TEXTS = (
    *("", "28d", "ads/cvr", "2026-01-01", "10", " 10", "1_000", "1.5", "0b1", "0x1F", "1e5", "None", "True", "true"),
    *("1,2", "[1, 2]", "(1,)", "'a'", '"""', "-3", "a\nb\n", "10\n", "100%", "a # b", "}}", "%}", "x#}", "{", "{a: 1}"),
)
NAMES = {"name": "cvr", "number": 7, "text": "7", "none": None, "days": [1, "2"], "low": float("-inf")}
TEMPLATES: tuple[tuple[str, object], ...] = (
    ("{{ 1 + 1 }}", 2),
    ("{{ '10' }}", "10"),
    ("{{ 1.5 }}", 1.5),
    ("{{ number }}", 7),
    ("{{ text }}", "7"),
    ("{{- none -}}", None),
    ("{{ days }}", [1, "2"]),
    ("{{ low }}", float("-inf")),
    ("{{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
    ("a{{ name }}", "acvr"),
    ("{{ number }}{{ number }}", "77"),
    ("{{ number }}d", "7d"),
    (" {{ number }}", " 7"),
    ("{{ number }}\n", "7\n"),
    ("{% if number %}1{% endif %}", "1"),
    ("{# nothing #}x", "x"),
)


def read(value: Any) -> Any:
    return rendered(dg.ResolutionContext.default().with_scope(**NAMES).at_path("attributes").at_path("config"), value)


@pytest.mark.parametrize("text", TEXTS)
def test_text_without_a_template_stays_as_it_is(text: str) -> None:
    assert read({"one": [text, {"two": text}]}) == {"one": [text, {"two": text}]}


@pytest.mark.parametrize(("text", "expected"), TEMPLATES)
def test_a_template_of_one_expression_is_its_value_and_any_other_is_text(text: str, expected: object) -> None:
    found = read([text])[0]
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize("value", [3, 1.5, True, None, float("inf")])
def test_what_is_no_text_stays_as_it_is(value: object) -> None:
    assert read({"a": value}) == {"a": value}


@pytest.mark.parametrize(
    "text", ["{{ nothing }}", "a{{ nothing }}", "{{ days[5].x }}", "{{ 1 / 0 }}", "{{", "{% if %}"]
)
def test_a_template_that_cannot_be_rendered_is_refused_by_its_place(text: str) -> None:
    with pytest.raises(SpecError, match=r"^config\.a\.0: .* is not accepted; a text without braces, or a template"):
        read({"a": [text]})
