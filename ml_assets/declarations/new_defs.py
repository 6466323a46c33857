"""The text of a new defs.yaml: commented, and such that it can be loaded at once. Light: the components import this."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import yaml

from ml_assets.declarations.event_log import LogDeclaration
from ml_assets.declarations.model import ModelDeclaration
from ml_assets.declarations.plain_scalars import PlainDumper
from ml_assets.declarations.reading import date_of
from ml_assets.domain.calendar import COARSENESS, Calendar, Every
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.names import check_key
from ml_assets.domain.errors import SpecError
from ml_assets.domain.windows import last_index

#: Training window, attribution, evaluation window and horizons, by the length of the model's partitions: the first that
#: the logs can hold are proposed.
_WINDOWS: dict[Every, list[tuple[str, str, str, list[str]]]] = {
    "hour": [
        ("7d", "1d", "1h", ["1h", "1d"]),
        ("1d", "6h", "1h", ["1h", "6h"]),
        ("1d", "1h", "1h", ["1h"]),
        ("6h", "1h", "1h", ["1h"]),
        ("6h", "30m", "1h", ["30m"]),
    ],
    "day": [
        ("28d", "7d", "1d", ["1d", "7d"]),
        ("7d", "1d", "1d", ["1d"]),
        ("3d", "1d", "1d", ["1d"]),
        ("1d", "1h", "1d", ["1h"]),
    ],
    "week": [
        ("8w", "2w", "1w", ["1w", "2w"]),
        ("4w", "1w", "1w", ["1w"]),
        ("2w", "1w", "1w", ["1w"]),
        ("1w", "1d", "1w", ["1d"]),
    ],
}
#: Of a new log: the longest evaluation window and horizon proposed.
_LOOKAHEAD: dict[Every, str] = {"hour": "25h", "day": "8d", "week": "3w"}
#: The folders of a new log, as an example.
_FOLDERS: dict[Every, str] = {"hour": "hour=2026-01-01-00:00+0000", "day": "date=2026-01-01", "week": "date=2026-01-01"}
_WINDOW_KEYS = ("training.", "evaluation.")

_LOG = """\
type: ml_assets.EventLog
attributes:
  key: {key}
  location: {key}    # below the root of event logs: {folder}/*.parquet, and _SUCCESS once the {every} is complete
  partitions: {{every: {every}, start: "{start}", timezone: {timezone}}}    # edit: the first day; an `end` is optional
  lookahead: {lookahead}    # the longest evaluation window + horizon of the models that read it
  # edit: the event's time, and what identifies a row; known: the column that says when a row could have been known
  columns: {{time: event_time, key: {columns}}}
  arrival: {{marker: _SUCCESS}}
"""
_MODEL = """\
# edit: the question that this model answers, in a sentence
type: ml_assets.EvaluatedModel
attributes:
  name: {name}
  exposures: {exposures}    # what asks for a prediction
  outcomes: {outcomes}    # what happened later; an exposure that has one has the label 1
  join: {join}    # the columns of both logs by which an outcome finds its exposure
  # edit: the {every}s of exposures that it learns from, and how long after an exposure an outcome counts
  training: {{window: {window}, gap: 0d, attribution: {attribution}}}
  # edit: the exposures that judge it begin at the cutoff; their outcomes count within each horizon
  evaluation: {{window: {judged}, horizons: {horizons}}}
"""
#: The loop of a project.
LOOP = """\
# One sensor for each service, and the resources and the executor of all steps. A project has one such file.
type: ml_assets.EvaluationLoop
attributes:
  # edit: paths, or URLs such as s3://bucket/team; relative ones lie below ML_ASSETS_STORAGE, or else in DAGSTER_HOME
  storage: {events: events, artifacts: artifacts, executed_notebooks: notebooks}
  executor: environment    # `project` where definitions.py has an executor of its own
"""
_PARTITIONS = "  partitions: {partitions}    # as the outcomes have them: the exposures' are finer\n"
_NOTEBOOKS = "  notebooks: {notebooks}    # the other steps have those of notebooks/standard/\n"
_CONFIG = """\
  config:
    features: {features}    # edit: columns of the exposures, or of a `history`
"""


@dataclass(frozen=True)
class NewLog:
    """An event log to be declared: its key, and the columns that identify a row."""

    key: str
    columns: tuple[str, ...]
    start: str
    timezone: str
    every: Every = "day"

    def to_yaml(self) -> str:
        """The document that declares it.

        Raises: SpecError for a key, a start or a time zone that is none.
        """
        check_key("key", self.key)
        Calendar(self.every, date_of(self.start, key="partitions.start"), self.timezone)
        return _LOG.format(
            key=self.key,
            every=self.every,
            folder=_FOLDERS[self.every],
            start=self.start,
            timezone=self.timezone,
            lookahead=_LOOKAHEAD[self.every],
            columns=_flow(list(self.columns)),
        )


@dataclass(frozen=True)
class NewModel:
    """A model to be declared, on logs that exist. Without features it gets no `config`."""

    name: str
    exposures: str
    outcomes: str
    join: Mapping[str, list[str]]
    notebooks: Mapping[str, str] = field(default_factory=dict)
    features: Sequence[str] = ()

    def to_yaml(self, logs: Mapping[str, EventLog]) -> str:
        """The document that declares it, with the first windows that the logs can hold.

        Raises: SpecError when they can hold none.
        """
        own, of_outcomes = (logs[key].partitions for key in (self.exposures, self.outcomes))
        coarser = of_outcomes if COARSENESS[of_outcomes.every] > COARSENESS[own.every] else None
        every = (coarser or own).every
        for windows in _WINDOWS[every]:
            text = self._render(every, coarser, *windows)
            try:
                _check_model(text, logs)
            except SpecError as error:
                if not error.key.startswith(_WINDOW_KEYS) or windows == _WINDOWS[every][-1]:
                    raise
            else:
                break
        return text

    def _render(  # noqa: PLR0917  (windows as they stand in the table)
        self, every: Every, coarser: Calendar | None, window: str, attribution: str, judged: str, horizons: list[str]
    ) -> str:
        text = _MODEL.format(
            name=self.name,
            every=every,
            exposures=self.exposures,
            outcomes=self.outcomes,
            join=_flow(dict(self.join)),
            window=window,
            attribution=attribution,
            judged=judged,
            horizons=_flow(horizons),
        )
        if coarser:
            partitions = {"every": coarser.every, "start": coarser.start.isoformat()}
            text += _PARTITIONS.format(partitions=_flow(partitions))
        if self.notebooks:
            text += _NOTEBOOKS.format(notebooks=_flow(dict(self.notebooks)))
        if self.features:
            text += _CONFIG.format(features=_flow(list(self.features)))
        return text


def new_logs(  # noqa: PLR0917  (as the defs.yaml has them)
    exposures: str,
    outcomes: str,
    columns: Sequence[str],
    outcome_columns: Sequence[str],
    start: str,
    timezone: str,
    every: Every = "day",
) -> tuple[str, dict[str, EventLog]]:
    """The defs.yaml of two new logs, and what it declares.

    Raises: SpecError.
    """
    # Where both are one log, the exposures' columns identify its rows.
    columns_of = {exposures: columns, **({outcomes: outcome_columns} if outcomes != exposures else {})}
    logs = [NewLog(key, tuple(of_key), start, timezone, every) for key, of_key in columns_of.items()]
    texts = [log.to_yaml() for log in logs]
    return "---\n".join(texts), {log.key: read_log(text) for log, text in zip(logs, texts, strict=True)}


def default_start() -> str:
    """The first of January of this year."""
    return datetime.now(UTC).date().replace(month=1, day=1).isoformat()


def read_log(text: str) -> EventLog:
    """The log that a document declares.

    Raises: SpecError.
    """
    return LogDeclaration(**yaml.safe_load(text)["attributes"]).to_spec()


def _check_model(text: str, logs: Mapping[str, EventLog]) -> None:
    model = ModelDeclaration(**yaml.safe_load(text)["attributes"]).to_spec(dict(logs))
    for horizon in (None, *model.evaluation.horizons):
        last = last_index(model, horizon)
        if last is not None and last < model.first_index:
            raise SpecError("training.window", str(model.training.window), "windows that fit into the logs")


def _flow(value: object) -> str:
    """YAML in one line."""
    text: str = yaml.dump(value, Dumper=PlainDumper, default_flow_style=True, sort_keys=False, width=1_000_000)
    return text.strip()
