"""Where things lie: the roots of event logs, artifacts and executed notebooks, and how long the last are kept.

And what Spark is told, where it is used.
"""

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field


class Storage(dg.ConfigurableResource[None]):
    """A root folder; a relative one lies below the folder of the Dagster instance (DAGSTER_HOME)."""

    root: str

    def path(self, instance: dg.DagsterInstance) -> Path:
        """The folder as an absolute path."""
        return Path(instance.root_directory).absolute() / self.root


class ExecutedNotebooks(Storage):
    """The executed notebook of every run, successful or failed: `<asset>/<partition>/<run>.ipynb`.

    `keep_days`: older ones are removed when a partition of their asset is run, except those of current
    materializations; None keeps all.
    """

    keep_days: int | None = None


class Spark(dg.ConfigurableResource[None]):
    """The settings of Spark, which are those of dagster-pyspark's `PySparkResource`.

    That one is made in the kernel of a notebook that needs a session: importing it loads Spark, and a session of the
    run would not be the notebook's. `spark_config`: by Spark's own names, flat or nested, such as
    `{"spark.master": "local[4]", "spark.driver.memory": "4g"}`; none: those of the installation, or else this machine.
    """

    spark_config: dict[str, Any] = Field(default_factory=dict)

    def settings(self) -> dict[str, str]:
        """Spark's names and values."""
        from dagster_spark.utils import flatten_dict

        flat = flatten_dict(self.spark_config)  # type: ignore[no-untyped-call]
        return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in flat}


def default_resources() -> dict[str, Any]:
    """One home folder: everything below the Dagster instance's own folder."""
    return {
        "events": Storage(root="events"),
        "artifacts": Storage(root="artifacts"),
        "executed_notebooks": ExecutedNotebooks(root="notebooks"),
        "spark": Spark(),
    }
