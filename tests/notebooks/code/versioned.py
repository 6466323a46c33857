"""Of the tests of code versions: cells, a notebook that is written, a project."""

import json
import subprocess
from pathlib import Path
from typing import Any

from ml_assets.notebooks.code import version as code_module

Cell = dict[str, Any]


CONFIG = {"features": ["device"], "trees": 50}


def code(source: str | list[str], **changes: Any) -> Cell:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None} | changes


PARAMETERS = code("context = dagstermill.get_context()", metadata={"tags": ["parameters"]})


class Project:
    """A project whose notebook `notebooks/ads/model.ipynb` imports helpers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("team/trees.py", "from team import leaves\n\n\ndef grow():\n    return leaves.COUNT\n")
        self.write("team/leaves.py", "COUNT = 7\n")
        self.write("team/lazy.py", "DEPTH = 3\n")
        self.write("team/unused.py", "A = 1\n")
        self.write("notebooks/ads/beside.py", "B = 1\n")
        cells = [
            PARAMETERS,
            code("import beside\nimport json\nfrom team.trees import grow\nimport library"),
            code("def train():\n    from team import lazy\n    return lazy.DEPTH"),
        ]
        self.write("notebooks/ads/model.ipynb", json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    @property
    def version(self) -> str:
        return code_module.notebook_version(self.root / "notebooks/ads/model.ipynb", CONFIG, root=self.root)


def git(folder: Path, *arguments: str) -> str:
    person = ["-c", "user.name=A person", "-c", "user.email=person@example.org"]
    command = ["git", "-C", str(folder), *person, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
