"""Notebooks of every format that is about are read alike, and of what is none one is told what it is."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from papermill.iorw import load_notebook_node, write_ipynb

from ml_assets.notebooks.code.formats import FormatError, parse, read_notebook, reads
from ml_assets.notebooks.running.run import Notebook, NotebookError

#: What Colab leaves (4.0), VS Code (4.2), JupyterLab before and after cells had ids.
MINORS = [0, 1, 2, 3, 4, 5]


def cell(source: str | list[str], **changes: Any) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None} | changes


def text_of(*cells: dict[str, Any], **changes: Any) -> str:
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | changes)


def in_format(minor: int) -> str:
    ids = [{"id": f"cell-{number}"} if minor >= 5 else {} for number in range(2)]
    return text_of(cell(["x = 1\n", "y"], **ids[0]), cell("z", metadata={"id": "Ab1"}, **ids[1]), nbformat_minor=minor)


@pytest.mark.parametrize("minor", MINORS)
def test_each_format_is_read_as_the_newest_in_the_same_way(minor: int, tmp_path: Path) -> None:
    path = tmp_path / "nb.ipynb"
    path.write_text(in_format(minor))
    notebook = read_notebook(path)
    assert [one.source for one in notebook.cells] == ["x = 1\ny", "z"]
    assert len({one.id for one in notebook.cells}) == 2
    assert [one["source"] for one in parse(in_format(minor))["cells"]] == [["x = 1\n", "y"], "z"]
    nbformat.validate(notebook)


@pytest.mark.parametrize(
    "cells",
    [
        [cell("x"), cell("x")],
        [cell("x", id="a"), cell("y", id="a")],
        [cell("x", id="a b"), cell("y", id="")],
        [{"cell_type": "code", "metadata": {}, "source": "x"}],
        [],
    ],
    ids=["none", "twice", "wrong", "stripped", "no cells"],
)
def test_ids_and_outputs_that_lack_or_are_wrong_are_made_without_a_warning(
    cells: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "nb.ipynb"
    path.write_text(text_of(*cells))
    notebook = read_notebook(path)
    nbformat.validate(notebook)
    # As a run hands it on.
    write_ipynb(notebook, str(path))
    assert [one.source for one in load_notebook_node(str(path)).cells] == [one["source"] for one in cells]


def test_ids_that_are_right_stay(tmp_path: Path) -> None:
    path = tmp_path / "nb.ipynb"
    path.write_text(text_of(cell("x", id="a"), cell("y", id="a"), cell("z", id="b")))
    first, second, third = (one.id for one in read_notebook(path).cells)
    assert (first, third) == ("a", "b")
    assert second not in {"a", "b"}


VERSION_3 = json.dumps(
    {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [
            {
                "metadata": {},
                "cells": [{"cell_type": "code", "input": ["x"], "language": "python", "metadata": {}, "outputs": []}],
            }
        ],
    }
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (VERSION_3, "it is of format 3; upgrade it: jupyter nbconvert --to notebook --inplace FILE"),
        (text_of(nbformat=5), "it is of format 5"),
        (text_of(cell("x = '\ud800'")), "cell 1 holds U+D800, half of a character; write its escape"),
        ("# %%", "it is no JSON: Expecting value"),
        ('{"cells": []}', "it lacks `nbformat` or `cells`"),
        ("[]", "it lacks `nbformat` or `cells`"),
        ("[" * 100_000, "it is no JSON: maximum recursion depth exceeded"),
        (text_of({"cell_type": "code", "metadata": {}}), "cell 1 lacks `cell_type`, `metadata` or `source`"),
        (text_of(cell("x"), "y"), "cell 2 lacks `cell_type`, `metadata` or `source`"),
        (text_of(cell([1])), "cell 1 has a `source` or `tags` that are no text"),
        (text_of(cell("x", metadata={"tags": None})), "cell 1 has a `source` or `tags` that are no text"),
        (text_of(metadata=[]), "its `metadata` are no keys with values"),
        (text_of(metadata={"kernelspec": "python3"}), "its `metadata` have a `kernelspec` that is none"),
        (text_of(metadata={"language_info": {"name": 3}}), "its `metadata` have a `language_info` that is none"),
    ],
    ids=[
        *("format 3", "a later one", "half a character", "a .py", "no format", "a list", "deep", "no source"),
        *("a cell of text", "a source of numbers", "no tags", "a list of metadata", "a kernel of text"),
        "a language of numbers",
    ],
)
def test_what_cannot_be_read_is_refused_alike_wherever_it_is_read(text: str, words: str) -> None:
    for read in (parse, reads):
        with pytest.raises(FormatError, match=re.escape(words)):
            read(text)


def test_a_notebook_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nb.ipynb"
    path.write_text(text_of(cell("x"), {"cell_type": "heading", "metadata": {}, "source": "x"}))
    with pytest.raises(NotebookError, match=re.escape(f"{path} is no Jupyter notebook (version 4): ")):
        Notebook.read(path, opening="")


def test_an_older_format_is_converted_where_that_is_asked_for() -> None:
    assert [one.source for one in reads(VERSION_3, upgrade=True).cells] == ["x"]
