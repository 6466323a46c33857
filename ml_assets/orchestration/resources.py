"""Where event logs, artifacts and executed notebooks lie; how notebooks are run; what Spark is told."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from ml_assets import variables
from ml_assets.notebooks.order import FromVariable
from ml_assets.paths import AnyPath, path_of

_RIGHT = "write a URL such as s3://bucket/team, or an absolute path that all runs share"


class NoStorageError(Exception):
    """Nobody said where files are kept, or not so that it can be found."""


class Storage(dg.ConfigurableResource[None]):
    """A root folder, as a path or as a URL such as `s3://bucket/events`.

    A relative one lies below what the variable ML_ASSETS_STORAGE names, or else in the folder of the Dagster instance.
    `shared`: refuse the latter, which runs of other machines do not see.
    """

    root: str
    shared: bool = False

    def path(self, instance: dg.DagsterInstance) -> AnyPath:
        """The folder as an absolute path. Raises: NoStorageError as `below`."""
        return self.below(instance.root_directory)

    def below(self, home: str) -> AnyPath:
        """The folder as an absolute path, where the Dagster instance's own is `home`.

        Raises: NoStorageError when it must be shared, and ML_ASSETS_STORAGE is not set; or when that is no place.
        """
        if "://" in self.root or self.root.startswith("/"):
            try:
                return path_of(self.root)
            except (ValueError, ImportError) as error:
                raise NoStorageError(f"{self.root!r} is no place for files: {error}; {_RIGHT}") from None
        place = variables.get(variables.STORAGE)
        if place is None and self.shared:
            raise NoStorageError(
                f"{variables.STORAGE} is not set, and runs share no disk, on which {self.root} would lie; {_RIGHT}"
            )
        if place is not None and "://" not in place and not place.startswith("/"):
            raise NoStorageError(f"{variables.STORAGE} is {place!r}; {_RIGHT}")
        try:
            base = path_of(place or home)
        except (ValueError, ImportError) as error:
            raise NoStorageError(f"{variables.STORAGE} is {place!r}: {error}; {_RIGHT}") from None
        return (base.absolute() if isinstance(base, Path) else base) / self.root


class ExecutedNotebooks(Storage):
    """How notebooks are run; the executed one of each run, successful or failed, is `<asset>/<partition>/<run>.ipynb`.

    `keep_days`: older ones are removed when a partition of their asset is run, except those of current
    materializations; None keeps all. `warm`: kernels may be forked from a process that has imported what they need.
    """

    keep_days: int | None = None
    warm: bool = True


class Spark(dg.ConfigurableResource[None]):
    """The settings of Spark, which are those of dagster-pyspark's `PySparkResource`.

    That one is made in the kernel of a notebook that needs a session: importing it loads Spark, and a session of the
    run would not be the notebook's. `spark_config`: by Spark's own names, flat or nested, such as
    `{"spark.master": "local[4]", "spark.driver.memory": "4g"}`; none: those of the installation, or else this machine.
    A secret is a `dg.EnvVar`.
    """

    spark_config: dict[str, Any] = Field(default_factory=dict)

    def settings(self) -> dict[str, str | FromVariable]:
        """Spark's names and values. Of a `dg.EnvVar` the name alone is handed on: the kernel asks for its value."""
        return dict(_flat("", self.spark_config))


def _flat(name: str, value: Any) -> Iterator[tuple[str, str | FromVariable]]:
    if isinstance(value, dg.EnvVar):
        yield name, FromVariable(env=value.env_var_name)
    elif isinstance(value, Mapping) and set(value) == {"env"}:
        # What Dagster makes of an EnvVar.
        yield name, FromVariable(env=value["env"])
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(f"{name}.{key}" if name else key, one)
    else:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)


def default_resources(*, shared: bool = False, warm: bool = True) -> dict[str, dg.ConfigurableResource[Any]]:
    """Everything below one folder or URL. Args: as of `Storage` and `ExecutedNotebooks`."""
    return {
        "events": Storage(root="events", shared=shared),
        "artifacts": Storage(root="artifacts", shared=shared),
        "executed_notebooks": ExecutedNotebooks(root="notebooks", shared=shared, warm=warm),
        "spark": Spark(),
    }
