"""History features: what was known of an exposure's entity before the exposure, as one Ibis expression.

Both clocks count. A row of the log is seen by an exposure at t when it happened before t and was known before t, and
when no newer version of its key was known before t. Training and evaluation see the same, as serving did.

Exposures of one entity and one instant see the same, so each such moment is worked out once. The moments that see a
row are neighbours: numbered by time, theirs are the numbers of one range. Each range is cut into blocks, whose sizes
are powers of two and which begin at multiples of their size. Rows are aggregated by block, and a moment combines the
few blocks that hold its number. A join of the pairs would grow with their product.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import ibis
from ibis import ir

from ml_assets.data.keys import common_type, lacks
from ml_assets.data.versions import TAKEN_BACK, has_order, newest_first, with_taken_back
from ml_assets.domain.declared.event_log import Columns
from ml_assets.domain.declared.history import Feature
from ml_assets.domain.declared.spec import FEATURE_TIME

_INSTANT = "timestamp('UTC', 6)"
_NUMBER, _AT, _SIZE, _BLOCK = "_number", "_history_at", "_size", "_block"
#: A row is seen at t where _SINCE < t <= _UNTIL: by the moments with numbers in [_FIRST, _STOP).
_SINCE, _UNTIL, _FIRST, _STOP = "_since", "_until", "_first", "_stop"


def with_history(
    examples: ir.Table,
    log: ir.Table,
    *,
    example_time: str,
    columns: Columns,
    by: Sequence[str],
    within: timedelta,
    features: Mapping[str, Feature],
) -> ir.Table:
    """The examples with a column for each feature, and `feature_time`.

    A feature of an exposure at t is made of the log's rows with equal `by` and event time in [t - within, t), as known
    before t. `count` is 0 where there is none, every other feature null; `last` is the value of the row with the
    greatest event time, of several the one known newest, then the greatest. `feature_time` is when the newest row used
    had both happened and become known, null where there is none; where the examples have one already, the greater.
    Rows: those of `examples`, each once.
    Raises: ValueError when `by` has no type in common, or a column cannot be summed.
    """
    aggregates = [_Aggregate(feature, f"_value_{number}") for number, feature in enumerate(features.values())]
    entity = {f"_history_by_{number}": name for number, name in enumerate(by)}
    keys = list(entity)
    types = {
        key: common_type(f"history by {name}", {"examples": examples[name].type(), "log": log[name].type()})
        for key, name in entity.items()
    }

    seen = _as_known(log, columns, within)
    seen = seen.select(
        **{key: seen[name].cast(types[key]) for key, name in entity.items()},
        **{one.name: one.of_row(seen, columns) for one in aggregates},
        **{name: seen[name].cast(_INSTANT) for name in (_SINCE, _UNTIL)},
        # Not taken from what decides who sees the row: it is there to prove that.
        **{FEATURE_TIME: _latest([seen[name] for name in columns.times]).cast(_INSTANT)},
    )
    kept = [name for name in examples.columns if name != FEATURE_TIME]
    examples = examples.mutate(
        **{key: examples[name].cast(types[key]) for key, name in entity.items()},
        **{_AT: examples[example_time].cast(_INSTANT)},
    )
    # What has no key sees nothing, and is seen by none.
    seen, moments = seen.filter(~lacks(seen, keys)), examples.select(*keys, _AT)
    moments = moments.filter(~lacks(moments, keys), moments[_AT].notnull()).distinct()

    blocks = _cut(_numbered(seen, moments, keys))
    made = blocks.group_by([*keys, _SIZE, _BLOCK]).agg(
        **{one.name: one.of_rows(blocks[one.name]) for one in aggregates}, **{FEATURE_TIME: blocks[FEATURE_TIME].max()}
    )
    found = _blocks_of(moments, keys).join(made, [*keys, _SIZE, _BLOCK])
    made = found.group_by([*keys, _AT]).agg(
        **{one.name: one.of_blocks(found[one.name]) for one in aggregates},
        _feature_time=found[FEATURE_TIME].max(),
    )
    joined = examples.left_join(made, [*keys, _AT])
    new = {name: one.of_example(joined[one.name]) for name, one in zip(features, aggregates, strict=True)}
    times = [joined[name] for name in (FEATURE_TIME, "_feature_time") if name in joined.columns]
    return joined.select(*kept, **new, **{FEATURE_TIME: _latest(times)})


def _latest(times: Sequence[ir.TimestampValue]) -> ir.TimestampValue:
    # Spark's function wants two at least.
    return times[0] if len(times) == 1 else ibis.greatest(*times)


def _as_known(log: ir.Table, columns: Columns, within: timedelta) -> ir.Table:
    """The rows of a log with since when and until when each is seen; no retractions."""
    log = with_taken_back(log, columns)
    time = log[columns.time]
    end = time + ibis.interval(seconds=int(within.total_seconds()))
    if columns.known is None:
        return log.mutate(**{_SINCE: time, _UNTIL: end})
    known = log[columns.known]
    versions = ibis.window(group_by=list(columns.key), order_by=newest_first(log, columns))
    newer = lacks(log, columns.key).ifelse(ibis.null(known.type()), known.lag().over(versions))
    log = log.mutate(**{_SINCE: ibis.greatest(time, known), _UNTIL: ibis.least(end, newer)})
    return log.filter(time.notnull(), known.notnull(), ~log[TAKEN_BACK])


def _numbered(seen: ir.Table, moments: ir.Table, keys: Sequence[str]) -> ir.Table:
    """The rows with the range of the moments that see them, without those that none sees."""
    for instant, name in ((_SINCE, _FIRST), (_UNTIL, _STOP)):
        blank = {column: ibis.null(dtype(nullable=True)) for column, dtype in seen.schema().items()}
        filled = {**{key: moments[key] for key in keys}, instant: moments[_AT]}
        both = seen.mutate(_is_moment=0).union(moments.select(**{**blank, **filled}, _is_moment=1))
        # The one at the instant itself is counted: moments before rows.
        order = [both[instant], ibis.desc(both["_is_moment"])]
        so_far = ibis.window(group_by=keys, order_by=order, preceding=None, following=0)
        both = both.mutate(**{name: both["_is_moment"].sum().over(so_far)})
        seen = both.filter(both["_is_moment"] == 0).drop("_is_moment")
    return seen.filter(seen[_FIRST] < seen[_STOP])


def _cut(seen: ir.Table) -> ir.Table:
    """The rows, each once for every block of its range. Size n stands for blocks of 2 ** n moments."""
    seen = seen.mutate(**{_SIZE: _sizes(seen[_STOP] - seen[_FIRST]).unnest()})
    size = seen[_SIZE]
    # The blocks of a size that lie wholly in the range; at either end, one that no larger block of the range holds.
    first, stop = (seen[_FIRST] + (ibis.literal(1) << size) - 1) >> size, seen[_STOP] >> size
    ends = ibis.array([(first % 2 == 1).ifelse(first, -1), (stop % 2 == 1).ifelse(stop - 1, -1)])
    cut = seen.filter(first < stop).mutate(**{_BLOCK: ends.unnest()})
    return cut.filter(cut[_BLOCK] >= 0)


def _blocks_of(moments: ir.Table, keys: Sequence[str]) -> ir.Table:
    """The moments, each once for every block that may hold it."""
    numbered = moments.mutate(
        **{_NUMBER: ibis.row_number().over(ibis.window(group_by=keys, order_by=_AT))},
        _count=moments.count().over(ibis.window(group_by=keys)),
    )
    sized = numbered.mutate(**{_SIZE: _sizes(numbered["_count"]).unnest()})
    return sized.select(*keys, _AT, _SIZE, **{_BLOCK: sized[_NUMBER] >> sized[_SIZE]})


def _sizes(moments: ir.IntegerValue) -> ir.ArrayValue:
    """The sizes of blocks of no more than so many moments, and one size more."""
    return ibis.range(0, moments.log2().ceil().cast("int64") + 1)


@dataclass(frozen=True)
class _Aggregate:
    """A feature in two steps, of the rows of a block and of blocks, in the column `name`."""

    feature: Feature
    name: str

    def of_row(self, log: ir.Table, columns: Columns) -> ir.Value:
        """What it takes of each row."""
        function, column = self.feature.function, self.feature.column
        if column is None:
            return ibis.literal(1)
        value = log[column]
        if function in ("sum", "mean") and not (value.type().is_numeric() or value.type().is_boolean()):
            raise ValueError(f"history: {function}({column}) needs numbers, and the column is of type {value.type()}")
        if not has_order(value.type()):
            raise ValueError(f"history: {function}({column}) needs an order, and the column is of type {value.type()}")
        if function != "last":
            return value
        # Structs compare field by field.
        known = log[columns.known or columns.time]
        return ibis.struct({"time": log[columns.time], "known": known, "is_known": value.notnull(), "value": value})

    def of_rows(self, value: ir.Column) -> ir.Value:
        match self.feature.function:
            case "count":
                return value.count()
            case "sum":
                return _total(value)
            case "mean":
                return ibis.struct({"total": _total(value), "count": value.count()})
            case "min":
                return value.min()
        return value.max()

    def of_blocks(self, value: ir.Column) -> ir.Value:
        match self.feature.function:
            case "count":
                return value.sum()
            case "sum":
                return _total(value)
            case "mean":
                return _total(value["total"]).cast("float64") / value["count"].sum()
            case "min":
                return value.min()
            case "last":
                return value.max()["value"]
        return value.max()

    def of_example(self, value: ir.Value) -> ir.Value:
        """What an exposure has, also where no row is seen."""
        return ibis.coalesce(value, 0) if self.feature.function == "count" else value


def _total(value: ir.NumericColumn) -> ir.Value:
    """The sum. Of floats always in one order, and as double, since rounding depends on both."""
    if not value.type().is_floating():
        return value.sum()
    return value.cast("float64").collect().sort().sums().cast(value.type())
