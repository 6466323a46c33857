"""Labels as one Ibis expression, whatever engine runs it.

Belongs here: which rows of the logs count and how an outcome meets an exposure. Does not belong here: where
files lie, which windows a partition has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import ibis
from ibis import ir

from ml_assets.domain.calendar import Interval
from ml_assets.domain.spec import LABEL_COLUMNS, Columns

_TIMES = "_outcome_times"


@dataclass(frozen=True)
class Selection:
    """The rows of a log that count: event time within `interval`, known before `known_before` (None: newest)."""

    columns: Columns
    interval: Interval
    known_before: datetime | None


def select_events(log: ir.Table, selection: Selection) -> ir.Table:
    """The rows of a log that count, as of an instant.

    Where the log has a known time, the newest row known of each key wins: a correction is an appended row. Of rows
    that became known at once, the greatest wins, compared by event time and then by the other columns.
    """
    columns = selection.columns
    if columns.known is not None:
        if selection.known_before is not None:
            log = log.filter(log[columns.known] < ibis.literal(selection.known_before))
        order = dict.fromkeys((columns.known, columns.time, *sorted(log.columns)))
        newest = ibis.window(group_by=list(columns.key), order_by=[ibis.desc(name) for name in order])
        log = log.filter(ibis.row_number().over(newest) == 0)
    time = log[columns.time]
    return log.filter(
        time >= ibis.literal(selection.interval.start),
        time < ibis.literal(selection.interval.end),
    )


def label_examples(
    exposures: ir.Table,
    outcomes: ir.Table,
    *,
    exposure_time: str,
    outcome_time: str,
    keys: Sequence[str],
    by_id: bool,
    within: timedelta,
    observed_until: datetime,
) -> ir.Table:
    """The exposures, each with `label`, `label_age` and `mature`.

    `label` (int8) is 1 when an outcome with the same keys came within `within` of the exposure at time t: in
    [t, t + within) joined by an exposure id, in (t, t + within) joined by entity keys. One outcome may count for
    several exposures. `label_age` (float64, seconds) is `observed_until` less t; `mature` says whether the whole
    of `within` had passed by then. Rows: those of `exposures`, each once.
    Raises: ValueError when a log has a column of one of these names.
    """
    # Engines tell no case apart in names.
    taken = [name for name in exposures.columns if name.lower() in (*LABEL_COLUMNS, _TIMES)]
    if taken:
        raise ValueError(f"the exposure log has columns {taken}, which labelling adds; rename them in the log")
    # One row per key, so that the join keeps each exposure once and reads each log once.
    times = outcomes.group_by(list(keys)).agg(**{_TIMES: outcomes[outcome_time].collect()})
    joined = exposures.left_join(times, list(keys), rname="_outcome_{name}")
    start = joined[exposure_time]
    end = start + ibis.interval(seconds=int(within.total_seconds()))
    hits = joined[_TIMES].filter(lambda t: ((t >= start) if by_id else (t > start)) & (t < end))
    label = ibis.coalesce(hits.length(), 0) > 0
    age = ibis.literal(observed_until).delta(start, unit="microsecond") / 1_000_000
    return joined.select(
        *exposures.columns,
        label=label.cast("int8"),
        label_age=age,
        mature=end <= ibis.literal(observed_until),
    )
