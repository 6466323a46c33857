"""The project at hand: what it declares, and what is said of one that declares nothing, or of none."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ml_assets.authoring.init import InitError, write_project
from ml_assets.cli.main import main
from ml_assets.project.at_hand import DagsterProject, NoProjectError, UnreadProjectError, root_at_hand


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A project that was begun, and declares no model; its package has a name that no other test's has."""
    root = tmp_path / f"nothing-{abs(hash(request.node.name))}"
    write_project(root)
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "path", [str(root / "src"), *sys.path])
    return root


@pytest.mark.filterwarnings("ignore::dagster.PreviewWarning", "ignore::dagster.BetaWarning")
def test_a_project_without_a_model_is_told_how_to_get_one(empty: Path) -> None:
    CliRunner().invoke(main, ["home"])
    asked = CliRunner().invoke(main, ["plan", "all", "--home", str(empty / ".home")])
    assert asked.exit_code == 2
    assert "the project declares no model yet; `ml-assets new SERVICE/MODEL` adds one" in asked.output


def test_the_code_location_is_that_of_the_pyproject_or_the_one_that_dagster_expects(empty: Path) -> None:
    package = empty.name.replace("-", "_")
    assert DagsterProject.around(empty / "notebooks").definitions_module == f"{package}.definitions"
    file = empty / "pyproject.toml"
    named = f'root_module = "{package}"\ncode_location_target_module = "{package}.loaded"'
    file.write_text(file.read_text().replace(f'root_module = "{package}"', named))
    assert DagsterProject.around(empty).definitions_module == f"{package}.loaded"


def test_outside_of_any_project_it_is_told_how_to_begin_one(tmp_path: Path) -> None:
    with pytest.raises(NoProjectError, match="`ml-assets init FOLDER` makes one"):
        DagsterProject.around(tmp_path)


def test_a_project_is_never_written_over_another(empty: Path) -> None:
    before = {path: path.read_bytes() for path in empty.rglob("*") if path.is_file()}
    with pytest.raises(InitError, match="is there already, and would be overwritten; name a new folder"):
        write_project(empty)
    assert {path: path.read_bytes() for path in empty.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["1models", "my models", "models-", "class", "dagster"])
def test_a_folder_whose_name_names_no_package_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InitError, match=name):
        write_project(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_what_is_written_is_in_the_form_that_ruff_and_make_accept(empty: Path) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    command = [str(ruff), "check", "--isolated", "--line-length", "120", "--select", "E,F,I", str(empty)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "test" in subprocess.run(["make", "help"], capture_output=True, text=True, check=True, cwd=empty).stdout


@pytest.mark.parametrize("file", ["pyproject.toml", "dg.toml"])
def test_a_project_that_is_not_read_is_never_taken_for_another(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '[tool.dg.project]\nroot_module = "nosuch"\n' if file == "pyproject.toml" else "[project]\n"
    (tmp_path / file).write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnreadProjectError, match=file):
        root_at_hand()
