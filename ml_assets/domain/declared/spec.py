"""What a team declares of a model, as plain values that are valid once they exist.

Belongs here: fields and the rules between them. Does not belong here: YAML, files, Dagster.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any

from ml_assets.domain.calendar import COARSENESS, LAST_DATE, Calendar
from ml_assets.domain.declared.config import check_config
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.history import History
from ml_assets.domain.declared.names import check_columns, check_key, check_owners
from ml_assets.domain.declared.pods import Pod, check_memory
from ml_assets.domain.durations import Duration
from ml_assets.domain.errors import SpecError

#: Columns that labelling adds to each exposure.
LABEL_COLUMNS = ("label", "label_age", "mature", "outcome_time", "outcome_known")
#: When the newest row that a history feature was made of had happened and was known.
FEATURE_TIME = "feature_time"
ADDED_COLUMNS = (*LABEL_COLUMNS, FEATURE_TIME)
ENGINES = ("duckdb", "spark")
#: The steps that read event logs, which an engine does.
READING_STEPS = ("training_data", "evaluation_data")


@dataclass(frozen=True)
class Join:
    """How an outcome finds its exposures: by an exposure `id`, or by `entity` keys such as user and item."""

    columns: tuple[str, ...]
    by_id: bool

    def __post_init__(self) -> None:
        check_columns("join.id" if self.by_id else "join.entity", self.columns)


@dataclass(frozen=True)
class Training:
    """The training window: how long it is, how far before the cutoff it ends, how long an outcome still counts."""

    window: Duration
    gap: Duration
    attribution: Duration


@dataclass(frozen=True)
class Evaluation:
    """The evaluation window, and after which horizons its outcomes are counted."""

    window: Duration
    horizons: tuple[Duration, ...]


@dataclass(frozen=True)
class Notebooks:
    """The notebook of each step, as a path from the project's root."""

    training_data: str = "notebooks/standard/training_data.ipynb"
    model: str = "notebooks/standard/model.ipynb"
    evaluation_data: str = "notebooks/standard/evaluation_data.ipynb"
    metrics: str = "notebooks/standard/metrics.ipynb"


@dataclass(frozen=True)
class Model:
    """A model that is trained on each partition and judged at each horizon."""

    name: str
    exposures: EventLog
    outcomes: EventLog
    join: Join
    training: Training
    evaluation: Evaluation
    notebooks: Notebooks = field(default_factory=Notebooks)
    config: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[History, ...] = ()
    #: Packages that the notebooks need beyond those of the project, as pip names them.
    requirements: tuple[str, ...] = ()
    #: A run holds at most this many, so that what a killed run loses is bounded.
    partitions_per_run: int = 10
    #: That reading examples may take before it goes to disk, such as 4GB; None: most of the machine's.
    memory: str | None = None
    #: None: that of the exposure log.
    calendar: Calendar | None = None
    #: Partitions that begin before this local date are left out. It is no part of what results depend on.
    start: date | None = None
    #: On Kubernetes, by step; others run as the deployment has it.
    pods: Mapping[str, Pod] = field(default_factory=dict)
    #: What reads the event logs: of all steps, or by step. Results are equal, so it is no part of what they depend on.
    engine: str | Mapping[str, str] = ENGINES[0]
    #: Who answers for it: `team:ranking` or an e-mail address.
    owners: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_key("name", self.name)
        check_config(self.config)
        if type(self.partitions_per_run) is not int or self.partitions_per_run < 1:
            raise SpecError("partitions_per_run", self.partitions_per_run, "a whole number from 1 on")
        check_owners(self.owners)
        check_memory(self.memory, {step: self.pods[step] for step in READING_STEPS if step in self.pods})
        self._check_engine()
        self._check_join()
        self._check_history()
        self._check_calendars()
        self._check_start()
        self._check_windows()

    @property
    def service(self) -> str:
        """The first part of the name."""
        return self.name.split("/")[0]

    @property
    def partitions(self) -> Calendar:
        """The model's partitions: its own, or those of its exposure log."""
        return self.calendar or self.exposures.partitions

    @cached_property
    def logs(self) -> tuple[EventLog, ...]:
        """The event logs that the model reads, each once."""
        logs = (self.exposures, self.outcomes, *(history.log for history in self.history))
        return tuple({log.key: log for log in logs}.values())

    @cached_property
    def first_index(self) -> int:
        """The first partition of all: the first trainable one, or a later one where the model's `start` says so."""
        if self.start is None:
            return self.first_trainable
        begin = datetime.combine(self.start, time(), self.partitions.zone).astimezone(UTC)
        at = self.partitions.index(begin)
        return max(self.first_trainable, at if self.partitions.interval(at).start == begin else at + 1)

    @cached_property
    def first_trainable(self) -> int:
        """The first partition whose training window, with the history of its exposures, lies wholly inside the logs."""
        windows = self.training.window.elapsed + self.training.gap.elapsed
        begins = [log.partitions.origin for log in (self.exposures, self.outcomes)]
        begins += [history.log.partitions.origin + history.window.elapsed for history in self.history]
        # Not long before it: clock changes shift a window by less than two days.
        index = max(0, self.partitions.index(max(begins) + windows - timedelta(days=2)) - 2)
        while not self._reaches_back(self.training_start(self.partitions.interval(index).end)):
            index += 1
        return index

    def _reaches_back(self, start: datetime) -> bool:
        """Whether the logs hold all that exposures from `start` on need."""
        begins = [log.partitions.origin for log in (self.exposures, self.outcomes)]
        return start >= max(begins) and all(
            start - history.window.elapsed >= history.log.partitions.origin for history in self.history
        )

    def training_start(self, cutoff: datetime) -> datetime:
        """The first instant of the training window that belongs to a cutoff."""
        before_gap = self.partitions.shift(cutoff, self.training.gap, -1)
        return self.partitions.shift(before_gap, self.training.window, -1)

    @property
    def steps(self) -> list[tuple[str, Duration | None]]:
        """The steps, upstream first: training data and model, then evaluation data and metrics of each horizon."""
        evaluations = [(step, h) for h in self.evaluation.horizons for step in ("evaluation_data", "metrics")]
        return [("training_data", None), ("model", None), *evaluations]

    @property
    def assets(self) -> list[str]:
        """The asset keys of the steps."""
        return [self.asset(step, horizon) for step, horizon in self.steps]

    def asset(self, step: str, horizon: Duration | None = None) -> str:
        """The asset key of a step, such as `ads/cvr/metrics_7d`."""
        return f"{self.name}/{step}" + (f"_{horizon}" if horizon else "")

    def engine_of(self, step: str) -> str:
        """What reads the event logs of a step: duckdb or spark."""
        if step not in READING_STEPS:
            return ENGINES[0]
        return self.engine if isinstance(self.engine, str) else self.engine.get(step, ENGINES[0])

    def declaration_of(self, step: str, horizon: Duration | None) -> dict[str, object]:
        """What a step's result depends on besides its notebook, its configuration and its inputs, as plain values."""
        attribution = str(self.training.attribution)
        if step == "metrics":
            return {"attribution": attribution, "horizon": str(horizon)}
        if step == "model":
            return {}
        logs = [(log.key, log.place, *astuple(log.columns), *log.partitions.shape) for log in self.logs]
        history = [(one.log.key, str(one.window), one.by, dict(one.features)) for one in self.history]
        join = (self.join.by_id, self.join.columns)
        which = {"exposures": self.exposures.key, "partitions": self.partitions.shape}
        common = {**which, "join": join, "logs": logs, "history": history}
        if horizon is not None:
            return {**common, "window": str(self.evaluation.window), "horizon": str(horizon)}
        delays = [str(log.known_delay) for log in (self.exposures, self.outcomes)]
        windows = [str(self.training.window), str(self.training.gap), attribution]
        return {**common, "windows": windows, "known_delays": delays}

    def _check_engine(self) -> None:
        by_step = {"": self.engine} if isinstance(self.engine, str) else self.engine
        if not isinstance(by_step, Mapping):
            raise SpecError("engine", self.engine, f"{' or '.join(ENGINES)}, or one by step")
        for step, engine in by_step.items():
            if step and step not in READING_STEPS:
                raise SpecError("engine", step, f"a step that reads event logs: {' or '.join(READING_STEPS)}")
            if engine == "spark" and (tables := [log.key for log in self.logs if log.table is not None]):
                raise SpecError("engine", engine, f"duckdb, which reads the tables that hold {', '.join(tables)}")
            if engine not in ENGINES:
                raise SpecError(f"engine.{step}" if step else "engine", engine, " or ".join(ENGINES))

    def _check_join(self) -> None:
        if self.join.by_id and self.exposures.key == self.outcomes.key:
            raise SpecError(
                "join.id",
                list(self.join.columns),
                "a log joined with itself by id matches every row with itself; join it by entity",
            )
        columns = self.exposures.columns
        for name in (*columns.times, *columns.key, *self.join.columns):
            if name.lower() in LABEL_COLUMNS:
                right = f"{self.exposures.key} with another name for it: labelling adds {', '.join(LABEL_COLUMNS)}"
                raise SpecError("exposures", name, right)

    def _check_history(self) -> None:
        # Engines tell no case apart in names.
        names = [name for history in self.history for name in history.features]
        plain = [name.lower() for name in names]
        columns = self.exposures.columns
        others = {*ADDED_COLUMNS, *(name.lower() for name in (*columns.times, *columns.key, *self.join.columns))}
        others |= {name.lower() for history in self.history for name in history.by}
        taken = sorted({name for name, one in zip(names, plain, strict=True) if plain.count(one) > 1 or one in others})
        if taken:
            right = f"names that differ from one another and from {', '.join(sorted(others))}"
            raise SpecError("history.features", taken, right)

    def _check_calendars(self) -> None:
        ours = self.partitions
        places = [("exposures", self.exposures), ("outcomes", self.outcomes)]
        for key, log in places + [("history", history.log) for history in self.history]:
            theirs = log.partitions
            if theirs.timezone != ours.timezone:
                raise SpecError(key, log.key, f"a log in the time zone of the model, {ours.timezone}")
            if COARSENESS[theirs.every] > COARSENESS[ours.every]:
                raise SpecError(key, log.key, f"a log with one partition each {ours.every}, as the model has, or finer")
            if theirs.every == "week" and (theirs.start - ours.start).days % 7:
                raise SpecError(key, log.key, f"a log whose weeks begin on the weekday of {ours.start}")

    def _check_start(self) -> None:
        ours = self.partitions
        if self.start is not None and not ours.start <= self.start < (ours.end or LAST_DATE):
            span = f"from {ours.start} {f'to before {ours.end}' if ours.end else 'on'}"
            raise SpecError("start", str(self.start), f"a local date within the model's partitions, {span}")

    def _check_windows(self) -> None:
        every = self.partitions.every
        windows = {"training.window": self.training.window, "evaluation.window": self.evaluation.window}
        for key, window in {**windows, "training.gap": self.training.gap}.items():
            if not self.partitions.divides(window):
                raise SpecError(
                    key,
                    str(window),
                    f"a whole number of partitions, which are one each {every}: a window that ends within a partition "
                    "would wait for all of it and read a part of it",
                )
        reach = self.training.window.elapsed + self.training.gap.elapsed
        if reach <= self.training.attribution.elapsed:
            raise SpecError(
                "training.window",
                str(self.training.window),
                f"window + gap must exceed the attribution ({self.training.attribution}), or no example is mature",
            )
        horizons = self.evaluation.horizons
        if not horizons:
            raise SpecError("evaluation.horizons", [], "at least one horizon, such as [7d]")
        if len({h.elapsed for h in horizons}) < len(horizons):
            raise SpecError("evaluation.horizons", [str(h) for h in horizons], "horizons of different length")
        longest = max(horizons, key=lambda h: h.elapsed)
        window = self.evaluation.window
        for log in (self.exposures, *(history.log for history in self.history)):
            self._check_lookahead("window", log, window.elapsed, str(window))
        self._check_lookahead("horizons", self.outcomes, window.elapsed + longest.elapsed, f"{window} + {longest}")

    def _check_lookahead(self, key: str, log: EventLog, needed: timedelta, words: str) -> None:
        if log.lookahead.elapsed < needed:
            raise SpecError(
                f"evaluation.{key}",
                words,
                f"it reaches further ahead than {log.key} lists partitions (lookahead {log.lookahead}): "
                f"raise that log's lookahead to at least {words}",
            )
