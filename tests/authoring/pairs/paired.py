"""The text of a pair, and how a person changes a half or commits both."""

import json
import subprocess
from pathlib import Path

from ml_assets.authoring.pairs import Pair

TEXT = "# %% [markdown]\n# # Title\n\n# %%\nx = 1\n\n# %%\ny = 2\n"


def git(folder: Path, *arguments: str) -> None:
    author = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *author, *arguments], check=True, capture_output=True)


def commit(pair: Pair) -> None:
    git(pair.py.parent, "add", pair.py.name, pair.ipynb.name)
    git(pair.py.parent, "commit", "--quiet", "-m", "a pair")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def ids(path: Path) -> list[str]:
    return [cell["id"] for cell in json.loads(path.read_text())["cells"]]


def change(path: Path, number: int, **fields: object) -> None:
    """Set fields of a cell, or remove those that are None."""
    notebook = json.loads(path.read_text())
    cell = notebook["cells"][number - 1]
    cell.update(fields)
    for name in [name for name, value in fields.items() if value is None]:
        del cell[name]
    path.write_text(json.dumps(notebook))
