"""The GraphQL that the Dagster UI itself asks, read out of the scripts that it is made of."""

import re
from functools import cache
from importlib.resources import files

_BEGINNING = re.compile(r"\b(?:query|fragment) (\w+)(?: on \w+)?\s*(?:\([^)]*\))? \{")


def ui_query(name: str) -> str:
    """A query of the UI with all fragments that it is made of."""
    found, wanted = list[str](), [name]
    for one in wanted:
        text = _documents()[one]
        found.append(text)
        wanted += [other for other in re.findall(r"\.\.\.(\w+)", text) if other not in wanted and other != "on"]
    return "\n".join(found)


@cache
def _documents() -> dict[str, str]:
    found = {}
    chunks = files("dagster_webserver").joinpath("webapp/build/_next/static/chunks")
    for script in (one for one in chunks.iterdir() if one.name.endswith(".js")):
        text = script.read_text(encoding="utf-8").replace("\\n", "\n")
        for match in _BEGINNING.finditer(text):
            found[match[1]] = text[match.start() : _end(text, match.end())]
    return found


def _end(text: str, start: int) -> int:
    """Where the brace before `start` is closed."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            return place + 1
    raise ValueError("a brace is not closed")
