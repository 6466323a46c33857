"""What pytest finds here by itself, in the tests of any project. Light: each pytest loads it."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

#: Tests run more notebooks than one.
_MANY = 100

if TYPE_CHECKING:
    from ml_assets.project.project import Project
    from ml_assets.testing.run_notebook import RunNotebook


@pytest.fixture(scope="session")
def ml_assets_project(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> "Project":
    """The project that is tested: the one that pytest runs in."""
    from ml_assets.project.project import Project

    return Project(tmp_path_factory.mktemp("home"), pytestconfig.rootpath)


@pytest.fixture
def run_notebook(ml_assets_project: "Project", tmp_path: Path) -> "RunNotebook":
    """Runs a notebook of the project on given frames; see `testing.run_notebook.RunNotebook`.

    Kernels are forked from a process that imports once, for all tests of a worker, what notebooks import.
    """
    from ml_assets.notebooks.kernels.warm import kernels_of
    from ml_assets.testing.run_notebook import RunNotebook

    return RunNotebook(ml_assets_project, tmp_path / "notebooks", partial(kernels_of, _MANY))
