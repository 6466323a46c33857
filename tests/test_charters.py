"""The first module of each room says what belongs in it, and holds nothing else."""

import ast
from pathlib import Path

import pytest

import ml_assets

PACKAGE = Path(ml_assets.__file__).parent
#: The one that names the components for Dagster, and theirs; data alone.
NAMING, DATA = (".", "components"), ("defs",)
ROOMS = sorted(path.parent.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("__init__.py"))


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in (".", *DATA)])
def test_a_room_says_what_belongs_in_it(room: str) -> None:
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))
    charter = ast.get_docstring(tree) or ""
    assert "\n\nBelongs here: " in charter
    # Imports of a room would load all of it, and its words would count in code versions.
    assert len(tree.body) == 1 or room in NAMING
