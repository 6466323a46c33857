"""Commands of the pages that work on a home, executed as they stand on a small one, in the order of the pages."""

import shlex
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import nbformat
import pytest

from ml_assets.examples import first_model
from tests.docs.executed import ON_A_HOME
from tests.support import shop
from tests.support.pages import PAGES, name_of, spans
from tests.support.projects import REPOSITORY, TeamProject

pytestmark = pytest.mark.slow

#: Two days of clicks: two trainings, and one evaluation.
DEFS = {
    folder.replace("shop/order", "news/signup").replace("shop", "news"): text.replace("shop/order\n", "news/signup\n")
    .replace("shop/visits", "news/clicks")
    .replace("shop/orders", "news/signups")
    .replace('"2026-03-01", end: "2026-03-15"', '"2026-01-01", end: "2026-02-01"')
    .replace("{window: 3d, attribution: 2d}", "{window: 1d, attribution: 12h}")
    .replace("horizons: [2d]", "horizons: [12h]")
    for folder, text in shop.DEFS.items()
}
PARTITION = "2026-01-01"
#: The README's commands are those of the demo's home.
OF_THE_DEMO = {"ads/cvr/metrics_7d": "news/signup/metrics_12h", "ads/cvr": "news/signup", "PARTITION": PARTITION}
README = {
    text.removeprefix(".venv/bin/")
    for page in PAGES
    if name_of(page) == "README.md"
    for _, text in spans(page)
    if text.startswith(".venv/bin/ml-assets ")
}


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> TeamProject:
    """A team's project, where some days of events have arrived."""
    team = TeamProject.make(tmp_path_factory.mktemp("documented"), "documented_home", DEFS)
    first = shop.FIRST.replace(month=1)
    for number in range(3):
        day = first + timedelta(days=number)
        team.write_partition("news/signups", day.isoformat(), shop.orders(day))
        if number < 2:
            team.write_partition("news/clicks", day.isoformat(), shop.visits(day))
    return team


def execute(team: TeamProject, command: str, *, user: Path) -> subprocess.CompletedProcess[str]:
    program, *arguments = [word.replace("~", str(user)) for word in shlex.split(command)]
    return team.command(program, *arguments)


def rename_a_variable(team: TeamProject) -> None:
    path = team.root / "notebooks/standard/model.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("rows", "examples_of_training")
    nbformat.write(notebook, path)


@pytest.mark.parametrize(("command", "printed"), ON_A_HOME.items())
def test_each_command_of_a_block_does_what_its_page_says(
    command: str, printed: str, team: TeamProject, tmp_path: Path
) -> None:
    if "harmless" in command:
        rename_a_variable(team)
    if "--from-notebook" in command:
        # In a project without the demo's models, as the README tells to begin.
        without = shutil.ignore_patterns("ads", "grocery", "fashion", "__pycache__")
        shutil.copytree(REPOSITORY / "ml_assets/defs", tmp_path / "other/documented_new/defs", ignore=without)
        team = TeamProject.make(tmp_path / "other", "documented_new", {})
        (notebook,) = [path for path in first_model.write(tmp_path) if path.suffix == ".ipynb"]
        notebook.rename(tmp_path / "signup.ipynb")
    done = execute(team, command, user=tmp_path)
    # In this home of days long gone, metrics are owed.
    assert done.returncode == (1 if command == "ml-assets debt" else 0), done.stdout + done.stderr
    assert printed in done.stdout + done.stderr


@pytest.mark.parametrize("command", sorted(README - {*ON_A_HOME}))
def test_each_command_of_the_readme_answers(command: str, team: TeamProject, tmp_path: Path) -> None:
    for name, here in OF_THE_DEMO.items():
        command = command.replace(name, here)
    done = execute(team, command, user=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("6 versions" if "verify" in command else PARTITION) in done.stdout
