"""Keys that rows are found by: which rows have one, and which columns hold keys of one kind.

Belongs here: what holds of a key in labels, history and corrections alike. Does not belong here: what is made of them.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_

from ibis import ir
from ibis.expr import datatypes as dt


def lacks(table: ir.Table, key: Sequence[str]) -> ir.BooleanValue:
    """Whether a row has no key: a column of it is null or NaN.

    Such a row equals none, though for engines NaN equals NaN, and nulls make one group.
    """
    return reduce(or_, (_is_missing(table[name]) for name in key))


def _is_missing(value: ir.Value) -> ir.BooleanValue:
    return value.isnull() | value.isnan() if isinstance(value, ir.FloatingValue) else value.isnull()


def common_type(what: str, types: Mapping[str, dt.DataType]) -> dt.DataType:
    """The type that two columns have in common whose values may be equal; a column of no type fits any.

    Whole numbers of any width are of one kind, and decimals of one scale. A float is of another: it has no room for the
    last digits of a large number, so that keys which differ would be equal.
    Args: `what`: what is compared, such as "join by user". `types`: of the column in each of the two places.
    Raises: ValueError for columns of two kinds.
    """
    typed = [dtype for dtype in types.values() if not dtype.is_null()]
    if len({_kind(dtype) for dtype in typed}) > 1:
        words = " and ".join(f"of type {dtype(nullable=True)} in the {place}" for place, dtype in types.items())
        raise ValueError(f"{what}: it is {words}; write both alike")
    if len({dtype.is_unsigned_integer() for dtype in typed}) > 1:
        # Ibis would take the unsigned type, which has no negative numbers.
        return dt.Decimal(20, 0)
    return dt.highest_precedence(typed or types.values())


def _kind(dtype: dt.DataType) -> object:
    if dtype.is_integer():
        return "whole number"
    if isinstance(dtype, dt.Decimal):
        return ("decimal", dtype.scale)
    if dtype.is_floating():
        return "float"
    if isinstance(dtype, dt.Timestamp):
        return ("timestamp", dtype.timezone is None)
    return dtype(nullable=True)
