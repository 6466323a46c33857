"""The standard notebooks: they come with the package; a project has copies of those that it changes."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[2]
#: Where a project's own copies lie, and the path by which a declaration names either.
STANDARD = Path("notebooks", "standard")


def standard_folder() -> Path:
    """The folder of the notebooks that come with the package: in its wheel, or in its checkout."""
    installed = _PACKAGE / "standard"
    return installed if installed.is_dir() else _PACKAGE.parent / STANDARD


def find_notebook(root: Path, declared: str) -> Path:
    """The file of a notebook as a model declares it, which need not be there.

    Args: `root`: the project's folder; `declared`: the path from there. One below notebooks/standard/ that the project
    does not have is the package's.
    """
    path = Path(declared)
    own = root / path
    if path.parent == STANDARD and not own.exists():
        return standard_folder() / path.name
    return own
