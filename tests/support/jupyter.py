"""A fresh kernel that runs a notebook as JupyterLab does: from top to bottom, unedited, in the notebook's folder."""

import os
import re
from pathlib import Path
from unittest.mock import patch

import nbformat
from nbclient import NotebookClient

from ml_assets.data.artifacts.store import load_artifact
from ml_assets.notebooks.kernels.provisioner import warm_kernels
from ml_assets.orchestration.recorded.lineage import current_runs
from ml_assets.project.project import Project
from tests.support import forks


def run_in_jupyter(path: Path, home: Path) -> nbformat.NotebookNode:
    """The executed notebook, whose kernel has the home folder in its environment."""
    notebook = nbformat.read(path, as_version=4)
    # Cold, it would import the same; JupyterLab's own kernel is a matter of test_lab.
    with patch.dict(os.environ, DAGSTER_HOME=str(home)), warm_kernels(forks.address()):
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    return notebook


def asset_of(notebook: Path) -> str:
    """The asset that its parameters cell opens."""
    cells = nbformat.read(notebook, as_version=4).cells
    (source,) = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    (asset,) = re.findall(r'context_of\("([^"]+)"\)', source)
    return asset


def assert_same_as_under_dagster(path: Path, project: Project) -> None:
    """In Jupyter a notebook makes what it made under Dagster of the same partition, and nothing is recorded."""
    asset, runs = asset_of(path), project.instance.get_runs_count()
    notebook = run_in_jupyter(path, project.home)
    (scratch,) = (project.home / "scratch" / asset).iterdir()
    made = project.store.load(asset, scratch.name, current_runs(project.instance, asset)[scratch.name])
    tried = load_artifact(scratch / "artifact")
    assert tried.data_version == made.data_version
    assert tried.manifest["files"] == made.manifest["files"]
    assert f"data version {made.data_version}" in str(notebook)
    assert project.instance.get_runs_count() == runs
