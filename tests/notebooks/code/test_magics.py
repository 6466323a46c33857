"""Which magics are said to be unknown: none that may be known, or that is none."""

import os
import sys
from typing import Any

import pytest

from ml_assets.notebooks.code import magics
from ml_assets.notebooks.code.magics import unknown_magics


def notebook(*sources: str) -> dict[str, Any]:
    return {"cells": [{"cell_type": "code", "source": source} for source in sources]}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("%no_such 1", "%no_such"),
        ("x = %no_such", "%no_such"),
        ("if x:\n    %no_such", "%no_such"),
        ("%%no_such\n1", "%%no_such"),
    ],
)
def test_an_unknown_one_is_named_with_its_cell(source: str, name: str) -> None:
    assert list(unknown_magics(notebook("1", source))) == [f"cell 2: there is no magic {name}"]


@pytest.mark.parametrize(
    "source",
    [
        "%time 1",
        "%matplotlib inline\n%pip list\n!ls\n?x",
        "%%bash\n%no_such",
        "%%html\n<p>",
        'query = """\n%no_such\n"""',
        "rate = total\\\n%no_such",
        "# %no_such",
        "x = (",
        "%load_ext sql\n%no_such",
        "get_ipython().register_magic_function(f, magic_name='no_such')\n%no_such",
    ],
)
def test_what_is_known_or_none_or_made_by_the_notebook_is_not(source: str) -> None:
    assert list(unknown_magics(notebook(source))) == []


def test_what_is_no_code_has_none() -> None:
    assert list(unknown_magics({"cells": [{"cell_type": "markdown", "source": "%no_such"}]})) == []


def test_asking_for_magics_changes_nothing_here() -> None:
    before, main = dict(os.environ), sys.modules["__main__"]
    magics._known.cache_clear()
    assert list(unknown_magics(notebook("%no_such")))
    assert (dict(os.environ), sys.modules["__main__"]) == (before, main)
