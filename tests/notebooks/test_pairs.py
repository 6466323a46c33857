"""Each notebook and its .py are one text, and no notebook in git holds outputs."""

from pathlib import Path

import jupytext
import nbformat
import pytest

from tests.support.projects import REPOSITORY

NOTEBOOKS = sorted((REPOSITORY / "notebooks").rglob("*.ipynb"))


def cells(path: Path) -> list[tuple[str, str, list[str]]]:
    notebook = jupytext.read(path)
    return [(cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells]


def test_every_text_has_its_notebook_and_every_notebook_its_text() -> None:
    texts = sorted((REPOSITORY / "notebooks").rglob("*.py"))
    assert NOTEBOOKS
    assert [path.with_suffix("") for path in texts] == [path.with_suffix("") for path in NOTEBOOKS]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_what_its_text_says(notebook: Path) -> None:
    assert cells(notebook) == cells(notebook.with_suffix(".py"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_no_outputs(notebook: Path) -> None:
    code = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    assert [(cell.outputs, cell.execution_count) for cell in code] == [([], None)] * len(code)
