"""Which instants a step reads, and which event partitions hold them.

One function (`needed`) computes the partitions, for the sensor, the runner, lineage and the evaluation debt alike.

| rows | event time in | known time |
|---|---|---|
| training exposures | [cutoff - gap - window, cutoff - gap) | before cutoff + known delay |
| training outcomes | [cutoff - gap - window, cutoff) | before cutoff + known delay |
| evaluation exposures | [cutoff, cutoff + evaluation window) | newest knowledge |
| evaluation outcomes, horizon h | [cutoff, cutoff + evaluation window + h) | newest knowledge |
| history of an exposure at t | [t - history window, t) | before t |
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from ml_assets.domain.calendar import Interval
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration


@dataclass(frozen=True)
class Windows:
    """What one table of labelled examples reads.

    `cutoff`: the end of the partition. `within`: how long after its exposure an outcome counts. `trains`: whether rows
    count as known at the cutoff; else by the newest knowledge. `history`: where that of the exposures lies, by log.
    """

    cutoff: datetime
    exposures: Interval
    outcomes: Interval
    within: timedelta
    trains: bool
    history: Mapping[str, Interval]

    @property
    def observed_until(self) -> datetime:
        """The instant up to which outcomes are seen."""
        return self.outcomes.end

    def known_before(self, log: EventLog) -> datetime | None:
        """Exposures and outcomes of `log` known at or after this instant are not used; None: the newest knowledge."""
        return self.cutoff + log.known_delay if self.trains else None


def rows_known_by(model: Model, windows: Windows) -> datetime:
    """The instant before which rows that training counts may still become known."""
    return windows.cutoff + longest_delay(model)


def longest_delay(model: Model) -> timedelta:
    """How long after its cutoff rows that a training counts may still become known."""
    return max(log.known_delay for log in (model.exposures, model.outcomes))


def training_windows(model: Model, index: int) -> Windows:
    """The windows of the training data of the partition at `index`."""
    cutoff = model.partitions.interval(index).end
    start = model.training_start(cutoff)
    exposures = Interval(start, model.partitions.shift(cutoff, model.training.gap, -1))
    within = model.training.attribution.elapsed
    return Windows(cutoff, exposures, Interval(start, cutoff), within, trains=True, history=_history(model, exposures))


def evaluation_windows(model: Model, index: int, horizon: Duration) -> Windows:
    """The windows of the evaluation data of the partition at `index` for one horizon."""
    cutoff = model.partitions.interval(index).end
    exposures = Interval(cutoff, model.partitions.shift(cutoff, model.evaluation.window, +1))
    outcomes = Interval(cutoff, exposures.end + horizon.elapsed)
    return Windows(cutoff, exposures, outcomes, horizon.elapsed, trains=False, history=_history(model, exposures))


def judged_until(model: Model, index: int) -> datetime:
    """The end of the exposures that judge the partition at `index`; its metrics mature a horizon later."""
    return model.partitions.shift(model.partitions.interval(index).end, model.evaluation.window, +1)


def windows_of(model: Model, index: int, horizon: Duration | None) -> Windows:
    """Evaluation windows where a horizon is given, training windows where it is not."""
    return training_windows(model, index) if horizon is None else evaluation_windows(model, index, horizon)


def needed(model: Model, windows: Windows) -> dict[str, range]:
    """The event partitions, by log key and as indices of the log's calendar, that the windows read."""
    found = {model.exposures.key: model.exposures.partitions.indices(windows.exposures)}
    _extend(found, model.outcomes, windows.outcomes)
    for history in model.history:
        _extend(found, history.log, windows.history[history.log.key])
    return found


class Needs:
    """What the windows of one model at one horizon need, by partition: as `needed`, for many partitions.

    Names of logs aside, that depends on calendars and lengths only: models with equal ones find it worked out.
    """

    def __init__(self, model: Model, horizon: Duration | None) -> None:
        self._model, self.horizon = model, horizon
        self._logs = [log.key for log in model.logs]
        self._ranges = _ranges_of(_shape(model, horizon), horizon)

    def of(self, index: int) -> dict[str, range]:
        """The event partitions that the partition at `index` needs."""
        ranges = self._ranges.get(index)
        if ranges is None:
            found = needed(self._model, windows_of(self._model, index, self.horizon))
            ranges = self._ranges[index] = tuple(found[log] for log in self._logs)
        return dict(zip(self._logs, ranges, strict=True))


@lru_cache(maxsize=64)
def _ranges_of(shape: Hashable, horizon: Duration | None) -> dict[int, tuple[range, ...]]:  # noqa: ARG001
    """The ranges found so far, by index: one dict for all models of equal shape."""
    return {}


def _shape(model: Model, horizon: Duration | None) -> Hashable:
    """Everything that decides what a model needs at a horizon, but for the names of its logs."""
    logs = [log.key for log in model.logs]
    return (
        model.partitions,
        tuple(log.partitions for log in model.logs),
        logs.index(model.outcomes.key),
        tuple((logs.index(history.log.key), history.window) for history in model.history),
        (model.training.window, model.training.gap) if horizon is None else model.evaluation.window,
    )


def last_index(model: Model, horizon: Duration | None) -> int | None:
    """The last partition whose windows end where the logs do, or before; None where no log ends.

    Later ones would wait for ever: nobody expects them.
    """
    finishes = [log.partitions.finish for log in model.logs if log.partitions.finish]
    calendar = model.partitions
    if not finishes and calendar.length is None:
        return None
    index = (calendar.index(min(finishes)) if finishes else calendar.length) or 0
    if calendar.length is not None:
        index = min(index, calendar.length - 1)
    while index >= 0 and not _inside(model, windows_of(model, index, horizon)):
        index -= 1
    return index


def _inside(model: Model, windows: Windows) -> bool:
    calendars = {log.key: log.partitions for log in model.logs}
    return all(
        (length := calendars[key].length) is None or indices.stop <= length
        for key, indices in needed(model, windows).items()
    )


def _history(model: Model, exposures: Interval) -> dict[str, Interval]:
    longest: dict[str, timedelta] = {}
    for history in model.history:
        longest[history.log.key] = max(history.window.elapsed, longest.get(history.log.key, timedelta(0)))
    return {key: Interval(exposures.start - window, exposures.end) for key, window in longest.items()}


def _extend(found: dict[str, range], log: EventLog, interval: Interval) -> None:
    """Add the partitions of an interval to those of the same log; the two meet or overlap."""
    indices, known = log.partitions.indices(interval), found.get(log.key)
    found[log.key] = indices if known is None else range(min(known.start, indices.start), max(known.stop, indices.stop))
