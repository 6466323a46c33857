"""The Spark session of a notebook: made in its kernel by dagster-pyspark when first needed, and stopped with it."""

import atexit
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ml_assets import variables
from ml_assets.notebooks.order import FromVariable

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: What an executor runs Python by; PySpark asks the environment instead.
_PYTHON = "spark.pyspark.python"


class SparkMissingError(Exception):
    """Spark cannot run here."""


def spark_session(settings: Mapping[str, str | FromVariable] | None, *, name: str) -> "SparkSession":
    """The session of this process: the one that the notebook has made, or a new one with the settings of the project.

    Args: `settings`: None or none: those of the installation (`spark-defaults.conf`), or else all cores of this
    machine. `name`: what Spark's own pages call it.
    Raises: SparkMissingError when there is no Java, or a setting's environment variable is not set.
    """
    from pyspark import SparkContext

    from ml_assets.data.engines.spark_engine import SETTINGS

    if SparkContext._active_spark_context is None:
        session = _new_session({"spark.app.name": name, **(settings or {})})
    else:
        from pyspark.sql import SparkSession

        session = SparkSession.builder.getOrCreate()
    for key, value in SETTINGS.items():
        session.conf.set(key, value)
    return session


def _new_session(settings: Mapping[str, str | FromVariable]) -> "SparkSession":
    from dagster_pyspark import LazyPySparkResource
    from pyspark.errors import PySparkRuntimeError

    given = {name: _value(name, setting) for name, setting in settings.items()}
    # An executed notebook would keep each step of a bar.
    resource = LazyPySparkResource(spark_config={"spark.ui.showConsoleProgress": "false", **given})
    try:
        session: SparkSession = resource.spark_session
    except PySparkRuntimeError as error:
        if error.getCondition() != "JAVA_GATEWAY_EXITED":
            raise
        raise SparkMissingError(
            "Spark did not start: it needs Java 17 where the notebook runs, found by PATH or JAVA_HOME "
            f"(on Debian: apt-get install openjdk-17-jre-headless); {error.getMessage()}"
        ) from error
    atexit.register(session.stop)
    context = session.sparkContext
    # Named by the project or by the installation; on this machine it is this one.
    python = context.getConf().get(_PYTHON) or (sys.executable if (context.master or "").startswith("local") else None)
    context.pythonExec = python or context.pythonExec
    return session


def _value(name: str, setting: str | FromVariable) -> str:
    if isinstance(setting, str):
        return setting
    value = variables.get(setting.env)
    if value is None:
        raise SparkMissingError(f"{name}: the environment variable {setting.env}, which holds it, is not set")
    return value
