"""History features: what was known of an exposure's entity before the exposure, as one Ibis expression.

Both clocks count. A row of the log is seen by an exposure at t when it happened before t and was known before t, and
when no newer version of its key was known before t. Training and evaluation see the same, as serving did.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import ibis
from ibis import ir

from ml_assets.data.labels import is_deleted, newest_last
from ml_assets.domain.event_log import Columns
from ml_assets.domain.history import Feature
from ml_assets.domain.spec import FEATURE_TIME

_KNOWN = "_history_known"
_UNTIL = "_history_until"


def with_history(
    examples: ir.Table,
    log: ir.Table,
    *,
    row: str,
    example_time: str,
    columns: Columns,
    by: Sequence[str],
    within: timedelta,
    features: Mapping[str, Feature],
) -> ir.Table:
    """The examples with a column for each feature, and `feature_time`; the column `row` tells examples apart.

    A feature of an exposure at t is made of the log's rows with equal `by` and event time in [t - within, t), as known
    before t. `count` is 0 where there is none, every other feature null; `last` is the value of the row with the
    greatest event time, known newest. `feature_time` is when the newest row used had both happened and become known,
    null where there is none; where the examples have one already, the greater.
    Rows: those of `examples`, each once.
    """
    seen = _as_known(log, columns)
    of_log = dict.fromkeys([*by, columns.time, *(one.column for one in features.values() if one.column)])
    seen = seen.select(*of_log, _KNOWN, _UNTIL).rename({f"_history_{name}": name for name in of_log})
    time, at = seen[f"_history_{columns.time}"], examples[example_time]
    pairs = examples.select(row, example_time, *by).join(
        seen,
        [
            *(examples[name] == seen[f"_history_{name}"] for name in by),
            time < at,
            time >= at - ibis.interval(seconds=int(within.total_seconds())),
            seen[_KNOWN] < at,
            seen[_UNTIL].isnull() | (seen[_UNTIL] >= at),
        ],
    )
    newest = [pairs[f"_history_{columns.time}"], pairs[_KNOWN]]
    made = pairs.group_by(row).agg(
        **{name: _aggregate(pairs, feature, newest) for name, feature in features.items()},
        _history_time=ibis.greatest(*newest).max(),
    )
    joined = examples.left_join(made, row)
    values = {
        name: ibis.coalesce(joined[name], 0) if feature.function == "count" else joined[name]
        for name, feature in features.items()
    }
    before = [joined[FEATURE_TIME]] if FEATURE_TIME in examples.columns else []
    feature_time = ibis.greatest(*before, joined["_history_time"]) if before else joined["_history_time"]
    kept = [name for name in examples.columns if name != FEATURE_TIME]
    return joined.select(*kept, **values, **{FEATURE_TIME: feature_time})


def _as_known(log: ir.Table, columns: Columns) -> ir.Table:
    """The rows of a log, each with when it was known and until when it was the newest of its key; no retractions."""
    if columns.known is None:
        return log.mutate(**{_KNOWN: log[columns.time], _UNTIL: ibis.null("timestamp('UTC', 6)")})
    versions = ibis.window(group_by=list(columns.key), order_by=[ibis.desc(one) for one in newest_last(log, columns)])
    log = log.mutate(**{_KNOWN: log[columns.known], _UNTIL: log[columns.known].lag().over(versions)})
    return log if columns.deleted is None else log.filter(~is_deleted(log, columns))


def _aggregate(pairs: ir.Table, feature: Feature, newest: Sequence[ir.Value]) -> ir.Value:
    if feature.function == "count":
        return pairs.count()
    column = pairs[f"_history_{feature.column}"]
    if feature.function == "last":
        return column.last(order_by=list(newest), include_null=True)
    return getattr(column, feature.function)()
