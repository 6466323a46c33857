"""A notebook as text: its .py in jupytext's percent format and its .ipynb, and what would not survive the way.

Which of two files wins is the matter of `pairs`; which cell became which, of `cells`.
"""

import re
from collections.abc import Iterator
from itertools import zip_longest

import jupytext  # type: ignore[import-untyped]
import nbformat
from nbformat import NotebookNode

from ml_assets.notebooks.code.cells import Cell, ids_of, same_cells

_FORMAT = "py:percent"
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_FILTERS = {"notebook_metadata_filter": "kernelspec,-all", "cell_metadata_filter": "tags,-all"}
#: What jupytext notes on a cell of a .py about how it is written.
_LAYOUT = re.compile(r"cell_marker|lines_to_\w+|(no)?skipline")
#: What ends a line for jupytext and not for Python: it would tear a string apart there.
_ENDS = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]")


def from_text(text: str) -> NotebookNode:
    """The notebook that a .py says."""
    return jupytext.reads(text.removeprefix("\ufeff"), fmt=_FORMAT)


def to_text(notebook: NotebookNode) -> str:
    """The .py of a notebook."""
    metadata = {"kernelspec": notebook.metadata.get("kernelspec", _KERNEL), "jupytext": _FILTERS}
    cells = [Cell.of(cell).node() for cell in notebook.cells]
    return jupytext.writes(nbformat.v4.new_notebook(cells=cells, metadata=metadata), fmt=_FORMAT)


def to_ipynb(text: str, old: NotebookNode | None = None) -> str:
    """The .ipynb of a .py: equal for all who write it from the same text and the same old notebook."""
    found = from_text(text)
    contents = [Cell.of(cell) for cell in found.cells]
    old_cells = old.cells if old is not None else []
    matches = {j: old_cells[i] for i, j in same_cells([Cell.of(cell) for cell in old_cells], contents)}
    cells = []
    for place, (content, id_) in enumerate(zip(contents, ids_of(contents, matches), strict=True)):
        cell = content.node(id=id_)
        # Pictures in Markdown, which a .py cannot hold.
        if content.kind != "code" and "attachments" in matches.get(place, ()):
            cell["attachments"] = matches[place]["attachments"]
        cells.append(cell)
    metadata = {"kernelspec": found.metadata.get("kernelspec", _KERNEL)}
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=metadata), version=4) + "\n"


def kernel_of(notebook: NotebookNode) -> str:
    """The name of its kernel."""
    return str(notebook.metadata.get("kernelspec", _KERNEL).get("name"))


def torn_lines(text: str) -> Iterator[str]:
    """The lines of a .py that would be others in its .ipynb."""
    for number, line in enumerate(text.split("\n"), 1):
        if found := _ENDS.search(line):
            yield f"line {number} {_holds(found[0])}"


def lost_by_ipynb(text: str) -> Iterator[str]:
    """What a .py holds that its .ipynb would not, each with its place."""
    yield from torn_lines(text)
    for number, cell in enumerate(from_text(text).cells, 1):
        for key, value in cell.metadata.items():
            if key != "tags" and not _LAYOUT.fullmatch(key):
                where = f"cell {number} ({Cell.of(cell)})"
                yield f"{where}: its line `# %%` holds {key} {value!r}, which a notebook would lose"


def lost_by_py(notebook: NotebookNode) -> Iterator[str]:
    """What a notebook holds that its .py would not, each with its place; of cells read otherwise, the first one."""
    cells = [Cell.of(cell) for cell in notebook.cells]
    torn = [(number, cell, found[0]) for number, cell in enumerate(cells, 1) if (found := _ENDS.search(cell.source))]
    yield from (f"cell {number} ({cell}) {_holds(character)}" for number, cell, character in torn)
    if torn:
        return
    back = [Cell.of(cell) for cell in from_text(to_text(notebook)).cells]
    for number, (cell, other) in enumerate(zip_longest(map(_plain, cells), map(_plain, back)), 1):
        if cell is not None and cell != other:
            line, shown = _first_difference(cell.source, other.source if other else "")
            yield (
                f"cell {number} ({cell}): its .py would be read otherwise from line {line} of the cell on (`{shown}`); "
                "split the cell there, or end its open string"
            )
            return


def _holds(character: str) -> str:
    escape = character.encode("unicode_escape").decode()
    return f"holds U+{ord(character):04X}, at which a string would be torn apart; write its escape, {escape}"


def _plain(cell: Cell) -> Cell:
    """The cell without what means nothing: Python reads all ends of lines alike, and a .py has no space at an end."""
    return cell._replace(source=re.sub("\r\n?", "\n", cell.source).rstrip())


def _first_difference(source: str, other: str) -> tuple[int, str]:
    """The line of a source from which on another differs, and what it says."""
    pairs = enumerate(zip(source, other, strict=False))
    same = next((place for place, (one, another) in pairs if one != another), min(len(source), len(other)))
    same += len(source[same:]) - len(source[same:].lstrip("\n"))
    line = source.count("\n", 0, same)
    return line + 1, source.split("\n")[line][:60]
