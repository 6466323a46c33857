"""Commands of the pages: each is executed by a test or cannot be; all name what there is, options and paths, too."""

import re
import shlex
import subprocess
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from dagster._cli import create_dagster_cli
from dagster_dg_cli.cli import create_dg_cli

from docs_site.components import components
from ml_assets.cli.main import main
from tests.docs.executed import CANNOT, ELSEWHERE, ON_A_HOME, OPTIONS_OF_OTHERS
from tests.support.pages import BLOCKS, PAGES, Block, name_of, spans
from tests.support.projects import REPOSITORY

LANGUAGES = {"console", "bash", "yaml", "python", "diff", "mermaid", "text"}
TYPED = [block for block in BLOCKS if block.language in ("console", "bash")]
SPANS = [(name_of(page), line, text) for page in PAGES for line, text in spans(page)]
PROGRAM = re.compile(r"(?:\.venv/bin/)?(ml-assets|dg|dagster)(?= |$)")
#: What is code in sentences, and all that may be a command, with where it stands.
SENTENCES = [(f"{page}:{line}", text) for page, line, text in SPANS]
COMMANDS = [(str(block), line) for block in TYPED for line in block.commands] + SENTENCES
GROUPS = {"ml-assets": main, "dg": create_dg_cli(), "dagster": create_dagster_cli()}
#: Of the files that pages name, and which of these a person or a command writes.
ENDINGS = "py|ya?ml|md|ipynb|env|toml|target|service"
WRITTEN = {"ml_assets/harmless.yaml", "notebooks/harmless.yaml", "notebooks/shop_order/model.ipynb"}
TARGETS = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
VARIABLES = set(re.findall(r"^([A-Z_]+) [?:]?=", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def plain(command: str) -> str:
    return re.sub(r"(^|\s)\.venv/bin/(?=ml-assets|dg )", r"\1", command)


#: Options of `ml-assets` itself.
OF_ALL = {option for one in main.params for option in one.opts}


def test_each_block_says_what_it_holds() -> None:
    assert [str(block) for block in BLOCKS if block.language not in LANGUAGES] == []


@pytest.mark.parametrize("block", TYPED, ids=str)
def test_each_command_is_executed_by_a_test_or_cannot_be(block: Block) -> None:
    if {(block.page, ""), (block.page, block.heading)} & {*ELSEWHERE}:
        return
    known = {*ON_A_HOME, *(command for commands in CANNOT.values() for command in commands)}
    missing = [command for command in block.commands if plain(command) not in known and command not in known]
    assert missing == [], f"{block}: execute it in tests/docs, or say in tests/docs/executed.py why that cannot be"


def test_what_is_said_of_commands_is_said_of_those_that_the_pages_have() -> None:
    typed = {one for block in TYPED for command in block.commands for one in (command, plain(command))}
    assert {*ON_A_HOME} - typed == set()
    assert [command for commands in CANNOT.values() for command in commands if command not in typed] == []
    places = {place for block in TYPED for place in ((block.page, ""), (block.page, block.heading))}
    assert {*ELSEWHERE} - places == set()
    for (page, heading), test in ELSEWHERE.items():
        text = (REPOSITORY / test).read_text(encoding="utf-8")
        assert (f'"{heading}"' if heading else page) in text


@pytest.mark.parametrize("block", TYPED, ids=str)
def test_each_block_of_commands_is_a_script(block: Block) -> None:
    subprocess.run(["bash", "-n"], input="\n".join(block.commands), text=True, check=True, capture_output=True)


def _split(text: str) -> list[str]:
    """The words of a command of a page: what may be left out is there, and the rest of a line is another command."""
    text = re.sub(r"[\[\]]", "", text)
    return shlex.split(re.split(r" (?:&&|;|\|)(?: |$)", text)[0].replace("…", "X"), comments=True)


@pytest.mark.parametrize(
    ("place", "command"), [(place, text) for place, text in COMMANDS if PROGRAM.match(text)], ids=lambda one: one[:60]
)
def test_each_command_line_of_the_programs_is_one_that_they_take(
    place: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    program, *words = _split(plain(command))
    found, context = GROUPS[program], click.Context(GROUPS[program], info_name=program)
    while isinstance(found, click.Group) and words:
        if context.command_path == "dg scaffold defs":
            assert words[0].removeprefix("ml_assets.") in components(), f"{place}: there is no component {words[0]}"
            return
        name = words.pop(0)
        if name in OF_ALL:
            return
        below = found.get_command(context, name)
        assert below is not None, f"{place}: {program} has no command {name}"
        found = below
        context = click.Context(found, info_name=name, parent=context)
    if isinstance(found, click.Group):
        return
    try:
        found.make_context(found.name, words, parent=context.parent)
    except (click.MissingParameter, click.BadOptionUsage):
        assert (place, command) in SENTENCES, f"{place}: {command} lacks what it needs"


def test_each_option_that_a_sentence_names_is_one_of_a_command() -> None:
    ours = {option for command in main.commands.values() for one in command.params for option in one.opts} | OF_ALL
    named = {(f"{page}:{line}", text.split()[0]) for page, line, text in SPANS if re.match(r"--\w", text)}
    assert {(place, option) for place, option in named if option not in ours | {*OPTIONS_OF_OTHERS}} == set()
    assert {*OPTIONS_OF_OTHERS} - {option for _, option in named} == set()


def test_each_make_names_a_target_and_variables_of_the_makefile() -> None:
    wrong = []
    for place, text in COMMANDS:
        before, make, after = text.partition("make ")
        if make and re.fullmatch(r"(\w+=\S+ )*", before):
            words = [word for word in after.split(" && ")[0].split() if not word.startswith(("-", "/"))]
            given = {word.partition("=")[0] for word in [*before.split(), *words] if "=" in word}
            targets = {word for word in words if "=" not in word}
            if not (targets or given) or targets - TARGETS or given - VARIABLES:
                wrong.append(f"{place}: {text}")
    assert wrong == []


def test_each_module_that_python_is_told_to_run_is_there() -> None:
    told = [
        (place, found) for place, text in COMMANDS for found in re.findall(r"\bpython -m ([\w.]+)(?: (\w+))?", text)
    ]
    assert {"benchmarks", "pytest"} <= {module for _, (module, _) in told}
    for place, (module, argument) in told:
        if module != "module":
            assert find_spec(module), f"{place}: there is no module {module}"
        if module == "benchmarks" and argument:
            assert find_spec(f"benchmarks.{argument}"), f"{place}: there is no benchmark {argument}"


def test_each_file_of_the_repository_that_a_page_names_is_there() -> None:
    roots = (REPOSITORY, REPOSITORY / "ml_assets")
    folders = sorted({one.name for root in roots for one in root.iterdir() if one.is_dir() and one.name[0] not in "._"})
    file = re.compile(rf"(?:/opt/ml-assets/|(?<![\w/.~>-]))((?:{'|'.join(folders)})/[\w./*-]*\w\.(?:{ENDINGS}))\b")
    named = [(place, name) for place, text in COMMANDS for name in file.findall(text)]
    assert {"deploy/dagster.yaml", "ml_assets/variables.py"} <= {name for _, name in named}
    there = {name for _, name in named if any(any(root.glob(name)) for root in roots)}
    assert [f"{place}: {name}" for place, name in named if name not in there | WRITTEN] == []


def test_each_name_of_the_package_that_a_page_says_is_there() -> None:
    wrong = []
    for page in PAGES:
        for name in re.findall(r"(?<!/)\bml_assets(?:\.[A-Za-z_]+)+(?![\w/])", page.read_text(encoding="utf-8")):
            module, _, last = name.rpartition(".")
            if name != "ml_assets.json" and not hasattr(import_module(module), last) and find_spec(name) is None:
                wrong.append(f"{name_of(page)}: {name}")
    assert wrong == []
