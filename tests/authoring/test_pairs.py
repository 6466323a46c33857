"""Each notebook and its .py are one text, and no notebook in git holds outputs."""

import json
import os
import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.authoring.pairs import (
    Pair,
    PairError,
    bring_into_step,
    changed_half,
    find_pairs,
    find_problems,
    find_unstaged,
)
from ml_assets.authoring.percent import to_ipynb, to_text
from ml_assets.notebooks.code.cells import Cell
from tests.support.projects import REPOSITORY

TEXT = "# %% [markdown]\n# # Title\n\n# %%\nx = 1\n\n# %%\ny = 2\n"


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A pair in step, that git does not know."""
    made = Pair(tmp_path / "nb.py", tmp_path / "nb.ipynb")
    made.py.write_text(TEXT)
    bring_into_step(made)
    return made


@pytest.fixture
def committed(pair: Pair) -> Pair:
    """A pair in step and in git, without a memory of its own, as in a fresh clone."""
    pair.agreed.unlink()
    git(pair.py.parent, "init", "--quiet")
    commit(pair)
    return pair


def git(folder: Path, *arguments: str) -> None:
    author = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *author, *arguments], check=True, capture_output=True)


def commit(pair: Pair) -> None:
    git(pair.py.parent, "add", pair.py.name, pair.ipynb.name)
    git(pair.py.parent, "commit", "--quiet", "-m", "a pair")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def ids(path: Path) -> list[str]:
    return [cell["id"] for cell in json.loads(path.read_text())["cells"]]


def change(path: Path, number: int, **fields: object) -> None:
    """Set fields of a cell, or remove those that are None."""
    notebook = json.loads(path.read_text())
    cell = notebook["cells"][number - 1]
    cell.update(fields)
    for name in [name for name, value in fields.items() if value is None]:
        del cell[name]
    path.write_text(json.dumps(notebook))


def test_the_notebooks_of_this_repository_are_in_pairs_and_in_step() -> None:
    found = find_pairs([REPOSITORY / "notebooks"])
    assert found
    assert [problem for pair in found for problem in find_problems(pair)] == []


def test_a_missing_half_is_written_from_the_other(pair: Pair) -> None:
    before = [half.read_bytes() for half in pair]
    for half in pair:
        half.unlink()
        [problem] = find_problems(pair)
        assert problem.startswith(f"{half}: is missing")
        assert bring_into_step(pair) != []
    pair.ipynb.unlink()
    bring_into_step(pair)
    assert [pair.ipynb.read_bytes(), bring_into_step(pair)] == [before[1], []]


def test_what_is_in_step_is_not_touched(pair: Pair) -> None:
    before = [(half.stat().st_mtime_ns, half.stat().st_ino) for half in (*pair, pair.agreed)]
    assert bring_into_step(pair) == []
    assert [(half.stat().st_mtime_ns, half.stat().st_ino) for half in (*pair, pair.agreed)] == before


def test_a_file_keeps_its_mode(pair: Pair) -> None:
    pair.ipynb.chmod(0o640)
    edit(pair.py, "y = 2", "y = 3")
    bring_into_step(pair)
    assert pair.ipynb.stat().st_mode & 0o777 == 0o640


def test_cells_that_differ_are_named_with_their_number_and_first_line(pair: Pair) -> None:
    pair.py.write_text('# %%\nnew = 0\n\n# %% [markdown]\n# # Title\n\n# %% tags=["a"]\nx = 1\n\n# %%\ny = 3\n')
    change(pair.ipynb, 1, source="# Title\n")
    edit(pair.ipynb, "Title", "Other")
    assert find_problems(pair) == [
        f"{pair.py}: cell 1 (`new = 0`) differs from cell 1 (`# Other`) of nb.ipynb in kind and source",
        f"{pair.py}: cell 2 (`# Title`) differs from cell 2 (`x = 1`) of nb.ipynb in kind and source",
        f"{pair.py}: cell 3 (`x = 1`) differs from cell 3 (`y = 2`) of nb.ipynb in source and tags",
        f"{pair.py}: cell 4 (`y = 3`) is not in nb.ipynb",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TEXT.replace("y = 2", "y = 3"), "{py}: cell 3 (`y = 3`) differs from cell 3 (`y = 2`) of nb.ipynb in source"),
        (TEXT.replace("# %%\ny", '# %% tags=["a"]\ny'), "{py}: cell 3 (`y = 2`) differs from cell 3 (`y = 2`) of nb.ipynb in tags"),
        (TEXT + "\n# %%\nz = 3\n", "{py}: cell 4 (`z = 3`) is not in nb.ipynb"),
        (TEXT.replace("# %%\nx = 1\n\n", ""), "{ipynb}: cell 2 (`x = 1`) is not in nb.py"),
    ],
    ids=["edited", "tagged", "added", "removed"],
)  # fmt: skip
def test_one_change_is_one_problem(pair: Pair, text: str, expected: str) -> None:
    pair.py.write_text(text)
    assert find_problems(pair) == [expected.format(py=pair.py, ipynb=pair.ipynb)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}]}, "holds outputs"),
        ({"execution_count": 7}, "holds an execution count, 7"),
        ({"metadata": {"collapsed": True, "tags": []}}, "holds metadata: collapsed"),
        ({"id": None}, "has no id of letters, digits, - and _"),
        ({"id": "a b"}, "has no id of letters, digits, - and _"),
    ],
    ids=["outputs", "count", "metadata", "no id", "wrong id"],
)
def test_what_a_cell_must_not_hold_is_named_and_taken_out(pair: Pair, fields: dict[str, object], expected: str) -> None:
    before = pair.ipynb.read_bytes()
    change(pair.ipynb, 2, **fields)
    assert find_problems(pair) == [f"{pair.ipynb}: cell 2 (`x = 1`) {expected}"]
    assert bring_into_step(pair) == [f"cleaned {pair.ipynb}"]
    assert pair.ipynb.read_bytes() == before


def test_metadata_of_tools_is_named_and_taken_out(pair: Pair) -> None:
    before = pair.ipynb.read_bytes()
    notebook = json.loads(before)
    notebook["metadata"] |= {"papermill": {}, "language_info": {"name": "python"}, "jupytext": {}}
    pair.ipynb.write_text(json.dumps(notebook))
    assert find_problems(pair) == [f"{pair.ipynb}: holds metadata: language_info, papermill"]
    bring_into_step(pair)
    assert pair.ipynb.read_bytes() == before


def test_of_cells_with_one_id_the_first_keeps_it(pair: Pair) -> None:
    before = ids(pair.ipynb)
    first, *_ = before
    change(pair.ipynb, 3, id=first)
    assert [problem.split(") ")[1] for problem in find_problems(pair)] == [
        f"has the id {first}, as another cell has"
    ] * 2
    bring_into_step(pair)
    assert ids(pair.ipynb) == before


def test_an_edited_and_a_moved_cell_keep_their_ids(pair: Pair) -> None:
    title, x, y = ids(pair.ipynb)
    pair.py.write_text("# %%\nnew = 0\n\n# %%\ny = 2\n\n# %% [markdown]\n# # Title\n\n# %%\nx = 10\n")
    bring_into_step(pair)
    assert ids(pair.ipynb)[1:3] == [y, title]
    assert len({*ids(pair.ipynb), x}) >= 4


def test_pictures_in_markdown_stay_though_a_py_cannot_hold_them(pair: Pair) -> None:
    picture = {"a.png": {"image/png": "AAAA"}}
    change(pair.ipynb, 1, attachments=picture)
    edit(pair.py, "Title", "Picture")
    bring_into_step(pair)
    assert json.loads(pair.ipynb.read_text())["cells"][0]["attachments"] == picture


def test_the_kernel_is_kept_and_must_be_one(pair: Pair) -> None:
    edit(pair.ipynb, '"name": "python3"', '"name": "spark"')
    assert find_problems(pair) == [f"{pair.ipynb}: its kernel is 'spark'; that of nb.py is 'python3'"]
    assert bring_into_step(pair) == [f"wrote {pair.py} from {pair.ipynb}"]
    assert "name: spark" in pair.py.read_text()


@pytest.mark.parametrize("edited", ["py", "ipynb"])
def test_the_half_that_differs_from_the_commit_wins_whatever_the_times_say(committed: Pair, edited: str) -> None:
    winner, loser = (committed.py, committed.ipynb) if edited == "py" else (committed.ipynb, committed.py)
    edit(winner, "y = 2", "y = 3")
    os.utime(winner, (0, 0))
    assert bring_into_step(committed) == [f"wrote {loser} from {winner}"]
    assert "y = 3" in loser.read_text()
    assert find_problems(committed) == []


def test_a_half_committed_alone_wins(committed: Pair) -> None:
    edit(committed.py, "y = 2", "y = 3")
    commit(committed)
    assert bring_into_step(committed) == [f"wrote {committed.ipynb} from {committed.py}"]


def test_one_half_may_be_edited_again_and_again_before_a_commit(committed: Pair) -> None:
    for number in (3, 4, 5):
        edit(committed.py, f"y = {number - 1}", f"y = {number}")
        assert bring_into_step(committed) == [f"wrote {committed.ipynb} from {committed.py}"]
    edit(committed.ipynb, "y = 5", "y = 6")
    assert bring_into_step(committed) == [f"wrote {committed.py} from {committed.ipynb}"]


@pytest.mark.parametrize("prefer", ["py", "ipynb"])
def test_two_different_edits_are_refused_until_a_person_chooses(committed: Pair, prefer: str) -> None:
    edit(committed.py, "y = 2", "y = 3")
    edit(committed.ipynb, "x = 1", "x = 0")
    before = [half.read_bytes() for half in committed]
    with pytest.raises(PairError, match=f"--from py {committed.py}, or --from ipynb"):
        bring_into_step(committed)
    assert [half.read_bytes() for half in committed] == before
    bring_into_step(committed, prefer)
    assert ("y = 3" in committed.ipynb.read_text(), "x = 0" in committed.py.read_text()) == (
        prefer == "py",
        prefer == "ipynb",
    )
    assert find_problems(committed) == []


def test_without_git_or_an_earlier_run_a_person_chooses(pair: Pair) -> None:
    pair.agreed.unlink()
    edit(pair.py, "y = 2", "y = 3")
    with pytest.raises(PairError, match="neither is as they last agreed"):
        bring_into_step(pair)


def test_a_space_that_a_py_cannot_hold_is_no_edit(committed: Pair) -> None:
    edit(committed.py, "y = 2", "y = 3")
    change(committed.ipynb, 3, source="y = 3\n")
    assert bring_into_step(committed) == [f"cleaned {committed.ipynb}"]
    assert find_problems(committed) == []


def test_an_ipynb_with_a_conflict_of_git_is_written_anew_with_the_ids_of_the_commit(committed: Pair) -> None:
    edit(committed.ipynb, ids(committed.ipynb)[1], "of-its-history")
    commit(committed)
    before = committed.ipynb.read_bytes()
    edit(committed.ipynb, "{", "<<<<<<< HEAD\n{")
    [problem] = find_problems(committed)
    assert problem.startswith(f"{committed.ipynb}: is no Jupyter notebook (version 4): ")
    assert problem.endswith(f"ml-assets pair --from py {committed.ipynb}")
    with pytest.raises(PairError, match="is no Jupyter notebook"):
        bring_into_step(committed)
    bring_into_step(committed, "py")
    assert committed.ipynb.read_bytes() == before


def test_git_is_asked_about_the_files_even_within_a_hook(committed: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "elsewhere/.git")
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/index")
    edit(committed.py, "y = 2", "y = 3")
    assert bring_into_step(committed) == [f"wrote {committed.ipynb} from {committed.py}"]
    assert find_unstaged(committed) == []


def test_a_half_that_git_does_not_know_is_named(committed: Pair) -> None:
    git(committed.py.parent, "rm", "--quiet", "--cached", "nb.ipynb")
    assert find_unstaged(committed) == [
        f"{committed.ipynb}: is not in git's index; add it with: git add {committed.ipynb}"
    ]


def test_a_title_that_a_notebook_would_lose_is_refused(pair: Pair) -> None:
    edit(pair.py, "# %%\ny", "# %% Load\ny")
    expected = f"{pair.py}: cell 3 (`y = 2`): its line `# %%` holds title 'Load', which a notebook would lose"
    assert find_problems(pair) == [expected]
    with pytest.raises(PairError, match="would lose"):
        bring_into_step(pair)


@pytest.mark.parametrize("odd", ["\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("half", ["py", "ipynb"])
def test_a_literal_that_would_be_torn_apart_is_named_and_neither_half_is_written(
    pair: Pair, half: str, odd: str
) -> None:
    escape = odd.encode("unicode_escape").decode()
    if half == "py":
        edit(pair.py, "y = 2", f"y = 'a{odd}b'")
        where = f"{pair.py}: line 8 holds"
    else:
        change(pair.ipynb, 3, source=f"y = 'a{odd}b'")
        where = f"{pair.ipynb}: cell 3 (`y = 'a{odd}b'`) holds"
    before = [file.read_bytes() for file in (*pair, pair.agreed)]
    named = f"{where} U+{ord(odd):04X}, at which a string would be torn apart; write its escape, {escape}"
    assert named in find_problems(pair)
    with pytest.raises(PairError, match=re.escape(named)):
        bring_into_step(pair)
    assert [file.read_bytes() for file in (*pair, pair.agreed)] == before


def test_a_literal_that_jupyterlab_tore_apart_in_the_py_is_kept_in_the_ipynb(pair: Pair) -> None:
    edit(pair.py, "y = 2", "y = 'a\nb'")
    change(pair.ipynb, 3, source="y = 'a\u2028b'")
    with pytest.raises(PairError, match=r"nb\.ipynb: cell 3 .* holds U\+2028"):
        bring_into_step(pair)
    assert "a\u2028b" in "".join(json.loads(pair.ipynb.read_text())["cells"][2]["source"])


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("y = 2\n\n# %%\nz = 3", r"from line 3 of the cell on \(`# %%`\)"),
        ('y = """', r'from line 1 of the cell on \(`y = """`\)'),
    ],
    ids=["marker", "open string"],
)
def test_a_cell_that_its_py_would_split_or_join_is_named(pair: Pair, source: str, line: str) -> None:
    change(pair.ipynb, 2, source=source)
    with pytest.raises(PairError, match=rf"nb\.ipynb: cell 2 \(`y = .*`\): its \.py would be read otherwise {line}"):
        bring_into_step(pair)
    assert bring_into_step(pair, "py") == [f"wrote {pair.ipynb} from {pair.py}"]


def test_a_py_that_begins_with_a_mark_of_its_encoding_is_read_as_without(pair: Pair) -> None:
    before = pair.ipynb.read_bytes()
    pair.py.write_text(f"\ufeff{pair.py.read_text()}")
    assert find_problems(pair) == []
    pair.ipynb.unlink()
    bring_into_step(pair)
    assert pair.ipynb.read_bytes() == before


@pytest.mark.parametrize("minor", range(5))
def test_a_notebook_of_an_older_format_is_paired_and_gets_ids(pair: Pair, minor: int) -> None:
    before = pair.ipynb.read_bytes()
    notebook = json.loads(before) | {"nbformat_minor": minor}
    for cell in notebook["cells"]:
        # As Colab writes it.
        cell["metadata"] = {"id": cell.pop("id")}
    pair.ipynb.write_text(json.dumps(notebook))
    assert bring_into_step(pair) == [f"cleaned {pair.ipynb}"]
    assert pair.ipynb.read_bytes() == before
    pair.py.unlink()
    pair.ipynb.write_text(json.dumps(notebook))
    bring_into_step(pair)
    nbformat.validate(json.loads(pair.ipynb.read_text()))
    assert pair.ipynb.read_bytes() == before


def test_modules_checkpoints_hidden_and_executed_notebooks_are_no_pairs(pair: Pair) -> None:
    folder = pair.py.parent
    for hidden in (".ipynb_checkpoints", ".cache", "executed"):
        (folder / hidden).mkdir(exist_ok=True)
        (folder / hidden / "a.py").write_text(TEXT)
    (folder / "module.py").write_text("x = 1\n")
    executed = nbformat.v4.new_notebook(metadata={"papermill": {"version": "2"}})
    nbformat.write(executed, folder / "run.ipynb")
    assert find_pairs([folder]) == [pair]
    assert find_pairs([folder / ".ipynb_checkpoints" / "a.py", pair.py, pair.ipynb]) == [pair]


@pytest.mark.parametrize(("name", "expected"), [("no.py", "there is no such file"), ("a.txt", "name a .py, an .ipynb")])
def test_a_path_that_is_no_notebook_is_refused(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(PairError, match=expected):
        find_pairs([tmp_path / name])


@pytest.mark.parametrize(
    ("py", "ipynb", "agreed", "expected"),
    [
        (1, 0, [0], "py"),
        (0, 1, [0], "ipynb"),
        (1, 2, [0], None),
        (1, 2, [], None),
        (2, 1, [0, 1], "py"),
        # Another answer of an older agreement does not count.
        (1, 0, [0, 1], "py"),
    ],
)
def test_the_half_that_changed_alone_is_the_newer(py: int, ipynb: int, agreed: list[int], expected: str | None) -> None:
    assert changed_half(py, ipynb, agreed) == expected


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
