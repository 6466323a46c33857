"""Sessions of Spark as a notebook's kernel makes them: each in a process of its own."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.projects import REPOSITORY
from tests.support.spark import JAVA, NO_JAVA, SETTINGS

MAKE = f"""
from ml_assets.notebooks.spark import spark_session
settings = {SETTINGS | {"spark.master": "local[1]", "spark.sql.session.timeZone": "Asia/Tokyo", "spark.sql.shuffle.partitions": "3"}}
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-c", MAKE + code],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.skipif(not JAVA, reason=NO_JAVA)
def test_a_session_has_the_settings_of_the_project_and_ours_and_ends_with_its_process() -> None:
    result = run(
        """
session = spark_session(settings, name="ads/cvr/training_data 2026-01-01")
again = spark_session(settings, name="another")
assert again.sparkContext is session.sparkContext
import os, psutil
java = [one.pid for one in psutil.Process().children(recursive=True) if "java" in one.name()]
conf = session.conf.get
print(session.sparkContext.appName, conf("spark.sql.session.timeZone"), conf("spark.sql.shuffle.partitions"), *java, sep="|")
"""
    )
    assert result.returncode == 0, result.stderr
    name, zone, partitions, *java = result.stdout.strip().split("|")
    assert (name, zone, partitions) == ("ads/cvr/training_data 2026-01-01", "UTC", "3")
    assert len(java) == 1
    # The process is gone, and with it its Java.
    _, alive = psutil.wait_procs([psutil.Process(int(pid)) for pid in java if psutil.pid_exists(int(pid))], timeout=10)
    assert alive == []


@pytest.mark.slow
@pytest.mark.skipif(not JAVA, reason=NO_JAVA)
def test_a_secret_and_the_python_of_the_executors_are_asked_for_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "spark-defaults.conf").write_text("spark.pyspark.python /opt/cluster/python\n", encoding="utf-8")
    result = run(
        """
from ml_assets.notebooks.order import FromVariable
settings = {key: value for key, value in settings.items() if key != "spark.pyspark.python"}
session = spark_session({**settings, "spark.hadoop.secret": FromVariable(env="OF_THE_TEST")}, name="x")
print(session.sparkContext.pythonExec, session.sparkContext.getConf().get("spark.hadoop.secret"))
""",
        SPARK_CONF_DIR=str(tmp_path),
        OF_THE_TEST="hunter2",
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["/opt/cluster/python", "hunter2"]


def test_a_secret_that_is_not_set_is_missed_by_its_name() -> None:
    result = run(
        """
from ml_assets.notebooks.order import FromVariable
spark_session({"spark.hadoop.secret": FromVariable(env="OF_THE_TEST")}, name="x")
"""
    )
    assert "spark.hadoop.secret: the environment variable OF_THE_TEST, which holds it, is not set" in result.stderr


def test_without_java_the_error_says_what_to_install(tmp_path: Path) -> None:
    # The shell that starts Java, and nothing else.
    for name in ("bash", "dirname", "env", "ps", "grep"):
        found = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
        (tmp_path / name).symlink_to(found)
    result = run("import os; os.environ.pop('JAVA_HOME', None); spark_session(settings, name='x')", PATH=str(tmp_path))
    assert result.returncode != 0
    assert "SparkMissingError: Spark did not start: it needs Java 17" in result.stderr
