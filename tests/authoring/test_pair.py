"""`ml-assets pair`, by hand and as git's hook."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ml_assets.cli.main import main
from tests.support.projects import REPOSITORY

TEXT = "# %%\nx = 1\n\n# %%\ny = 2\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one pair in step."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/nb.py").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    assert pair().output == "wrote notebooks/nb.ipynb from notebooks/nb.py\n"
    return tmp_path


def pair(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["pair", *arguments])


def test_the_check_names_the_cell_writes_nothing_and_fails(folder: Path) -> None:
    assert (pair("--check").exit_code, pair("--check").output) == (0, "")
    (folder / "notebooks/nb.py").write_text(TEXT.replace("2", "3"))
    before = (folder / "notebooks/nb.ipynb").read_bytes()
    for arguments in (["--check"], ["--check", "notebooks/nb.ipynb"], ["--check", "notebooks"]):
        result = pair(*arguments)
        assert result.exit_code == 1
        assert result.output == (
            "notebooks/nb.py: cell 2 (`y = 3`) differs from cell 2 (`y = 2`) of nb.ipynb in source\n"
        )
    assert (folder / "notebooks/nb.ipynb").read_bytes() == before


def test_a_refusal_does_not_keep_other_pairs_from_being_written(folder: Path) -> None:
    (folder / "notebooks/nb.py").write_text(TEXT.replace("2", "3"))
    shutil.rmtree(folder / "notebooks/.ipynb_checkpoints")
    (folder / "notebooks/other.py").write_text(TEXT)
    result = pair()
    assert result.exit_code == 1
    assert "Error: notebooks/nb.py and notebooks/nb.ipynb: they differ" in result.output
    assert "wrote notebooks/other.ipynb from notebooks/other.py\n" in result.output
    assert pair("--from", "py", "notebooks/nb.py").output == "wrote notebooks/nb.ipynb from notebooks/nb.py\n"


def test_a_check_chooses_no_half(folder: Path) -> None:
    result = pair("--check", "--from", "py")
    assert (result.exit_code, "leave out --from" in result.output) == (2, True)


def test_a_path_that_does_not_exist_is_answered_with_its_name(folder: Path) -> None:
    assert pair("nowhere").output == "Error: nowhere: there is no such file or folder\n"


class Checkout:
    """A git repository with this project's hooks installed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "notebooks").mkdir(parents=True)
        for name in (".pre-commit-config.yaml", "pyproject.toml", "notebooks/ruff.toml"):
            shutil.copy(REPOSITORY / name, root / name)
        (root / ".gitignore").write_text(".venv\n.cache\n.ruff_cache/\n.ipynb_checkpoints/\n")
        (root / ".venv").symlink_to(Path(sys.prefix))
        self.git("init", "--quiet")
        self.git("add", ".gitignore", ".pre-commit-config.yaml", "pyproject.toml", "notebooks/ruff.toml")
        self.run(".venv/bin/pre-commit", "install")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        # As in a shell where .venv is not activated.
        others = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "VIRTUAL_ENV"))}
        environment = {
            **others,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PRE_COMMIT_HOME": str(self.root / ".cache"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
        }
        return subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    def git(self, *arguments: str) -> str:
        result = self.run("git", "-c", "user.name=A", "-c", "user.email=a@example.com", *arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def commit(self, *paths: str) -> subprocess.CompletedProcess[str]:
        """Try to commit some files alone."""
        self.git("add", *paths)
        return self.run("git", "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-m", "a change")

    def committed(self, path: str) -> str:
        return self.git("show", f"HEAD:{path}")


@pytest.mark.slow
def test_a_commit_of_one_half_is_refused_once_and_passes_with_both(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout")
    py, ipynb = checkout.root / "notebooks/nb.py", checkout.root / "notebooks/nb.ipynb"

    # A new notebook: the half that the hook writes is not known to git.
    py.write_text(TEXT)
    refused = checkout.commit("notebooks/nb.py")
    assert refused.returncode == 1
    assert "wrote notebooks/nb.ipynb from notebooks/nb.py" in refused.stderr
    assert "notebooks/nb.ipynb: is not in git's index; add it with: git add notebooks/nb.ipynb" in refused.stderr
    assert checkout.commit("notebooks/nb.py").returncode == 1
    passed = checkout.commit("notebooks/nb.ipynb")
    assert passed.returncode == 0, passed.stderr
    ids = [cell["id"] for cell in json.loads(ipynb.read_text())["cells"]]

    # An edit in a style of one's own, which a notebook is not held to.
    py.write_text(TEXT.replace("y = 2", "y  =  3"))
    refused = checkout.commit("notebooks/nb.py")
    assert refused.returncode == 1
    assert "wrote notebooks/nb.ipynb from notebooks/nb.py" in refused.stderr
    passed = checkout.commit("notebooks/nb.py", "notebooks/nb.ipynb")
    assert passed.returncode == 0, passed.stderr
    assert "y  =  3\n" in checkout.committed("notebooks/nb.py")
    cells = json.loads(checkout.committed("notebooks/nb.ipynb"))["cells"]
    assert [("".join(cell["source"]), cell["id"]) for cell in cells] == list(
        zip(["x = 1", "y  =  3"], ids, strict=True)
    )

    # Both halves are in step on disk, and one is forgotten: nothing is lost on the way.
    py.write_text(TEXT.replace("y = 2", "y = 4"))
    assert checkout.run(".venv/bin/ml-assets", "pair").returncode == 0
    assert checkout.commit("notebooks/nb.py").returncode == 1
    assert ("y = 4" in py.read_text(), "y = 4" in ipynb.read_text()) == (True, True)
    assert checkout.commit("notebooks/nb.ipynb").returncode == 0

    # What JupyterLab or an editor left in the .ipynb is taken out.
    notebook = json.loads(ipynb.read_text())
    notebook["cells"][0] |= {"execution_count": 1, "source": "x = 5"}
    ipynb.write_text(json.dumps(notebook))
    refused = checkout.commit("notebooks/nb.ipynb")
    assert refused.returncode == 1
    assert "wrote notebooks/nb.py from notebooks/nb.ipynb\ncleaned notebooks/nb.ipynb" in refused.stderr
    assert checkout.commit("notebooks/nb.py", "notebooks/nb.ipynb").returncode == 0
    assert "x = 5" in checkout.committed("notebooks/nb.py")
    assert checkout.git("status", "--porcelain") == ""
