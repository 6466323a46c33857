"""How large the rooms are: `python -m tests.support.sizes` prints modules and lines by room, of the package and of tests."""

from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.support.projects import REPOSITORY

#: The most lines of a file, and modules of a room.
LINES, MODULES = 300, 12
#: Rooms with more modules, and why.
LARGER = {
    "ml_assets": "its modules have nothing in common but that all rooms may use them",
    "ml_assets/metrics": "one file for each metric",
}


def lines_of(top: str) -> dict[Path, dict[Path, int]]:
    """How many lines each file of Python below a folder has, by its folder."""
    found: dict[Path, dict[Path, int]] = {}
    for path in sorted((REPOSITORY / top).rglob("*.py")):
        file = path.relative_to(REPOSITORY)
        found.setdefault(file.parent, {})[file] = len(path.read_text(encoding="utf-8").splitlines())
    return found


def modules_of(room: dict[Path, int]) -> dict[Path, int]:
    """The modules of a room beside its first, which says what belongs in it."""
    return {file: lines for file, lines in room.items() if file.name != "__init__.py"}


def main() -> None:
    """Print the rooms."""
    table = Table(title=f"at most {LINES} lines a file, {MODULES} modules a room of the package")
    for heading in ("room", "modules", "median lines", "most lines", "in"):
        table.add_column(heading, justify="left" if heading in ("room", "in") else "right")
    for top in ("ml_assets", "tests"):
        for folder, room in lines_of(top).items():
            if modules := modules_of(room):
                largest = max(modules, key=modules.__getitem__)
                row = (len(modules), f"{median(modules.values()):.0f}", modules[largest])
                table.add_row(folder.as_posix(), *map(str, row), largest.name)
        every = [lines for room in lines_of(top).values() for lines in modules_of(room).values()]
        table.add_row(f"all of {top}", str(len(every)), f"{median(every):.0f}", str(max(every)), style="bold")
        table.add_section()
    Console(width=None if Console().is_terminal else 120).print(table)


if __name__ == "__main__":
    main()
