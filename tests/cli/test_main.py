"""How commands answer what is wrong."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from ml_assets.cli.main import Commands
from ml_assets.declarations.reading import DefsFileError
from ml_assets.project.faults import EXIT_CODE


@click.group(cls=Commands)
def commands() -> None:
    pass


@commands.command()
def load() -> None:
    try:
        raise DefsFileError("defs.yaml: attributes.training.window: 3 is not accepted")
    except DefsFileError as error:
        raise RuntimeError("a long story") from error


@commands.command()
def break_down() -> None:
    raise RuntimeError("a defect")


def test_a_wrong_file_is_answered_with_its_error_alone() -> None:
    result = CliRunner().invoke(commands, ["load"])
    assert result.exit_code == EXIT_CODE
    assert result.output == "Error: defs.yaml: attributes.training.window: 3 is not accepted\n"


def test_a_defect_keeps_its_stack() -> None:
    with pytest.raises(RuntimeError, match="a defect"):
        CliRunner().invoke(commands, ["break-down"], catch_exceptions=False)


def test_the_help_of_a_command_loads_no_more_than_the_command_line() -> None:
    heavy = "print(*{name.partition('.')[0] for name in sys.modules} & {'dagster', 'pandas', 'sqlalchemy'})"
    code = f"import atexit, sys\natexit.register(lambda: {heavy})\nfrom ml_assets.cli.main import main\nmain(['debt', '-h'])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.startswith("Usage: ")
    assert told.splitlines()[-1] == ""
