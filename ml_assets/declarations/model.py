"""What a defs.yaml says of a model, read into the domain's value with the event logs that it names."""

from difflib import get_close_matches
from typing import Any, ClassVar, Literal

from pydantic import Field

from ml_assets.declarations.pods import read_pods
from ml_assets.declarations.reading import (
    Declaration,
    DurationText,
    Group,
    Values,
    date_of,
    read_group,
)
from ml_assets.domain import event_log, spec
from ml_assets.domain import history as domain_history
from ml_assets.domain import repair as domain_repair
from ml_assets.domain.calendar import Calendar
from ml_assets.domain.durations import parse_duration
from ml_assets.domain.errors import SpecError
from ml_assets.domain.history import parse_feature


class Join(Group):
    """How an outcome finds its exposures: either by an exposure `id`, or by `entity` keys."""

    id: list[str] | None = None
    entity: list[str] | None = None


class Training(Group):
    """The training window, the gap between its end and the cutoff, and how long an outcome counts."""

    window: DurationText
    attribution: DurationText
    gap: DurationText = "0d"


class Notebooks(Group):
    """The notebook of each step, from the project's root; the standard ones where none is named."""

    training_data: str = spec.Notebooks.training_data
    model: str = spec.Notebooks.model
    evaluation_data: str = spec.Notebooks.evaluation_data
    metrics: str = spec.Notebooks.metrics


class Evaluation(Group):
    """The evaluation window, and the horizons at which its outcomes are counted."""

    window: DurationText
    horizons: list[DurationText]


class History(Group):
    """Features of an exposure from the rows of a log that share `by` with it, of `window` before it."""

    log: str
    window: DurationText
    by: list[str]
    features: dict[str, str]


class Partitions(Group):
    """The model's own partitions, coarser than those of its logs; the exposure log's where a key is left out."""

    every: Literal["hour", "day", "week"]
    start: str | None = None
    timezone: str | None = None
    end: str | None = None


class Repair(Group):
    """When missing and failed partitions are tried again each day, how far back, and how much at once."""

    # Read by the domain, which says what would be right.
    at: Any
    lookback: DurationText
    budget: Any


class ModelDeclaration(Declaration):
    """What is declared of a model that is trained on each partition and judged at each horizon."""

    identity: ClassVar[str] = "name"

    name: str
    exposures: str
    outcomes: str
    join: Values
    training: Values
    evaluation: Values
    notebooks: Values = Field(default_factory=dict)
    config: Values = Field(default_factory=dict)
    history: list[Any] = Field(default_factory=list)
    partitions: Any = None
    start: str | None = None
    requirements: list[str] = Field(default_factory=list)
    memory: str | None = None
    # Read by the domain, which says what would be right.
    partitions_per_run: Any = spec.Model.partitions_per_run
    engine: Any = spec.Model.engine
    repair: Any = None
    kubernetes: Values = Field(default_factory=dict)
    owners: list[str] = Field(default_factory=list)

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
