"""Source without comments and blank lines, and the modules of a project that it imports."""

import ast
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_assets.notebooks.code.source import imported_modules, read_source
from tests.support.projects import REPOSITORY

Project = Callable[..., Path]


def text(source: str) -> str:
    return read_source(source).text


@pytest.mark.parametrize(
    ("source", "bare"),
    [
        ("a = 1  # one\n\n# two\nb = 2   \n", "a = 1\nb = 2"),
        ("if a:\n    # why\n\n    b()\n\t\n", "if a:\n    b()"),
        ("a = [  # many\n    1,  # one\n\n    # two\n]", "a = [\n    1,\n]"),
        ("#!/usr/bin/env python\n# -*- coding: utf-8 -*-\na()", "a()"),
        ("a()\r\n# b\r\nc()\r\n", "a()\nc()"),
        ("ä = 'größer'  # ü\n", "ä = 'größer'"),
        ("# only a comment", ""),
        ("  \n\n", ""),
    ],
)
def test_comments_blank_lines_and_trailing_space_are_cut(source: str, bare: str) -> None:
    assert text(source) == bare


@pytest.mark.parametrize(
    "source",
    [
        "a = '# no comment'",
        'a = "it\'s # none"',
        'a = """\n# none\n\n   \ntail   \n"""',
        "a = f'{b} # none'",
        'a = f"""\n# none\n\n{b}   \n\n"""',
        "a = r'''\n\\\n#\n'''.join(b)",
        "a = b'#'",
    ],
)
def test_strings_that_look_like_comments_or_blank_lines_are_kept(source: str) -> None:
    assert text(source) == source
    assert text(f"{source}  # a comment\n\n") == source


def test_what_follows_a_long_string_is_cut_as_elsewhere() -> None:
    assert text('a("""\n#\n\n""")   # b\n\n# c\nd') == 'a("""\n#\n\n""")\nd'


@pytest.mark.parametrize(
    ("source", "bare"),
    [
        ("%matplotlib inline\n\n# b\na()  # c", "%matplotlib inline\na()"),
        ("!ls # of the shell\n# b\na()", "!ls # of the shell\na()"),
        ("%%time\n\na()  # c\n", "%%time\na()"),
        ("files = !ls\n\na()  # c", "files = !ls\na()"),
        ("frame.head?\n# b", "frame.head?"),
        ("?frame\n# b", "?frame"),
        ("if a:\n    %time b()\n    # c", "if a:\n    %time b()"),
    ],
)
def test_magics_of_ipython_are_kept_among_code(source: str, bare: str) -> None:
    assert text(source) == bare


@pytest.mark.parametrize(
    "source",
    [
        "%%bash\n# ls\nls",
        "%%sql\nselect 1 -- # one\n\nfrom a",
        "def f(:  # what\n\n    pass",
        "a = (1,  # b",
        "a\0b",
        "'''#",
    ],
)
def test_a_cell_that_is_not_python_counts_as_it_is(source: str) -> None:
    assert text(f"\n{source}  \n") == source
    assert read_source(f"{source}\nimport os").names == frozenset()


@pytest.mark.parametrize("folder", ["ml_assets/domain", "ml_assets/data", "ml_assets/cli", "tests/domain"])
def test_what_is_cut_is_never_code(folder: str) -> None:
    for path in (REPOSITORY / folder).glob("*.py"):
        source = path.read_text(encoding="utf-8")
        bare = text(source)
        assert ast.dump(ast.parse(bare)) == ast.dump(ast.parse(source)), path
        assert text(bare) == bare, path


STATEMENTS = [
    "a = 1",
    "b = '# text'",
    'c = """\n# text\n\n  end  \n"""',
    "if a:\n    b()\nelse:\n    c()",
    "d = [\n    1,\n    2,\n]",
    "def f(x):\n    return f'{x}#'",
    "%matplotlib inline",
]


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, str]:
    """Some statements, and the same with comments and blank lines between them and after their lines."""
    statements = draw(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=6))
    words = st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=("Cs",)), max_size=12)
    noise = st.lists(st.one_of(st.sampled_from(["", "   ", "\t"]), words.map("#{}".format)), max_size=3)
    lines: list[str] = []
    for statement in statements:
        lines += draw(noise)
        lines.append(statement + draw(st.sampled_from(["", "  ", "  # why", "#"])) * (statement[0] != "%"))
    return "\n".join(statements), "\n".join([*lines, *draw(noise)])


@given(edited())
def test_comments_and_blank_lines_between_statements_never_change_a_text(sources: tuple[str, str]) -> None:
    plain, noisy = sources
    assert text(noisy) == text(plain) == plain


@given(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=6), st.data())
def test_another_token_always_changes_a_text(statements: list[str], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(statements) - 1))
    others = [other for other in STATEMENTS if other != statements[index]]
    changed = [*statements]
    changed[index] = data.draw(st.sampled_from(others))
    assert text("\n".join(changed)) != text("\n".join(statements))


@given(st.text(max_size=60))
def test_any_text_at_all_is_read_without_an_error(source: str) -> None:
    read_source(source)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    def write(**modules: str) -> Path:
        """A project with modules: `a__b` is the file a/b.py."""
        root = tmp_path / "project"
        for name, source in modules.items():
            file = root / f"{name.replace('__', '/').replace('/init', '/__init__')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source, encoding="utf-8")
        (root / "notebooks" / "ads").mkdir(parents=True, exist_ok=True)
        return root

    return write


def imported(root: Path, source: str) -> dict[str, str]:
    return imported_modules([read_source(source)], root=root, beside=root / "notebooks" / "ads")[0]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import team.helper", {"team", "team.helper"}),
        ("import team.helper as h, os", {"team", "team.helper"}),
        ("from team import helper", {"team", "team.helper"}),
        ("from team.helper import f", {"team", "team.helper"}),
        ("from team import *", {"team"}),
        ("def f():\n    if a:\n        from team import helper", {"team", "team.helper"}),
        (
            "try:\n    import team.helper\nexcept ImportError:\n    import team.other",
            {"team", "team.helper", "team.other"},
        ),
        ("match a:\n    case 1:\n        import team", {"team"}),
        ("with a:\n    async def f():\n        import team", {"team"}),
        ("class A:\n    import team", {"team"}),
        ("%load_ext autoreload\nimport team  # b", {"team"}),
        ("import pandas, os.path\nfrom collections.abc import Mapping", set()),
        ("from . import team", set()),
        ("import team.missing", {"team"}),
        ("'import team'  # import team", set()),
    ],
)
def test_imports_are_found_wherever_they_stand(source: str, names: set[str], project: Project) -> None:
    root = project(team__init="a = 1", team__helper="b = 1", team__other="c = 1")
    assert set(imported(root, source)) == names


@pytest.mark.parametrize("test", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_imports_for_type_checkers_do_not_count_and_those_beside_them_do(test: str, project: Project) -> None:
    root = project(helper="a = 1", other="b = 1")
    assert set(imported(root, f"if {test}:\n    import helper\nelse:\n    import other")) == {"other"}


def test_helpers_of_helpers_count_by_relative_imports_too(project: Project) -> None:
    root = project(
        team__init="from team.first import a",
        team__first="def f():\n    from . import second",
        team__second="from .deep.third import x",
        team__deep__init="from ..fourth import y",
        team__deep__third="from ...beyond import z",
        team__fourth="y = 1",
        team__unused="",
        beyond="z = 1",
    )
    names = {"team", "team.first", "team.second", "team.deep", "team.deep.third", "team.fourth"}
    assert set(imported(root, "import team")) == names


def test_modules_that_import_each_other_are_read_once(project: Project) -> None:
    root = project(first="import second", second="import first\nimport second")
    assert set(imported(root, "import first")) == {"first", "second"}


def test_what_lies_beside_the_notebook_comes_first(project: Project) -> None:
    root = project(helper="a = 1", notebooks__ads__helper="b = 1", notebooks__shared__tools="c = 1")
    beside = imported(root, "import helper")["helper"]
    assert imported(root, "import notebooks.ads.helper")["notebooks.ads.helper"] == beside
    assert set(imported(root, "from notebooks.shared import tools")) == {"notebooks.shared.tools"}
    (root / "notebooks" / "ads" / "helper.py").unlink()
    assert imported(root, "import helper")["helper"] != beside


def test_a_folder_without_modules_hides_no_module(project: Project) -> None:
    root = project(data="a = 1", notebooks__ads__data__table="")
    (root / "notebooks" / "ads" / "data" / "table.py").unlink()
    assert set(imported(root, "import data")) == {"data"}


def test_an_empty_file_of_a_package_counts_as_none(project: Project) -> None:
    root = project(team__helper="a = 1")
    before = imported(root, "import team.helper")
    project(team__init="# the team's\n")
    assert imported(root, "import team.helper") == before


def test_a_module_that_is_edited_is_read_again(project: Project) -> None:
    versions = [
        imported(project(helper=source), "import helper")["helper"] for source in ("a = 1", "a = 22", "a = 1  # b")
    ]
    assert versions[0] == versions[2] != versions[1]


def test_a_module_is_parsed_once_while_it_stays_as_it_is(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project(helper="a = 'parsed once'")
    parsed: list[str] = []
    parse = ast.parse
    monkeypatch.setattr(ast, "parse", lambda source: parsed.append(source) or parse(source))
    source = read_source("import helper")
    for _ in range(3):
        imported_modules([source], root=root, beside=root)
    assert parsed == ["import helper", "a = 'parsed once'"]


@pytest.mark.parametrize("content", [b"def f(:\n", b"# coding: klingon\na", b"a = '\xff'\n", b"\0"])
def test_a_module_that_cannot_be_parsed_counts_as_it_is(content: bytes, project: Project) -> None:
    root = project()
    found = []
    for more in (b"", b"# b\n"):
        (root / "helper.py").write_bytes(content + more)
        os.utime(root / "helper.py", ns=(1, len(more) + 1))
        found.append(imported(root, "import helper"))
    assert found[0]["helper"] != found[1]["helper"]


def test_an_encoding_that_a_module_declares_is_obeyed(project: Project) -> None:
    root = project()
    (root / "first.py").write_bytes("# coding: latin-1\na = 'ä'".encode("latin-1"))
    (root / "second.py").write_bytes("\ufeffa = 'ä'".encode())
    versions = imported(root, "import first, second")
    assert versions["first"] == versions["second"]
