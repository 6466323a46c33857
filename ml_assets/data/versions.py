"""Versions of a row: what a log with a known time says again of the same key.

Belongs here: which of them is the newest, and which are taken back. Does not belong here: windows, labels, history.
"""

import ibis
from ibis import ir
from ibis.expr import datatypes as dt

from ml_assets.data.keys import lacks
from ml_assets.domain.declared.event_log import Columns

#: Whether a row does not count because of a retraction; see `with_taken_back`.
TAKEN_BACK = "_taken_back"


def with_taken_back(log: ir.Table, columns: Columns) -> ir.Table:
    """The log with the column TAKEN_BACK: whether a row is a retraction, or was taken back as soon as it was known.

    A retraction takes back the rows of its key that were known before it. A row of its key and its event time that
    became known in the same instant is taken back, too, unless one was there before: that one it replaces. So an
    instant at which both became known leaves their key and event time as they were, there or not, and a load that is
    repeated changes nothing. Rows of another event time are not looked at: every window that holds the row says the
    same of it.
    """
    if columns.deleted is None or columns.known is None:
        return log.mutate(**{TAKEN_BACK: ibis.literal(False)})
    place, deleted = [*columns.key, columns.time], ibis.coalesce(log[columns.deleted], False)
    newest_first = ibis.window(group_by=place, order_by=ibis.desc(log[columns.known]))
    log = log.mutate(_deleted=deleted.cast("int64"), _load=ibis.dense_rank().over(newest_first))
    at_once = ibis.window(group_by=[*place, "_load"])
    least, most = (log["_deleted"].min().over(at_once), log["_deleted"].max().over(at_once))
    # What an instant tells of the time after it, if anything: an even number where the row is there.
    log = log.mutate(_both=least < most, _told=(least == most).ifelse(2 * log["_load"] + least, None))
    so_far = ibis.window(group_by=place, order_by="_load", preceding=0, following=None)
    log = log.mutate(_newest_told=log["_told"].min().over(so_far))
    was_there = ibis.coalesce(log["_newest_told"] % 2 == 0, False)
    taken_back = (log["_deleted"] == 1) | (log["_both"] & ~was_there & ~lacks(log, columns.key))
    return log.mutate(**{TAKEN_BACK: taken_back}).drop("_deleted", "_load", "_both", "_told", "_newest_told")


def newest_first(log: ir.Table, columns: Columns) -> list[ir.Value]:
    """By what rows of one key are ordered, so that the first one is the newest known; see `with_taken_back`."""
    names = dict.fromkeys((columns.known, columns.time, *sorted(log.columns)))
    order = [part for name in names if name not in (None, TAKEN_BACK) for part in comparable(log[name])]
    return [ibis.desc(one) for one in (order[0], ~log[TAKEN_BACK], *order[1:])]


def comparable(value: ir.Value) -> list[ir.Value]:
    """What rows are ordered by instead of a column: maps have no order in every engine, but their keys and values."""
    if isinstance(value, ir.MapValue):
        return [part for half in (value.keys(), value.values()) for part in comparable(half)]
    return [value] if has_order(value.type()) else []


def has_order(dtype: dt.DataType) -> bool:
    """Whether every engine orders values of this type."""
    match dtype:
        case dt.Array():
            return has_order(dtype.value_type)
        case dt.Struct():
            return all(has_order(one) for one in dtype.types)
    return not dtype.is_map()
