"""What keeps a notebook from ever being run: refused where it is declared, and named by `ml-assets pair --check`.

Whatever kernel it names, a notebook is run by the project's Python. Light: the code location imports this.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_assets.notebooks.code.formats import FormatError, parse

_PYTHON = re.compile(r"i?python\d*", re.IGNORECASE)


def other_language(metadata: Mapping[str, Any]) -> str | None:
    """The language of a notebook, where its metadata name another than Python."""
    kernel, info = (metadata.get(key) or {} for key in ("kernelspec", "language_info"))
    language = kernel.get("language") or info.get("name")
    return None if language is None or _PYTHON.fullmatch(language) else language


def must_be(content: Mapping[str, Any]) -> str | None:
    """What a notebook must be that it is not, with what to do. Args: `content`: of an .ipynb."""
    language = other_language(content["metadata"])
    if language is None:
        return None
    return (
        f"a notebook in Python; its kernel is of {language}: write it in Python, and choose a kernel of Python in "
        "JupyterLab (Kernel, Change Kernel)"
    )


def find_obstacles(path: Path) -> list[str]:
    """What keeps the notebook of a file from being run, as lines for a person; none where it is no notebook at all."""
    from ml_assets.notebooks.code.magics import unknown_magics

    try:
        content = parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, FormatError):
        return []
    right = must_be(content)
    found = [f"it must be {right}"] if right else unknown_magics(content)
    return [f"{path}: cannot be run: {one}" for one in found]
