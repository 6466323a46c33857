"""Columns of a SQL database as columns that can be carried from there: none hinders by its type.

Belongs here: which types arrive as what. Does not belong here: which rows are read.
"""

from collections.abc import Collection

import ibis
from ibis import ir
from ibis.backends.sql.datatypes import PostgresType
from ibis.common.collections import FrozenDict
from ibis.expr import datatypes as dt

# Names of the database's own objects, over which Ibis stumbles; other types that it does not know are unknown to it.
_OBJECTS = ("class", "collation", "config", "dictionary", "namespace", "oper", "operator", "proc", "procedure", "role")
PostgresType.unknown_type_strings = FrozenDict(
    {**PostgresType.unknown_type_strings, **{f"reg{name}": dt.unknown for name in (*_OBJECTS, "type")}}
)
#: The most digits that Arrow and DuckDB hold.
DIGITS = 38
#: What Ibis takes PostgreSQL's `money` for, whose values come as text with a sign unless they are cast.
_MONEY = (19, 4)


def carried(table: ir.Table, keys: Collection[str]) -> ir.Table:
    """The table with columns as they arrive: numbers, truths, text, bytes, dates and instants are what they are.

    A decimal that declares no digits, or more than 38, is a float64, unless it is a key; NaN is null in the other
    decimals, which have none. All that is left is its text.
    """
    return table.mutate(**{name: _carried(table[name], name in keys) for name in table.columns})


def restored(copied: ir.Table, source: ibis.Schema) -> ir.Table:
    """The rows as they arrived, of a table with the columns of `source`; what has a type here again has it."""
    uuids = {name: dtype for name, dtype in source.items() if dtype.is_uuid()}
    return copied.cast(uuids) if uuids else copied


def _carried(value: ir.Value, is_key: bool) -> ir.Value:
    dtype = value.type()
    if isinstance(dtype, dt.Decimal):
        return _decimal(value, dtype, is_key)
    plain = dtype.is_numeric() or dtype.is_boolean() or dtype.is_string() or dtype.is_binary()
    if plain or dtype.is_date() or dtype.is_timestamp():
        return value
    return value.cast("string")


def _decimal(value: ir.Value, dtype: dt.Decimal, is_key: bool) -> ir.Value:
    is_long = (dtype.precision or 0) > DIGITS
    if (is_long or dtype.precision is None) and not is_key:
        return value.cast("float64")
    there = value.cast("string") != "NaN"
    if is_long:
        # Of a column that declares its digits, equal numbers have equal texts.
        value = value.cast("string")
    elif (dtype.precision, dtype.scale) == _MONEY:
        value = value.cast(dt.Decimal(DIGITS, dtype.scale))
    return there.ifelse(value, ibis.null(value.type()))
