"""Whole projects in a temporary folder, as a team would have them, and the real daemon on them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jupytext
import pandas as pd

from ml_assets.cli.daemon import daemon, wait_until_settled
from ml_assets.cli.home import prepare_home
from ml_assets.cli.project import Project
from ml_assets.orchestration.sensors import Tick

REPOSITORY = Path(__file__).parents[2]
_DEFINITIONS = """
from pathlib import Path

import dagster as dg

from ml_assets.definitions import build_definitions


@dg.definitions
def defs():
    return build_definitions(dg.ComponentTree.for_project(Path(__file__).parents[1]))
"""
_BEGINNING = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% tags=["parameters"]
import dagstermill

context = dagstermill.get_context()

# %%
from ml_assets.notebooks.step import Step

step = Step.of(context)

"""


@dataclass(frozen=True)
class TeamProject:
    """A project of its own, with the standard notebooks, in `root`; its state is in `home`."""

    root: Path
    package: str

    @classmethod
    def make(cls, root: Path, package: str, defs: dict[str, str]) -> "TeamProject":
        """Write a project: `defs` holds the text of each defs.yaml by its folder below `defs/`."""
        root.mkdir(parents=True, exist_ok=True)
        (root / "pyproject.toml").write_text(
            f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{package}"\n', encoding="utf-8"
        )
        for folder, text in defs.items():
            path = root / package / "defs" / folder / "defs.yaml"
            path.parent.mkdir(parents=True)
            path.write_text(text, encoding="utf-8")
        (root / package / "__init__.py").touch()
        (root / package / "definitions.py").write_text(_DEFINITIONS, encoding="utf-8")
        shutil.copytree(REPOSITORY / "notebooks", root / "notebooks")
        project = cls(root, package)
        prepare_home(project.home)
        # Kernels, runs and this process find the package here.
        sys.path.insert(0, str(root))
        os.environ["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
        return project

    @property
    def home(self) -> Path:
        """The home folder."""
        return self.root / "home"

    @property
    def project(self) -> Project:
        """The project as the command line sees it."""
        return Project(self.home, self.root)

    @property
    def location(self) -> list[str]:
        """The code location on Dagster's command line."""
        return ["-m", f"{self.package}.definitions"]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command on this project."""
        return {**os.environ, "DAGSTER_HOME": str(self.home)}

    def write_partition(self, location: str, key: str, frame: pd.DataFrame, *, marker: bool = True) -> Path:
        """Let an event partition arrive."""
        folder = self.home / "events" / location / f"date={key}"
        folder.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(folder / "part-0.parquet", index=False)
        if marker:
            (folder / "_SUCCESS").touch()
        return folder

    def write_notebook(self, path: str, cells: str) -> None:
        """Write a notebook of the team's own, whose cells `cells` begin with `# %%`; its step is `step`."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        jupytext.write(jupytext.reads(_BEGINNING + cells, fmt="py:percent"), self.root / path)

    @contextmanager
    def daemon(self) -> Iterator["TeamProject"]:
        """Run the real daemon meanwhile."""
        with daemon(self.project.instance, self.location, project_root=self.root):
            yield self

    def settle(self, service: str, *, seconds: float = 600) -> Tick:
        """Wait until nothing is due or running; the daemon must be running."""
        project = self.project
        return wait_until_settled(
            project.instance, lambda: project.look([service]), on_look=lambda _: None, seconds=seconds
        )

    def command(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run an installed command, such as `dagster`, on this project."""
        return subprocess.run(
            [str(Path(sys.executable).with_name(name)), *arguments],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
