"""What runs leave in the folder of temporary files: those of two users, and those that are killed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from ml_assets.orchestration.launcher import command_of
from tests.support import forks, shop, users
from tests.support.projects import TeamProject

pytestmark = pytest.mark.slow

DATA, MODEL = "shop/order/training_data", "shop/order/model"
#: Waits for ever where it is told to.
NOTEBOOK = """\
# %%
import tempfile
import time
from pathlib import Path

(root,) = [parent for parent in Path.cwd().parents if (parent / "notebooks").exists()]
if (root / "waits").exists():
    Path(tempfile.mkdtemp(), "file").touch()
    (root / "begun").touch()
    time.sleep(600)
step.save(step.read("training_data").head(3))
"""


@pytest.fixture(scope="module")
def temp() -> Iterator[Path]:
    """The folder of temporary files: a short path, as most are."""
    with users.shared_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def team() -> Iterator[TeamProject]:
    """A project where both users may look."""
    declared = shop.DEFS["shop/order"] + "  notebooks: {model: notebooks/own/model.ipynb}\n"
    with users.shared_folder() as folder:
        team = TeamProject.make(folder / "project", "leftovers_shop", {**shop.DEFS, "shop/order": declared})
        for log in ("visits", "orders"):
            shop.arrive(team, log, 1, 5)
        team.write_notebook("notebooks/own/model.ipynb", NOTEBOOK)
        yield team


def command(team: TeamProject, *assets: str) -> tuple[str, list[str]]:
    """A new run of some assets, and what executes it."""
    project = team.project
    run = project.runs.create(assets, ["2026-03-04"], {})
    return run.run_id, command_of(project.instance, run)


def assert_succeeds(team: TeamProject, temp: Path, *assets: str) -> None:
    run, arguments = command(team, *assets)
    ended = forks.run(arguments, cwd=team.root, env={**team.environment, "TMPDIR": str(temp)})
    assert team.run(run).status is dg.DagsterRunStatus.SUCCESS, ended.stderr
    assert not Path("/tmp/dagstermill", run).exists()


def assert_soon(true: Callable[[], object], process: forks.Program) -> None:
    until = time.monotonic() + 120
    while not true():
        assert process.poll() is None, "it has ended by itself"
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("point", ["its first folder", "its kernel is started", "its notebook is at work"])
def test_what_a_killed_run_leaves_is_removed_by_the_next(point: str, team: TeamProject, temp: Path) -> None:
    (team.root / "waits").touch()
    (team.root / "begun").unlink(missing_ok=True)
    reached = {
        "its first folder": lambda: list(temp.iterdir()),
        "its kernel is started": lambda: list(temp.glob("*/connection.json")),
        "its notebook is at work": (team.root / "begun").exists,
    }
    _, arguments = command(team, DATA, MODEL)
    process = forks.start(arguments, cwd=team.root, env={**team.environment, "TMPDIR": str(temp)})
    assert_soon(reached[point], process)
    process.kill()
    process.wait()
    (team.root / "waits").unlink()
    assert list(temp.iterdir())
    assert_succeeds(team, temp, DATA)
    assert not list(temp.iterdir())


@pytest.mark.skipif(not users.OTHER, reason=users.WHY_NOT)
def test_another_user_runs_notebooks_after_the_first(team: TeamProject, temp: Path) -> None:
    assert_succeeds(team, temp, DATA)
    assert not list(temp.iterdir())
    run, arguments = command(team, DATA)
    for path in [team.root, *team.root.rglob("*")]:
        os.chown(path, users.ID, users.ID)
    log = team.home / "other_user.log"
    env = {**team.environment, "TMPDIR": str(temp), "HOME": str(team.home)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*users.OTHER, sys.executable, "-m", *arguments], cwd=team.root, env=env, stdout=output, stderr=output
        )
        process.wait(300)
    assert team.run(run).status is dg.DagsterRunStatus.SUCCESS, log.read_text()
    made = team.home / "artifacts" / DATA / "2026-03-04" / run
    assert made.stat().st_uid == users.ID
    assert not list(temp.iterdir())
