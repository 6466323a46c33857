"""Training and evaluation data made by Spark on a real cluster, through Dagster: the same as DuckDB makes."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from pandas.testing import assert_frame_equal

from ml_assets.data.store import Artifact, table_files
from ml_assets.data.tables import read_table
from ml_assets.notebooks.order import TABLE
from ml_assets.orchestration.lineage import current_runs
from tests.support import shop
from tests.support.projects import TeamProject
from tests.support.spark import JAVA, NO_JAVA, SETTINGS, cluster

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not JAVA, reason=NO_JAVA)]

DAY = "2026-03-04"
DATA = ("training_data", "evaluation_data_2d")
#: What an earlier visit of the same device was; a sum of numbers that rounding changes with their order.
HISTORY = """
  history:
    - {log: shop/visits, window: 1d, by: [device], features: {visits: count, spent: sum(price), newest: last(price)}}
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


def model(name: str, engine: str) -> str:
    declared = shop.DEFS["shop/order"].replace("name: shop/order", f"name: shop/{name}")
    return f"{declared.rstrip()}\n  engine: {engine}{HISTORY}"


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeamProject]:
    root = tmp_path_factory.mktemp("spark")
    dying = model("dying", "{training_data: spark}") + "  notebooks: {training_data: notebooks/dying.ipynb}\n"
    models = {"plain": model("plain", "duckdb"), "large": model("large", "spark"), "dying": dying}
    defs = {"shop/logs": shop.DEFS["shop/logs"], **{f"shop/{name}": text for name, text in models.items()}}
    with cluster(root / "cluster") as master:
        # The root is a new folder for every run of the tests, by which to tell its processes.
        team = TeamProject.make(root / "project", "cluster_shop", defs)
        team.write_notebook("notebooks/dying.ipynb", DYING)
        shop.arrive(team, "visits", 1, 7)
        shop.arrive(team, "orders", 1, 7)
        add_prices(team)
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


def add_prices(team: TeamProject) -> None:
    for path in (team.home / "events" / "shop" / "visits").glob("*/*.parquet"):
        frame = read_table(path)
        frame.assign(price=(frame["visit_id"] % 17) / 7).to_parquet(path, index=False)


def materialize(team: TeamProject, *assets: str) -> subprocess.CompletedProcess[str]:
    selected = ",".join(f"shop/{asset}" for asset in assets)
    return team.command("dagster", "asset", "materialize", *team.location, "--select", selected, "--partition", DAY)


def made(team: TeamProject, asset: str) -> Artifact:
    run_id = current_runs(team.project.instance, f"shop/{asset}")[DAY]
    return team.project.store.load(f"shop/{asset}", DAY, run_id)


@pytest.fixture(scope="module")
def ran(team: TeamProject) -> TeamProject:
    # Training and evaluation data do not end with the same partition, and are no one job.
    for steps in (("training_data", "model"), ("evaluation_data_2d",)):
        result = materialize(team, *(f"{name}/{step}" for name in ("plain", "large") for step in steps))
        assert result.returncode == 0, result.stdout + result.stderr
    return team


@pytest.mark.parametrize("data", DATA)
def test_rows_and_data_versions_are_those_of_duckdb(data: str, ran: TeamProject) -> None:
    by_duckdb, by_spark = made(ran, f"plain/{data}"), made(ran, f"large/{data}")
    assert by_spark.data_version == by_duckdb.data_version
    expected = read_table(by_duckdb.folder / TABLE)
    assert_frame_equal(read_table(by_spark.folder / TABLE), expected, check_exact=True)
    assert 0 < expected["label"].sum() < len(expected)
    assert expected["spent"].nunique() > 50
    assert by_spark.manifest["numbers"] == by_duckdb.manifest["numbers"]
    assert [{**read, "role": ""} for read in by_spark.manifest["reads"]] == [
        {**read, "role": ""} for read in by_duckdb.manifest["reads"]
    ]


def test_executors_wrote_the_rows_and_the_manifest_lists_their_files(ran: TeamProject) -> None:
    artifact = made(ran, "large/training_data")
    files = table_files(artifact.folder / TABLE)
    assert all(file.name.startswith("part-") for file in files)
    assert {file.relative_to(artifact.folder).as_posix() for file in files} <= set(artifact.manifest["files"])
    assert (made(ran, "plain/training_data").folder / TABLE).is_file()


def test_a_model_trained_on_what_spark_wrote_is_the_same_model(ran: TeamProject) -> None:
    assert made(ran, "large/model").data_version == made(ran, "plain/model").data_version


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
    assert any("shop/dying/training_data 2026-03-04 failed: NotebookError:" in line for line in said), result.stderr
    assert all("was lost" in line and "137" in line for line in said), said
    assert "shop/dying/training_data" not in made_assets(team)


def made_assets(team: TeamProject) -> list[str]:
    return [asset for asset in team.project.assets if current_runs(team.project.instance, asset)]
