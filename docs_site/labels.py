"""Docstrings as the reference shows them: what is returned, raised and taken begins a paragraph of its own."""

import re
from typing import Any

import griffe

_LABEL = re.compile(r"\n+(Attributes|Args|Returns|Raises):")


class Labels(griffe.Extension):
    """Reads our docstrings, whose labels begin a line."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """A class, a function or a property has been read."""
        if obj.docstring is not None:
            obj.docstring.value = _LABEL.sub(r"\n\n**\1**:", obj.docstring.value)
