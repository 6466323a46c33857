"""The `EvaluatedModel` component: reads the declaration of a model and finds its event logs."""

from difflib import get_close_matches
from typing import Any, Literal

import dagster as dg
from pydantic import Field

from ml_assets.components.event_log import EventLog
from ml_assets.components.reading import DurationText, refusing
from ml_assets.domain import spec
from ml_assets.domain.durations import parse_duration
from ml_assets.domain.errors import SpecError
from ml_assets.orchestration.assets import model_definitions


class JoinModel(dg.Model, dg.Resolvable):
    """How an outcome finds its exposures: either by an exposure `id`, or by `entity` keys."""

    id: list[str] | None = None
    entity: list[str] | None = None


class TrainingModel(dg.Model, dg.Resolvable):
    """The training window, the gap between its end and the cutoff, and how long an outcome counts."""

    window: DurationText
    attribution: DurationText
    gap: DurationText = "0d"


class EvaluationModel(dg.Model, dg.Resolvable):
    """The evaluation window, and the horizons at which its outcomes are counted."""

    window: DurationText
    horizons: list[DurationText]


class EvaluatedModel(dg.Component, dg.Model, dg.Resolvable):
    """A model that is trained on each partition and judged at each horizon, when its outcomes are in."""

    name: str
    exposures: str
    outcomes: str
    join: JoinModel
    training: TrainingModel
    evaluation: EvaluationModel
    notebooks: dict[Literal["training_data", "model", "evaluation_data", "metrics"], str] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)

    def to_spec(self, logs: dict[str, spec.EventLog]) -> spec.Model:
        """The declaration as a value of the domain.

        Args: `logs`: every event log of the project, by key.
        Raises: SpecError that names the key, the value and what would be right.
        """
        return spec.Model(
            name=self.name,
            exposures=_find(logs, self.exposures, key="exposures"),
            outcomes=_find(logs, self.outcomes, key="outcomes"),
            join=_join(self.join),
            training=spec.Training(
                window=parse_duration(self.training.window, key="training.window"),
                gap=parse_duration(self.training.gap, key="training.gap", zero=True),
                attribution=parse_duration(self.training.attribution, key="training.attribution"),
            ),
            evaluation=spec.Evaluation(
                window=parse_duration(self.evaluation.window, key="evaluation.window"),
                horizons=tuple(parse_duration(h, key="evaluation.horizons") for h in self.evaluation.horizons),
            ),
            notebooks=spec.Notebooks(**self.notebooks),
            config=self.config,
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets of this model."""
        with refusing(context):
            return model_definitions(self.to_spec(event_logs(context.component_tree)), context.project_root)


def event_logs(tree: dg.ComponentTree) -> dict[str, spec.EventLog]:
    """Every event log that the project declares, by key."""
    return {log.key: log for log in (component.to_spec() for component in tree.get_all_components(EventLog))}


def _find(logs: dict[str, spec.EventLog], name: str, *, key: str) -> spec.EventLog:
    if name not in logs:
        close = get_close_matches(name, logs, n=1)
        hint = f"did you mean {close[0]}?" if close else f"the project declares {sorted(logs) or 'none'}"
        raise SpecError(key, name, f"the key of an event log; {hint}")
    return logs[name]


def _join(join: JoinModel) -> spec.Join:
    if (join.id is None) == (join.entity is None):
        given = {name: columns for name, columns in join.model_dump().items() if columns is not None}
        raise SpecError("join", given, "either {id: [columns]} or {entity: [columns]}")
    return (
        spec.Join(tuple(join.id), by_id=True)
        if join.id is not None
        else spec.Join(tuple(join.entity or ()), by_id=False)
    )
