"""A model that is added works at once: Dagster, its own test and the linter accept it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.authoring.new.added import NEW_SERVICE, New
from tests.support.projects import REPOSITORY, TeamProject


def passes(team: TeamProject, test: str) -> None:
    result = team.command("pytest", "-p", "no:cacheprovider", "-q", "-rs", test)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed" in result.stdout, result.stdout


@pytest.mark.slow
def test_a_new_model_is_accepted_and_passes_its_own_test_at_once(team: TeamProject, new: New) -> None:
    new("shop/repeat")
    checked = team.command("dagster", "definitions", "validate", *team.location)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    passes(team, "tests/shop_repeat/test_notebooks.py")


MESSY = """\
# %%
import pandas as pd, sys
visits=pd.read_csv( "visits.csv" )
print(visits.shape); visits.head()
display(visits)

# %%
from sklearn.linear_model import LogisticRegression
l = LogisticRegression().fit(visits[['price']], visits['ordered'] == True)
try:
    print(f"trained")
except:
    pass
"""


def test_what_is_written_passes_the_linter_with_a_notebook_as_people_write_it(
    team: TeamProject, new: New, drafts: Path
) -> None:
    (drafts / "messy.py").write_text(MESSY)
    result = new("store/order", "--from-notebook", drafts / "messy.py", *NEW_SERVICE)
    assert result.exit_code == 0, result.output
    shutil.copy(REPOSITORY / "pyproject.toml", team.root / "pyproject.toml")
    # By its files ruff knows whose imports go last.
    (team.root / "ml_assets").symlink_to(REPOSITORY / "ml_assets")
    code, words = lint(team.root, "check")
    assert code == 0, words
    assert lint(team.root, "format", "--check")[0] == 0
    notebook = team.root / "notebooks/store_order/model.py"
    notebook.write_text(notebook.read_text() + "\nprint(nowhere_set)\n")
    code, words = lint(team.root, "check")
    assert code == 1
    assert "F821 Undefined name `nowhere_set`" in words


def lint(root: Path, *arguments: str) -> tuple[int, str]:
    """What ruff says of the notebooks and the tests of a project."""
    program = Path(sys.executable).with_name("ruff")
    done = subprocess.run(
        [program, *arguments, "--no-cache", "notebooks", "tests"], cwd=root, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout
