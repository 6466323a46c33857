"""A value is rendered as Dagster renders it, only sooner."""

from typing import Any

import dagster as dg
import pytest

from ml_assets.components.reading import _rendered

PLAIN = (
    "",
    "28d",
    "ads/cvr",
    "2026-01-01",
    "10",
    " 10",
    "1_000",
    "1.5",
    "0b1",
    "None",
    "True",
    "true",
    "[1, 2]",
    "'a'",
)
ODD = (
    "a\nb\n",
    "10\n",
    "100%",
    "#",
    "a # b",
    "}}",
    "%}",
    "a}",
    "ünder",
    "\t1",
    "1\x00",
    "-3",
    "(1,)",
    '"""',
    "\\n",
    "x#}",
)
TEMPLATES = ("{{ 1 + 1 }}", "a{{ name }}", "{% if true %}1{% endif %}", "{# nothing #}x", "{", "{a: 1}")


@pytest.mark.parametrize("text", [*PLAIN, *ODD, *TEMPLATES])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_value_is_rendered_as_dagster_renders_it(text: str, wrapped: bool) -> None:
    context = dg.ResolutionContext.default().with_scope(name="cvr")
    value: Any = {"one": [text, {"two": text}], "three": 3, "four": None, "five": (text,)} if wrapped else text
    expected = context.resolve_value(value)
    found = _rendered(context, value)
    assert (found, type(found)) == (expected, type(expected))
