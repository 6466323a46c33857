"""Of any notebook and any edit: the halves say the same, and cells keep their ids."""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.authoring.pairs import Pair, PairError, bring_into_step, find_problems
from ml_assets.authoring.percent import to_ipynb, to_text
from ml_assets.notebooks.code.cells import Cell
from tests.authoring.pairs.paired import ids

# What people type, and what could be mistaken for the format's own lines.
LINES = st.sampled_from(
    ["", "x = 1", "  y", "# %%", "# a", "%matplotlib inline", "!ls", '"""', "é", "# ---", "%%bash", "-" * 3]
    + ['text = """\na\n# %%\nb"""', "\tx", "a\rb", "a\r\nb", "\x00", "\ufeff"]
    # What ends a line for `str.splitlines`, and what no file can hold.
    + [f"x = 'a{odd}b'" for odd in "\v\f\x1c\x1d\x1e\x85\u2028\u2029\ud800"]
)


CELLS = st.lists(
    st.builds(
        Cell,
        kind=st.sampled_from(["code", "markdown", "raw"]),
        source=st.lists(LINES, max_size=4).map("\n".join),
        tags=st.lists(st.sampled_from(["parameters", "a b", "é"]), unique=True, max_size=2).map(tuple),
    ),
    max_size=6,
)  # fmt: skip


SOURCES = st.lists(st.sampled_from(["a = 1", "b = 2", "c = 3", "d = 4"]), min_size=1, max_size=8)


def notebook_of(cells: list[Cell]) -> nbformat.NotebookNode:
    made = [
        getattr(nbformat.v4, f"new_{kind}_cell")(source, metadata={"tags": list(tags)}) for kind, source, tags in cells
    ]
    return nbformat.v4.new_notebook(cells=made)


def text_of(sources: list[str]) -> str:
    return "\n".join(f"# %%\n{source}\n" for source in sources)


def ids_of(ipynb: str) -> list[str]:
    return [cell["id"] for cell in json.loads(ipynb)["cells"]]


@settings(max_examples=100)
@given(cells=CELLS)
def test_any_notebook_is_brought_into_step_with_all_cells_as_they_were_or_left_alone(cells: list[Cell]) -> None:
    with TemporaryDirectory() as folder:
        pair = Pair(Path(folder) / "nb.py", Path(folder) / "nb.ipynb")
        pair.ipynb.write_text(json.dumps(notebook_of(cells)))
        before = pair.ipynb.read_bytes()
        try:
            bring_into_step(pair)
        except PairError as error:
            named = re.match(rf"{pair.ipynb}: (cell \d+ \(`|is no Jupyter notebook .* cell \d+ holds U\+D)", str(error))
            assert named
            assert (pair.ipynb.read_bytes(), pair.py.exists(), pair.agreed.exists()) == (before, False, False)
            return
        assert find_problems(pair) == []
        assert bring_into_step(pair) == []
        assert len(set(ids(pair.ipynb))) == len(ids(pair.ipynb))
        written = nbformat.read(pair.ipynb, as_version=4)
        assert [plain(Cell.of(cell)) for cell in written.cells] == [plain(cell) for cell in cells]
        # The other half alone says the same.
        pair.ipynb.unlink()
        bring_into_step(pair)
        again = nbformat.read(pair.ipynb, as_version=4)
        assert [Cell.of(cell) for cell in again.cells] == [Cell.of(cell) for cell in written.cells]


def plain(cell: Cell) -> Cell:
    """A cell without what means nothing to Python, and a .py cannot hold: the kind of line ends, and space at its end."""
    return cell._replace(source=cell.source.replace("\r\n", "\n").replace("\r", "\n").rstrip())


@given(sources=SOURCES, data=st.data())
def test_editing_one_cell_leaves_all_ids_as_they_were(sources: list[str], data: st.DataObject) -> None:
    old = to_ipynb(text_of(sources))
    place = data.draw(st.integers(0, len(sources) - 1))
    edited = [*sources]
    edited[place] = data.draw(st.sampled_from([*sources, "e = 5"]))
    assert ids_of(to_ipynb(text_of(edited), nbformat.reads(old, as_version=4))) == ids_of(old)


@given(sources=SOURCES, data=st.data())
def test_inserting_one_cell_leaves_the_other_ids_as_they_were(sources: list[str], data: st.DataObject) -> None:
    old = to_ipynb(text_of(sources))
    place = data.draw(st.integers(0, len(sources)))
    inserted = to_ipynb(text_of([*sources[:place], "e = 5", *sources[place:]]), nbformat.reads(old, as_version=4))
    found = ids_of(inserted)
    assert [*found[:place], *found[place + 1 :]] == ids_of(old)
    assert len(set(found)) == len(found)


@settings(max_examples=50)
@given(cells=CELLS)
def test_two_people_write_the_same_notebook_from_one_text(cells: list[Cell]) -> None:
    text = to_text(notebook_of(cells))
    assert to_ipynb(text) == to_ipynb(text)
