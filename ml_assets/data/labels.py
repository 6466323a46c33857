"""Labels as one Ibis expression, whatever engine runs it.

Belongs here: which rows of the logs count and how an outcome meets an exposure. Does not belong here: where
files lie, which windows a partition has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import ibis
from ibis import ir
from ibis.expr import datatypes as dt

from ml_assets.data.keys import common_type, lacks
from ml_assets.data.versions import TAKEN_BACK, newest_first, with_taken_back
from ml_assets.domain.calendar import Interval
from ml_assets.domain.declared.event_log import Columns
from ml_assets.domain.declared.spec import LABEL_COLUMNS

#: Begins the names of the columns that the join adds for its own use.
_OURS = "_outcome_"
_INSTANT = "timestamp('UTC', 6)"


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def unix_micros(time: datetime) -> int:
    """Microseconds since 1970, in DuckDB and in Spark.

    A difference of two timestamps would do, but DuckDB works it out by a calendar: that alone takes longer than
    reading and writing the rows.
    """
    raise NotImplementedError


@dataclass(frozen=True)
class Selection:
    """The rows of a log that count: event time within `interval`, known before `known_before` (None: newest)."""

    columns: Columns
    interval: Interval
    known_before: datetime | None


def was_known(log: ir.Table, selection: Selection) -> ir.BooleanValue:
    """Whether a row of a log was known in time, whatever came of it since."""
    known = selection.columns.known
    if known is None or selection.known_before is None:
        return ibis.literal(value=True)
    return log[known] < ibis.literal(selection.known_before)


def select_events(log: ir.Table, selection: Selection) -> ir.Table:
    """The rows of a log that count, as of an instant.

    Where the log has a known time, the newest row known of each key wins: a correction is an appended row. A key whose
    newest row is a retraction has no row (see `versions.with_taken_back`). Of rows that became known at once, one that
    is not taken back wins, and of several the greatest, compared by event time and then by the other columns. A row
    without a key is corrected by none and corrects none: each of them counts.
    """
    columns = selection.columns
    log = with_taken_back(log.filter(was_known(log, selection)), columns)
    if columns.known is not None:
        newest = ibis.window(group_by=list(columns.key), order_by=newest_first(log, columns))
        # A column of its own: of a condition with a window and other columns Spark is told what it cannot resolve.
        log = log.mutate(_newest=ibis.row_number().over(newest) == 0)
        log = log.filter(log["_newest"] | lacks(log, columns.key)).drop("_newest")
    time = log[columns.time]
    return log.filter(
        ~log[TAKEN_BACK],
        time >= ibis.literal(selection.interval.start),
        time < ibis.literal(selection.interval.end),
    ).drop(TAKEN_BACK)


def label_examples(
    exposures: ir.Table,
    outcomes: ir.Table,
    *,
    exposure_time: str,
    outcome_columns: Columns,
    keys: Sequence[str],
    by_id: bool,
    within: timedelta,
    observed_until: datetime,
) -> ir.Table:
    """The exposures, each with `label`, `label_age`, `mature`, `outcome_time` and `outcome_known`.

    `label` (int8) is 1 when an outcome with the same keys came within `within` of the exposure at time t: in
    [t, t + within) joined by an exposure id, in (t, t + within) joined by entity keys. One outcome may count for
    several exposures. `label_age` (float64, seconds) is `observed_until` less t; `mature` says whether the whole
    of `within` had passed by then. `outcome_time` is the event time of the first outcome that counts, `outcome_known`
    when it could be known (its event time, where the log has no known time); null where there is none.
    Rows: those of `exposures`, each once.
    Raises: ValueError when the exposures have a column of one of these names, or one that begins with `_outcome_`, and
    when a key is of two kinds.
    """
    # Engines tell no case apart in names.
    taken = [name for name in exposures.columns if name.lower() in LABEL_COLUMNS or name.lower().startswith(_OURS)]
    if taken:
        raise ValueError(f"the exposure log has columns {taken}, which labelling adds; rename them in the log")
    outcome = _outcomes_between(outcomes, outcome_columns, keys, within)
    start = exposures[exposure_time]
    time, previous = outcome[f"{_OURS}time"], outcome[f"{_OURS}previous"]
    first = (previous < start, start <= time) if by_id else (previous <= start, start < time)
    same = [
        _typed(exposures[key], dtype) == _typed(outcome[f"{_OURS}key_{number}"], dtype)
        for number, (key, dtype) in enumerate(_key_types(exposures, outcomes, keys).items())
    ]
    joined = exposures.left_join(outcome, [*same, *first, outcome[f"{_OURS}after"] < start])
    start = joined[exposure_time]
    observed = observed_until.astimezone(UTC)
    return joined.select(
        *exposures.columns,
        label=joined[f"{_OURS}time"].notnull().cast("int8"),
        label_age=(unix_micros(ibis.literal(observed)) - unix_micros(start)) / 1_000_000,
        mature=start <= ibis.literal(observed - within),
        outcome_time=joined[f"{_OURS}time"].cast(_INSTANT),
        outcome_known=joined[f"{_OURS}known"].cast(_INSTANT),
    )


def _outcomes_between(outcomes: ir.Table, columns: Columns, keys: Sequence[str], within: timedelta) -> ir.Table:
    """The outcomes, each with the bounds of the exposures whose first outcome it is.

    Those came after `after`, or the outcome would be too late, and not before `previous`, the outcome of the same keys
    before it, or that one would be the first. So an exposure meets one outcome at most: the join keeps each exposure
    once, reads each log once, and holds no more than the outcomes in memory.
    """
    outcomes = outcomes.filter(~lacks(outcomes, keys))
    time, known = outcomes[columns.time], outcomes[columns.known or columns.time]
    # Of outcomes at once the earliest known is met; no exposure lies between it and the others.
    in_order = ibis.window(group_by=list(keys), order_by=[time, known])
    after = time - ibis.interval(seconds=int(within.total_seconds()))
    ours = {
        **{f"key_{number}": outcomes[key] for number, key in enumerate(keys)},
        "time": time,
        "known": known,
        "after": after,
        "previous": ibis.coalesce(time.lag().over(in_order), after),
    }
    return outcomes.select(**{_OURS + name: value for name, value in ours.items()})


def _key_types(exposures: ir.Table, outcomes: ir.Table, keys: Sequence[str]) -> dict[str, dt.DataType]:
    return {
        key: common_type(f"join by {key}", {"exposures": exposures[key].type(), "outcomes": outcomes[key].type()})
        for key in keys
    }


def _typed(value: ir.Value, dtype: dt.DataType) -> ir.Value:
    """Engines compare the types that each of them has; nothing at all has none."""
    return value.cast(dtype) if value.type().is_null() else value
