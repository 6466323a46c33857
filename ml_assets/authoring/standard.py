"""Copies standard notebooks into a project, which are then its own, to be changed."""

from collections.abc import Sequence
from pathlib import Path

from ml_assets.notebooks.code.standard import STANDARD, standard_folder
from ml_assets.whole_files import write_whole


class CopyError(ValueError):
    """A notebook cannot be copied. The message says which file is in the way; nothing was written."""


def copy_standard(root: Path, steps: Sequence[str]) -> list[Path]:
    """Copy the notebooks of some steps, both halves, to notebooks/standard of a project.

    Returns: what was written, from the project's root.
    Raises: CopyError when one is there already.
    """
    paths = [STANDARD / f"{step}{suffix}" for step in steps for suffix in (".ipynb", ".py")]
    if there := [path for path in paths if (root / path).exists()]:
        raise CopyError(f"{root / there[0]} is there already, and would be overwritten")
    (root / STANDARD).mkdir(parents=True, exist_ok=True)
    for path in paths:
        write_whole(root / path, (standard_folder() / path.name).read_text(encoding="utf-8"))
    return paths
