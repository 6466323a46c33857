"""Which instants a step reads, and which event partitions hold them.

One function (`needed`) computes the partitions, for the sensor, the runner and lineage alike.

| rows | event time in | known time |
|---|---|---|
| training exposures | [cutoff - gap - window, cutoff - gap) | before cutoff + known delay |
| training outcomes | [cutoff - gap - window, cutoff) | before cutoff + known delay |
| evaluation exposures | [cutoff, cutoff + evaluation window) | newest knowledge |
| evaluation outcomes, horizon h | [cutoff, cutoff + evaluation window + h) | newest knowledge |
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ml_assets.domain.calendar import Interval
from ml_assets.domain.durations import Duration
from ml_assets.domain.spec import EventLog, Model


@dataclass(frozen=True)
class Windows:
    """What one table of labelled examples reads.

    `within`: how long after its exposure an outcome counts. `cutoff`: of training data, None for evaluation data,
    which takes the newest knowledge.
    """

    exposures: Interval
    outcomes: Interval
    within: timedelta
    cutoff: datetime | None

    @property
    def observed_until(self) -> datetime:
        """The instant up to which outcomes are seen."""
        return self.outcomes.end

    def known_before(self, log: EventLog) -> datetime | None:
        """Rows of `log` known at or after this instant are not used; None: the newest knowledge."""
        return None if self.cutoff is None else self.cutoff + log.known_delay


def rows_known_by(model: Model, windows: Windows) -> datetime | None:
    """The instant before which rows may still become known that training uses; None for evaluation data."""
    return None if windows.cutoff is None else max(windows.cutoff + log.known_delay for log in model.logs)


def training_windows(model: Model, index: int) -> Windows:
    """The windows of the training data of the partition at `index`."""
    cutoff = model.partitions.interval(index).end
    start = model.training_start(cutoff)
    return Windows(
        exposures=Interval(start, model.partitions.shift(cutoff, model.training.gap, -1)),
        outcomes=Interval(start, cutoff),
        within=model.training.attribution.elapsed,
        cutoff=cutoff,
    )


def evaluation_windows(model: Model, index: int, horizon: Duration) -> Windows:
    """The windows of the evaluation data of the partition at `index` for one horizon."""
    cutoff = model.partitions.interval(index).end
    end = model.partitions.shift(cutoff, model.evaluation.window, +1)
    return Windows(
        exposures=Interval(cutoff, end),
        outcomes=Interval(cutoff, end + horizon.elapsed),
        within=horizon.elapsed,
        cutoff=None,
    )


def windows_of(model: Model, index: int, horizon: Duration | None) -> Windows:
    """Evaluation windows where a horizon is given, training windows where it is not."""
    return training_windows(model, index) if horizon is None else evaluation_windows(model, index, horizon)


def needed(model: Model, windows: Windows) -> dict[str, range]:
    """The event partitions, by log key and as indices of the log's calendar, that the windows read."""
    exposures = model.exposures.partitions.indices(windows.exposures)
    outcomes = model.outcomes.partitions.indices(windows.outcomes)
    if model.exposures.key == model.outcomes.key:
        return {model.exposures.key: range(min(exposures.start, outcomes.start), max(exposures.stop, outcomes.stop))}
    return {model.exposures.key: exposures, model.outcomes.key: outcomes}
