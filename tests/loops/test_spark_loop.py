"""A day of a model made by Spark on a real cluster, of files in a real HDFS, through Dagster: the same as by DuckDB."""

import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psutil
import pytest
from pandas.testing import assert_frame_equal

from ml_assets import variables
from ml_assets.data.artifacts.store import Artifact, table_files
from ml_assets.data.artifacts.tables import read_table
from ml_assets.examples import advertising
from ml_assets.notebooks.order import TABLE
from ml_assets.orchestration.recorded.lineage import current_runs
from tests.support.hdfs import Hdfs
from tests.support.projects import REPOSITORY, TeamProject
from tests.support.spark import JAVA, NO_JAVA, SETTINGS, cluster

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not JAVA, reason=NO_JAVA)]

# The first of a model with a day of history; and the events up to the last day on which an outcome of it counts.
DAY = "2026-01-02"
EVENTS = {"first_day": date(2025, 12, 12), "last_day": date(2026, 1, 10), "impressions_per_day": 400}
DATA = ("training_data", "evaluation_data_1d", "evaluation_data_7d")
#: What an earlier impression of the same user was; a sum of numbers that rounding changes with their order.
HISTORY = """
  history:
    - log: ads/impressions
      window: 1d
      by: [user_id]
      features: {seen: count, likely: sum(probability_1d), newest: last(probability_1d)}
"""
DEFINITIONS = """
from pathlib import Path

import dagster as dg

from ml_assets.definitions import build_definitions
from ml_assets.orchestration.resources import Spark, default_resources


@dg.definitions
def defs():
    resources = {{**default_resources(), "spark": Spark(spark_config={settings})}}
    return build_definitions(dg.ComponentTree.for_project(Path(__file__).parents[1]), resources)
"""
#: Ends the process that runs its executor, as the system does where memory is short.
DYING = """\
# %%
import os

def die(batches):
    for batch in batches:
        daemon = os.getppid()
        with open(f"/proc/{daemon}/stat") as stat:
            executor = int(stat.read().rpartition(")")[2].split()[1])
        os.kill(executor, 9)
        yield batch

examples = step.examples(frame="spark")
step.save(examples.mapInArrow(die, examples.schema))
"""


def declared(name: str) -> str:
    return (REPOSITORY / "ml_assets" / "defs" / "ads" / name / "defs.yaml").read_text(encoding="utf-8")


def model(name: str, engine: str) -> str:
    return f"{declared('cvr').replace('name: ads/cvr', f'name: ads/{name}').rstrip()}\n  engine: {engine}{HISTORY}"


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, hdfs: Hdfs) -> Iterator[TeamProject]:
    root = tmp_path_factory.mktemp("spark")
    dying = model("dying", "{training_data: spark}") + "  notebooks: {training_data: notebooks/dying.ipynb}\n"
    models = {"cvr": model("cvr", "duckdb"), "large": model("large", "spark"), "dying": dying}
    defs = {"ads/logs": declared("logs"), **{f"ads/{name}": text for name, text in models.items()}}
    storage = f"{hdfs.url}/spark team"
    with variables.being(variables.STORAGE, storage), cluster(root / "cluster") as master:
        # The root is a new folder for every run of the tests, by which to tell its processes.
        team = TeamProject.make(root / "project", "cluster_ads", defs)
        team.write_notebook("notebooks/dying.ipynb", DYING)
        advertising.write_logs(team.project.events_root, **EVENTS)
        settings = {
            **SETTINGS,
            "spark.master": master,
            "spark.executor.memory": "512m",
            "spark.task.maxFailures": "1",
            "spark.local.dir": str(root / "spark"),
        }
        definitions = DEFINITIONS.format(settings=settings)
        (team.root / team.package / "definitions.py").write_text(definitions, encoding="utf-8")
        yield team


def materialize(team: TeamProject, *assets: str) -> subprocess.CompletedProcess[str]:
    selected = ",".join(f"ads/{asset}" for asset in assets)
    return team.command("dagster", "asset", "materialize", *team.location, "--select", selected, "--partition", DAY)


def made(team: TeamProject, asset: str) -> Artifact:
    run_id = current_runs(team.project.instance, f"ads/{asset}")[DAY]
    return team.project.store.load(f"ads/{asset}", DAY, run_id)


@pytest.fixture(scope="module")
def ran(team: TeamProject) -> TeamProject:
    # What does not end with the same partition is no one job.
    for steps in (("training_data", "model"), *((f"evaluation_data_{h}", f"metrics_{h}") for h in ("1d", "7d"))):
        result = materialize(team, *(f"{name}/{step}" for name in ("cvr", "large") for step in steps))
        assert result.returncode == 0, result.stdout + result.stderr
    return team


def test_all_versions_of_a_day_are_those_of_duckdb(ran: TeamProject) -> None:
    steps = (*DATA, "model", "metrics_1d", "metrics_7d")
    by_duckdb, by_spark = ({step: made(ran, f"{name}/{step}") for step in steps} for name in ("cvr", "large"))
    assert {step: one.data_version for step, one in by_spark.items()} == {
        step: one.data_version for step, one in by_duckdb.items()
    }
    assert {str(one.folder).partition("/artifacts/")[0] for one in by_spark.values()} == {
        variables.get(variables.STORAGE)
    }


@pytest.mark.parametrize("data", DATA)
def test_rows_are_those_of_duckdb(data: str, ran: TeamProject) -> None:
    by_duckdb, by_spark = made(ran, f"cvr/{data}"), made(ran, f"large/{data}")
    expected = read_table(by_duckdb.folder / TABLE)
    assert_frame_equal(read_table(by_spark.folder / TABLE), expected, check_exact=True)
    assert 0 < expected["label"].sum() < len(expected)
    assert expected["likely"].nunique() > 50
    assert by_spark.manifest["numbers"] == by_duckdb.manifest["numbers"]
    assert [{**read, "role": ""} for read in by_spark.manifest["reads"]] == [
        {**read, "role": ""} for read in by_duckdb.manifest["reads"]
    ]


def test_executors_wrote_the_rows_and_the_manifest_lists_their_files(ran: TeamProject) -> None:
    artifact = made(ran, "large/training_data")
    files = table_files(artifact.folder / TABLE)
    assert all(file.name.startswith("part-") for file in files)
    assert {file.relative_to(artifact.folder).as_posix() for file in files} <= set(artifact.manifest["files"])
    assert (made(ran, "cvr/training_data").folder / TABLE).is_file()


def test_the_session_has_ended_with_the_kernel(ran: TeamProject) -> None:
    left = [one.info for one in psutil.process_iter(["pid", "cmdline"]) if is_ours(one, ran.root.parent / "spark")]
    assert left == []


def is_ours(process: psutil.Process, folder: Path) -> bool:
    """Whether it is the driver or an executor of a session; both are told where Spark keeps its files."""
    return any(f"spark.local.dir={folder}" in word for word in process.info["cmdline"] or ())


def test_why_an_executor_died_is_said_in_the_error_of_the_step(team: TeamProject) -> None:
    result = materialize(team, "dying/training_data")
    assert result.returncode != 0
    said = [line for line in (result.stdout + result.stderr).splitlines() if "Spark: executor" in line]
    assert any(f"ads/dying/training_data {DAY} failed: NotebookError:" in line for line in said), result.stderr
    assert all("was lost" in line and "137" in line for line in said), said
    assert "ads/dying/training_data" not in made_assets(team)


def made_assets(team: TeamProject) -> list[str]:
    return [asset for asset in team.project.assets if current_runs(team.project.instance, asset)]
