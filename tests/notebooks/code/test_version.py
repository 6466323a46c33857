"""The version of a notebook: its code, the configuration it reads and the helpers it imports, and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ml_assets.domain.errors import SpecError
from ml_assets.notebooks.code import version as code_module

Cell = dict[str, Any]
Write = Callable[..., Path]
CONFIG = {"features": ["device"], "trees": 50}


def code(source: str | list[str], **changes: Any) -> Cell:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None} | changes


def markdown(source: str) -> Cell:
    return {"cell_type": "markdown", "source": source, "metadata": {}}


PARAMETERS = code("context = dagstermill.get_context()", metadata={"tags": ["parameters"]})


@pytest.fixture
def written(tmp_path: Path) -> Write:
    def write(*cells: Cell, **changes: Any) -> Path:
        path = tmp_path / "model.ipynb"
        notebook = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | changes
        path.write_text(json.dumps(notebook), encoding="utf-8")
        return path

    return write


def notebook_version(notebook: Path, config: dict[str, Any]) -> str:
    """The version of a notebook that lies in its project's root."""
    return code_module.notebook_version(notebook, config, root=notebook.parent)


@pytest.fixture
def version(written: Write) -> str:
    """The version of a parameters cell and one more."""
    return notebook_version(written(PARAMETERS, code("train()")), CONFIG)


@pytest.mark.parametrize(
    "cells",
    [
        [PARAMETERS, code("train(1)")],
        [PARAMETERS, code("train()"), code("save()")],
        [PARAMETERS],
        [code("train()"), PARAMETERS],
        [PARAMETERS, code("if a:\n    train()")],
    ],
    ids=["another call", "a cell more", "a cell less", "another order", "an indent"],
)
def test_any_change_of_code_is_a_new_version(cells: list[Cell], version: str, written: Write) -> None:
    assert notebook_version(written(*cells), CONFIG) != version


@pytest.mark.parametrize("source", ["ab", "a\nb"])
def test_where_one_cell_ends_counts(source: str, written: Write) -> None:
    one = notebook_version(written(PARAMETERS, code(source)), CONFIG)
    assert one != notebook_version(written(PARAMETERS, code("a"), code("b")), CONFIG)


@pytest.mark.parametrize("config", [{}, CONFIG | {"trees": 51}, CONFIG | {"more": None}, CONFIG | {"trees": "50"}])
def test_another_configuration_is_a_new_version_of_what_reads_it(
    config: dict[str, Any], version: str, written: Write
) -> None:
    assert notebook_version(written(PARAMETERS, code("train()")), config) == version
    reading = written(PARAMETERS, code("train(Step.of(context).config)"))
    assert notebook_version(reading, config) != notebook_version(reading, CONFIG)


def test_of_a_configuration_that_is_read_by_name_the_other_keys_do_not_count(written: Write) -> None:
    reading = written(PARAMETERS, code("grow(Step.of(context).config['trees'])"))
    version = notebook_version(reading, CONFIG)
    assert notebook_version(reading, CONFIG | {"features": [], "more": None}) == version
    assert len({version, notebook_version(reading, CONFIG | {"trees": 51}), notebook_version(reading, {})}) == 3


def test_the_order_of_the_configuration_does_not_count(written: Write) -> None:
    backwards = dict(reversed(CONFIG.items()))
    reading = written(PARAMETERS, code("train(Step.of(context).config)"))
    assert notebook_version(reading, backwards) == notebook_version(reading, CONFIG)


@pytest.mark.parametrize(
    ("cells", "changes"),
    [
        ([markdown("# Model"), PARAMETERS, markdown("Trees."), code("train()")], {}),
        ([PARAMETERS, code("train()", outputs=[{"output_type": "stream", "text": "done"}], execution_count=3)], {}),
        ([PARAMETERS, code("train()", metadata={"tags": ["slow"], "collapsed": True}, id="a1")], {}),
        ([PARAMETERS, code(["train", "()", "\n"])], {}),
        ([PARAMETERS, code("# Trees.\n\ntrain()  # all of them\n\n")], {}),
        ([PARAMETERS, code("# Trees."), code("train()"), code("")], {}),
        ([PARAMETERS | {"source": "import helper\n\ncontext = None"}, code("train()")], {}),
        ([PARAMETERS, code("train()")], {"metadata": {"kernelspec": {"name": "python3"}}, "nbformat_minor": 4}),
    ],
    ids=[
        "markdown",
        "outputs",
        "cell metadata",
        "source as lines",
        "comments and blank lines",
        "cells without code",
        "what Dagster replaces",
        "notebook metadata",
    ],
)
def test_what_is_not_code_does_not_count(
    cells: list[Cell], changes: dict[str, Any], version: str, written: Write
) -> None:
    assert notebook_version(written(*cells, **changes), CONFIG) == version


def test_the_path_of_a_notebook_does_not_count(version: str, written: Write, tmp_path: Path) -> None:
    moved = written(PARAMETERS, code("train()")).rename(tmp_path / "other.ipynb")
    assert notebook_version(moved, CONFIG) == version


class Project:
    """A project whose notebook `notebooks/ads/model.ipynb` imports helpers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("team/trees.py", "from team import leaves\n\n\ndef grow():\n    return leaves.COUNT\n")
        self.write("team/leaves.py", "COUNT = 7\n")
        self.write("team/lazy.py", "DEPTH = 3\n")
        self.write("team/unused.py", "A = 1\n")
        self.write("notebooks/ads/beside.py", "B = 1\n")
        cells = [
            PARAMETERS,
            code("import beside\nimport json\nfrom team.trees import grow\nimport library"),
            code("def train():\n    from team import lazy\n    return lazy.DEPTH"),
        ]
        self.write("notebooks/ads/model.ipynb", json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    @property
    def version(self) -> str:
        return code_module.notebook_version(self.root / "notebooks/ads/model.ipynb", CONFIG, root=self.root)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.mark.parametrize("path", ["team/trees.py", "team/leaves.py", "team/lazy.py", "notebooks/ads/beside.py"])
def test_a_change_in_a_helper_is_a_new_version_and_a_comment_is_none(path: str, project: Project) -> None:
    version = project.version
    before = (project.root / path).read_text(encoding="utf-8")
    project.write(path, f"# Why.\n\n{before}\n\n# The end.\n")
    assert project.version == version
    project.write(path, f"{before}\nMORE = 1\n")
    assert project.version != version
    project.write(path, before)
    assert project.version == version


def test_a_package_below_src_is_the_project_s_too(project: Project) -> None:
    project.write("team/leaves.py", "from other.rows import COUNT\n")
    project.write("src/other/rows.py", "COUNT = 7\n")
    version = project.version
    project.write("src/other/rows.py", "COUNT = 8\n")
    assert project.version != version


def test_a_helper_that_is_renamed_or_removed_is_a_new_version(project: Project) -> None:
    version = project.version
    (project.root / "team/leaves.py").rename(project.root / "team/twigs.py")
    removed = project.version
    project.write("team/trees.py", "from team import twigs as leaves\n\n\ndef grow():\n    return leaves.COUNT\n")
    assert len({version, removed, project.version}) == 3


def test_a_module_that_no_notebook_imports_does_not_count(project: Project) -> None:
    version = project.version
    project.write("team/unused.py", "A = 2\n")
    project.write("tests/test_trees.py", "from team.trees import grow\n")
    assert project.version == version


def test_a_library_does_not_count_wherever_it_is_installed(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = project.version
    for folder in (tmp_path / "site-packages", project.root / ".venv/lib/python3.11/site-packages"):
        folder.mkdir(parents=True)
        (folder / "library.py").write_text("V = 1\n", encoding="utf-8")
        monkeypatch.syspath_prepend(folder)
    assert project.version == version


def test_a_checkout_elsewhere_has_the_same_version(project: Project, tmp_path: Path) -> None:
    assert Project(tmp_path / "another" / "checkout").version == project.version


def test_a_notebook_that_is_missing_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"gone\.ipynb.*the path of a notebook, from the project's root"):
        notebook_version(tmp_path / "gone.ipynb", CONFIG)


def test_a_folder_in_place_of_a_notebook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="the path of a notebook"):
        notebook_version(tmp_path, CONFIG)


@pytest.mark.parametrize(
    "content",
    [
        b"# %%\nprint()",
        b"",
        b"[]",
        b"{}",
        b'{"cells": 1}',
        b'{"cells": ["a"]}',
        b'{"cells": [{}]}',
        b"\xff\xfe",
        b"null",
    ],
    ids=repr,
)
def test_a_file_that_is_no_notebook_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.ipynb").write_bytes(content)
    with pytest.raises(SpecError, match="a Jupyter notebook"):
        notebook_version(tmp_path / "model.ipynb", CONFIG)


@pytest.mark.parametrize("minor", range(5))
def test_a_notebook_of_an_older_format_has_the_same_version(minor: int, version: str, written: Write) -> None:
    assert notebook_version(written(PARAMETERS, code("train()"), nbformat_minor=minor), CONFIG) == version


def test_a_notebook_of_format_3_is_told_how_to_be_upgraded(written: Write) -> None:
    with pytest.raises(SpecError, match=r"this file is none: it is of format 3; upgrade it: jupyter nbconvert --to"):
        notebook_version(written(nbformat=3, worksheets=[]), CONFIG)


@pytest.mark.parametrize("cells", [[], [code("train()")], [PARAMETERS, PARAMETERS]], ids=["none", "untagged", "twice"])
def test_a_notebook_needs_one_parameters_cell(cells: list[Cell], written: Write) -> None:
    found = sum("tags" in cell["metadata"] for cell in cells)
    right = r"""one code cell tagged `parameters`, which sets `context` \(for example `context = context_of\("ads/cvr/model"\)`\)"""
    with pytest.raises(SpecError, match=rf"{right}; it has {found}"):
        notebook_version(written(*cells), CONFIG)
