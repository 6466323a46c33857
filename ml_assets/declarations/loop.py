"""What a defs.yaml says of a project's loop: where files lie, what Spark is told, whose executor runs steps."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ml_assets.declarations.reading import Declaration, Group, Values, read_group, said
from ml_assets.domain.errors import SpecError


class Storage(Group):
    """Where event logs, artifacts and executed notebooks lie: a URL such as s3://bucket/events, or a path.

    A relative one lies below what the variable ML_ASSETS_STORAGE names, or else in DAGSTER_HOME.
    """

    events: str = Field("", description="Event logs. Default: `events`.")
    artifacts: str = Field("", description="What is made of them. Default: `artifacts`.")
    executed_notebooks: str = Field("", description="Notebooks as they were run. Default: `notebooks`.")


class LoopDeclaration(Declaration):
    """What is declared of the sensors, resources and executor of all event logs and models of a project."""

    #: There is one in a project.
    identity: ClassVar[str] = ""

    storage: Annotated[Values, said("Where files lie.", keys=Storage)] = Field(default_factory=dict)
    keep_days: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=36_500)] | None,
        said("How long executed notebooks are kept, but for those of what is current. Default: for ever."),
    ] = None
    spark: Annotated[Values, said("Settings of Spark by its own names.", kind="keys")] = Field(default_factory=dict)
    executor: Annotated[
        Literal["environment", "project"], said("Whose executor runs steps: the environment's, or the project's own.")
    ] = "environment"

    def to_storage(self) -> Storage:
        """Where files lie. Raises: SpecError that names the key, the value and what would be right."""
        return read_group(Storage, self.storage, key="storage")

    def to_spark(self) -> Mapping[str, Any]:
        """The settings of Spark by its own names. Raises: SpecError."""
        if not isinstance(self.spark, Mapping):
            raise SpecError("spark", self.spark, "keys with values, such as {spark.driver.memory: 4g}")
        for name, value in self.spark.items():
            if value is None:
                raise SpecError(f"spark.{name}", None, "a value")
        return self.spark
