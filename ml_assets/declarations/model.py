"""What a defs.yaml says of a model, read into the domain's value with the event logs that it names."""

from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from ml_assets.declarations.pods import ModelGroup, read_pods
from ml_assets.declarations.reading import (
    Declaration,
    DurationText,
    Group,
    Values,
    date_of,
    read_group,
    said,
)
from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared import event_log, spec
from ml_assets.domain.declared import history as domain_history
from ml_assets.domain.declared.history import parse_feature
from ml_assets.domain.durations import parse_duration
from ml_assets.domain.errors import SpecError
from ml_assets.domain.owed import repair as domain_repair


class Join(Group):
    """How an outcome finds its exposures: either by an exposure `id`, or by `entity` keys."""

    id: list[str] | None = Field(None, description="Columns of an exposure id that both logs have.")
    entity: list[str] | None = Field(
        None, description="Columns such as user and item: an outcome counts strictly after the exposure."
    )


class Training(Group):
    """The training window, the gap between its end and the cutoff, and how long an outcome counts."""

    window: DurationText = Field(description="How long exposures are learned from: calendar periods.")
    attribution: DurationText = Field(description="How long after an exposure an outcome counts: elapsed time.")
    gap: DurationText = Field("0d", description="How long before the cutoff the window of exposures ends.")


class Notebooks(Group):
    """The notebook of each step, from the project's root; the standard ones where none is named."""

    training_data: str = Field(spec.Notebooks.training_data, description="Saves the examples of the training window.")
    model: str = Field(spec.Notebooks.model, description="Saves the model.")
    evaluation_data: str = Field(spec.Notebooks.evaluation_data, description="Saves the examples that judge it.")
    metrics: str = Field(spec.Notebooks.metrics, description="Saves and reports the metrics.")


class Evaluation(Group):
    """The evaluation window, and the horizons at which its outcomes are counted."""

    window: DurationText = Field(description="How long after the cutoff exposures judge the model: calendar periods.")
    horizons: list[DurationText] = Field(
        description="How long after an exposure its outcomes count: elapsed time, an asset of metrics for each."
    )


class History(Group):
    """Features of an exposure from the rows of a log that share `by` with it, of `window` before it."""

    log: str = Field(description="The key of an event log.")
    window: DurationText = Field(description="How long before the exposure: elapsed time.")
    by: list[str] = Field(description="Columns of both logs.")
    features: dict[str, str] = Field(
        description="By name: `count`, or `sum`, `mean`, `min`, `max` or `last` of a column, such as `sum(price)`."
    )


class Partitions(Group):
    """The model's own partitions, coarser than those of its logs; the exposure log's where a key is left out."""

    every: Literal["hour", "day", "week"] = Field(description="How long a partition is.")
    start: str | None = Field(None, description="The local date at which the first begins.")
    timezone: str | None = Field(None, description="That of its logs.")
    end: str | None = Field(None, description="The local date before which the last ends.")


class Repair(Group):
    """When missing and failed partitions are tried again each day, how far back, and how much at once."""

    # Read by the domain, which says what would be right.
    at: Any = Field(
        description='In the time zone of the partitions, such as "03:00".', json_schema_extra={"kind": "time of day"}
    )
    lookback: DurationText = Field(description="How far back.")
    budget: Any = Field(
        description="Such as `50 runs`, or the notebooks' time, such as 30m.", json_schema_extra={"kind": "budget"}
    )


class ModelDeclaration(Declaration):
    """What is declared of a model that is trained on each partition and judged at each horizon."""

    identity: ClassVar[str] = "name"

    name: Annotated[str, said("`<service>/<model>`, with which its asset keys begin.")]
    exposures: Annotated[str, said("The key of the event log that asks for predictions.")]
    outcomes: Annotated[str, said("The key of the event log of what happened later; it may be the same.")]
    join: Annotated[Values, said("How an outcome finds its exposures: by one of these.", keys=Join)]
    training: Annotated[Values, said("What it learns from.", keys=Training)]
    evaluation: Annotated[Values, said("What judges it.", keys=Evaluation)]
    notebooks: Annotated[Values, said("Notebooks of its own.", keys=Notebooks)] = Field(default_factory=dict)
    config: Annotated[Values, said("What its notebooks read, as it is written.", kind="keys")] = Field(
        default_factory=dict
    )
    history: Annotated[list[Any], said("Features of before each exposure, as known then.", keys=History)] = Field(
        default_factory=list
    )
    partitions: Annotated[Any, said("Its own, coarser than its logs'. Default: the exposures'.", keys=Partitions)] = (
        None
    )
    start: Annotated[
        str | None, said("A local date: earlier partitions are left out. Default: the first that can be trained.")
    ] = None
    requirements: Annotated[
        list[str], said("Packages that its notebooks need beyond the project's, as pip names them.")
    ] = Field(default_factory=list)
    memory: Annotated[
        str | None,
        said("Of reading examples, such as 4GB; beyond it DuckDB goes to disk. Default: most of the machine's."),
    ] = None
    # Read by the domain, which says what would be right.
    partitions_per_run: Annotated[Any, said("How many a run holds at most.", kind="whole number")] = (
        spec.Model.partitions_per_run
    )
    engine: Annotated[
        Any, said("What reads the event logs, with equal results.", kind="duckdb or spark, or one of them by step")
    ] = spec.Model.engine
    repair: Annotated[Any, said("Adds a schedule that tries again what is missing or failed.", keys=Repair)] = None
    kubernetes: Annotated[Values, said("Of its pods, where it runs on Kubernetes.", keys=ModelGroup)] = Field(
        default_factory=dict
    )
    owners: Annotated[list[str], said("Who answers for it: `team:ranking`, or an e-mail address.")] = Field(
        default_factory=list
    )

    def to_spec(self, logs: dict[str, event_log.EventLog]) -> spec.Model:
        """The declaration as a value of the domain.

        Args: `logs`: every event log of the project, by key.
        Raises: SpecError that names the key, the value and what would be right.
        """
        training = read_group(Training, self.training, key="training")
        evaluation = read_group(Evaluation, self.evaluation, key="evaluation")
        exposures = _find(logs, self.exposures, key="exposures")
        return spec.Model(
            name=self.name,
            exposures=exposures,
            outcomes=_find(logs, self.outcomes, key="outcomes"),
            join=_join(read_group(Join, self.join, key="join")),
            training=spec.Training(
                window=parse_duration(training.window, key="training.window"),
                gap=parse_duration(training.gap, key="training.gap", zero=True),
                attribution=parse_duration(training.attribution, key="training.attribution"),
            ),
            evaluation=spec.Evaluation(
                window=parse_duration(evaluation.window, key="evaluation.window"),
                horizons=tuple(parse_duration(h, key="evaluation.horizons") for h in evaluation.horizons),
            ),
            notebooks=spec.Notebooks(**read_group(Notebooks, self.notebooks, key="notebooks").model_dump()),
            config=self.config,
            history=tuple(_history(read_group(History, one, key="history"), logs) for one in self.history),
            calendar=_calendar(self.partitions, exposures.partitions),
            start=None if self.start is None else date_of(self.start, key="start"),
            requirements=tuple(self.requirements),
            partitions_per_run=self.partitions_per_run,
            memory=self.memory,
            pods=read_pods(self.kubernetes),
            engine=self.engine,
            owners=tuple(self.owners),
        )

    def to_repair(self) -> domain_repair.Repair | None:
        """When the model is repaired; None: never. Raises: as `to_spec`."""
        if self.repair is None:
            return None
        repair = read_group(Repair, self.repair, key="repair")
        return domain_repair.Repair.parse(repair.at, repair.lookback, repair.budget)


def _find(logs: dict[str, event_log.EventLog], name: str, *, key: str) -> event_log.EventLog:
    if name not in logs:
        close = get_close_matches(name, logs, n=1)
        hint = f"did you mean {close[0]}?" if close else f"the project declares {sorted(logs) or 'none'}"
        raise SpecError(key, name, f"the key of an event log; {hint}")
    return logs[name]


def _join(join: Join) -> spec.Join:
    if (join.id is None) == (join.entity is None):
        given = {name: columns for name, columns in join.model_dump().items() if columns is not None}
        raise SpecError("join", given, "either {id: [columns]} or {entity: [columns]}")
    return (
        spec.Join(tuple(join.id), by_id=True)
        if join.id is not None
        else spec.Join(tuple(join.entity or ()), by_id=False)
    )


def _history(history: History, logs: dict[str, event_log.EventLog]) -> domain_history.History:
    features = {name: parse_feature(text, key=f"history.features.{name}") for name, text in history.features.items()}
    return domain_history.History(
        log=_find(logs, history.log, key="history.log"),
        window=parse_duration(history.window, key="history.window"),
        by=tuple(history.by),
        features=features,
    )


def _calendar(declared: Any, of_log: Calendar) -> Calendar | None:
    if declared is None:
        return None
    partitions = read_group(Partitions, declared, key="partitions")
    return Calendar(
        every=partitions.every,
        start=date_of(partitions.start, key="partitions.start") if partitions.start else of_log.start,
        timezone=partitions.timezone or of_log.timezone,
        end=date_of(partitions.end, key="partitions.end") if partitions.end else of_log.end,
    )
