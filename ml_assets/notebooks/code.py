"""Which code a partition was made by: the version of its notebook, and the commit of the project."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_assets.domain.errors import SpecError
from ml_assets.domain.versions import digest


def notebook_version(notebook: Path, config: Mapping[str, Any], *, key: str = "notebooks") -> str:
    """A digest of the notebook's code cells and of the configuration it runs with.

    Markdown, outputs and cell metadata do not count.
    Args: `key` names the place in the specification for the error.
    Raises: SpecError when the file is missing, is no notebook, or has no cell tagged `parameters`.
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]).strip() for cell in cells if cell["cell_type"] == "code"]
        tags = [tag for cell in cells for tag in cell["metadata"].get("tags", ())]
    except (FileNotFoundError, IsADirectoryError):
        raise SpecError(key, str(notebook), "the path of a notebook, from the project's root") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SpecError(key, str(notebook), f"a Jupyter notebook (version 4); this file is none: {error}") from None
    if tags.count("parameters") != 1:
        raise SpecError(
            key,
            str(notebook),
            "a notebook with one cell tagged `parameters`, which sets `context = dagstermill.get_context()`; "
            f"it has {tags.count('parameters')}",
        )
    return digest(code, dict(config))


def git_commit(root: Path) -> str | None:
    """The commit of the project, with `+changes` when files differ from it; None outside of a git checkout."""
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return None
    return commit + ("+changes" if _git(root, "status", "--porcelain") else "")


def _git(root: Path, *arguments: str) -> str:
    try:
        result = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return result.stdout.strip()
