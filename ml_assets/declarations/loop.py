"""What a defs.yaml says of a project's loop: where files lie, what Spark is told, whose executor runs steps."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from ml_assets.declarations.reading import Declaration, Group, Values, read_group
from ml_assets.domain.errors import SpecError


class Storage(Group):
    """Where event logs, artifacts and executed notebooks lie: a URL such as s3://bucket/events, or a path.

    A relative one lies below what the variable ML_ASSETS_STORAGE names, or else in DAGSTER_HOME.
    """

    events: str = ""
    artifacts: str = ""
    executed_notebooks: str = ""


class LoopDeclaration(Declaration):
    """What is declared of the sensors, resources and executor of all event logs and models of a project."""

    #: There is one in a project.
    identity: ClassVar[str] = ""

    storage: Values = Field(default_factory=dict)
    keep_days: int | None = None
    spark: Values = Field(default_factory=dict)
    executor: Literal["environment", "project"] = "environment"

    def to_storage(self) -> Storage:
        """Where files lie. Raises: SpecError that names the key, the value and what would be right."""
        return read_group(Storage, self.storage, key="storage")

    def to_spark(self) -> Mapping[str, Any]:
        """The settings of Spark by its own names. Raises: SpecError."""
        if not isinstance(self.spark, Mapping):
            raise SpecError("spark", self.spark, "keys with values, such as {spark.driver.memory: 4g}")
        return self.spark
