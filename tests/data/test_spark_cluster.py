"""The labels of a real cluster, a standalone master with two workers: row by row those of DuckDB."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ml_assets.data.examples import ExampleReader
from tests.data.engines import test_spark_engine as engine
from tests.support.spark import JAVA, NO_JAVA, cluster, local_session

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not JAVA, reason=NO_JAVA)]


@pytest.fixture(scope="module")
def by_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], ExampleReader]]:
    from ml_assets.data.engines.spark_engine import SparkEngine

    folder = tmp_path_factory.mktemp("cluster")
    with cluster(folder) as master:
        settings = {"spark.master": master, "spark.executor.memory": "512m", "spark.local.dir": str(folder / "local")}
        with local_session(**settings) as session:
            made = SparkEngine(session)
            yield lambda: ExampleReader(spark=made)


def test_both_workers_take_part(by_cluster: Callable[[], ExampleReader]) -> None:
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    assert session is not None
    assert session.sparkContext.master.startswith("spark://")
    tracker = session.sparkContext._jsc.sc().statusTracker()
    deadline = time.monotonic() + 60
    # The driver is counted, too.
    while (executors := len(tracker.getExecutorInfos())) < 3 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert executors == 3


@pytest.mark.parametrize("join", engine.JOINS)
def test_random_logs_are_labelled_alike(
    join: str, tmp_path: Path, random_log: engine.Frames, by_cluster: Callable[[], ExampleReader]
) -> None:
    engine.test_random_logs_with_corrections_and_retractions_are_labelled_alike(join, tmp_path, random_log, by_cluster)


@pytest.mark.skipif(not engine.SAMPLE.exists(), reason=f"the sample {engine.SAMPLE.name} is not there")
def test_labels_of_real_clicks_are_those_of_duckdb(tmp_path: Path, by_cluster: Callable[[], ExampleReader]) -> None:
    engine.test_labels_of_real_clicks_are_those_of_duckdb(1, tmp_path, by_cluster)
