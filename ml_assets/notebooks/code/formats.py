"""Reads the file of a notebook, of each format from 4.0 on that Jupyter, Colab and VS Code write.

Light: the code location imports this. What the cells say, and their ids, is the matter of `cells`.
"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode

_MAJOR = 4
#: The last one whose cells have no ids: those of a file may be missing or wrong, and are made anew.
_WITHOUT_IDS = 4
#: Halves of a character, which JSON can name and no file in UTF-8 can hold.
_HALVES = re.compile("[\ud800-\udfff]")

#: Of a kernel and of its language.
_NAMES = ("name", "display_name", "language")
_KERNEL = {"name": "python3", "display_name": "Python 3"}


class FormatError(ValueError):
    """A file is no notebook of format 4. The message says what it is instead, and what to do."""


def parse(text: str) -> dict[str, Any]:
    """The JSON of a notebook. Raises: FormatError."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"it is no JSON: {error}") from None
    match content:
        case {"nbformat": 4, "cells": list(cells)}:
            content = {"metadata": {}, "nbformat_minor": 0} | content
            _check_metadata(content["metadata"])
            for number, cell in enumerate(cells, 1):
                _check_cell(cell, number)
            return content
        case {"nbformat": int(major)} if major != _MAJOR:
            raise FormatError(f"it is of format {major}; upgrade it: jupyter nbconvert --to notebook --inplace FILE")
    raise FormatError("it lacks `nbformat` or `cells`")


def _check_metadata(metadata: Any) -> None:
    match metadata:
        case dict():
            for key in ("kernelspec", "language_info"):
                of = metadata.get(key, {})
                if not isinstance(of, dict) or not all(isinstance(of.get(name, ""), str) for name in _NAMES):
                    raise FormatError(f"its `metadata` have a `{key}` that is none")
        case _:
            raise FormatError("its `metadata` are no keys with values")


def _check_cell(cell: Any, number: int) -> None:
    match cell:
        case {"cell_type": str(), "metadata": dict(metadata), "source": str() | list() as source}:
            tags = metadata.get("tags", [])
            if not isinstance(tags, list) or not all(isinstance(one, str) for one in (*source, *tags)):
                raise FormatError(f"cell {number} has a `source` or `tags` that are no text")
        case _:
            raise FormatError(f"cell {number} lacks `cell_type`, `metadata` or `source`")
    if half := _HALVES.search("".join(source)):
        raise FormatError(f"cell {number} holds U+{ord(half[0]):04X}, half of a character; write its escape")


def reads(text: str, *, upgrade: bool = False) -> "NotebookNode":
    """The notebook that a file holds, with such ids as it has: nbformat's usual reader would make some up.

    Args: `upgrade`: convert one of a format before 4.
    Raises: FormatError.
    """
    import nbformat

    try:
        if upgrade and nbformat.reader.get_version(json.loads(text))[0] < _MAJOR:
            notebook = nbformat.reads(text, as_version=_MAJOR)
        else:
            notebook = nbformat.v4.to_notebook_json(parse(text))
        for cell in notebook.cells:
            if cell.cell_type == "code":
                # Tools that strip outputs leave these out, too.
                cell.setdefault("outputs", [])
                cell.setdefault("execution_count", None)
        if "kernelspec" in notebook.metadata:
            # Jupyter opens it without these, and a run takes a kernel of its own.
            notebook.metadata["kernelspec"] = _KERNEL | notebook.metadata["kernelspec"]
        minor = min(notebook.nbformat_minor, _WITHOUT_IDS)
        nbformat.validate(notebook, version=_MAJOR, version_minor=minor, relax_add_props=True)
    except (ValueError, AttributeError, TypeError, nbformat.ValidationError) as error:
        raise FormatError(str(error).strip().partition("\n")[0]) from None
    return notebook


def read_notebook(path: Path, *, upgrade: bool = False) -> "NotebookNode":
    """The notebook of a file in the newest format, so that each cell has an id. Args and raises: see `reads`."""
    from ml_assets.notebooks.code.cells import Cell, ids_of

    notebook = reads(path.read_text(encoding="utf-8"), upgrade=upgrade)
    ids = ids_of([Cell.of(cell) for cell in notebook.cells], dict(enumerate(notebook.cells)))
    for cell, id_ in zip(notebook.cells, ids, strict=True):
        cell["id"] = id_
    notebook.nbformat_minor = max(notebook.nbformat_minor, _WITHOUT_IDS + 1)
    return notebook
