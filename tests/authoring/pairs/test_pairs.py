"""Each notebook and its .py are one text, and no notebook in git holds outputs."""

import json
import re
from pathlib import Path

import nbformat
import pytest

from ml_assets.authoring.pairs import Pair, PairError, bring_into_step, find_pairs, find_problems
from tests.authoring.pairs.paired import TEXT, change, edit, ids
from tests.support.projects import REPOSITORY


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
