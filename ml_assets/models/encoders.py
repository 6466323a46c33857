"""Turns feature columns into the numbers a tree model reads: fitted once on training rows, then only reused.

Here: which features are categories, their codes, and their JSON form. Not here: models, files, config.
"""

import math
import numbers
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from ml_assets.domain.near_misses import suggestion, suggestions

Category = str | bool | int | float

# 7 and 7.0 are one category, since a column of whole numbers with a gap arrives as floats; "7" and True are others.
_FAMILY: dict[type, str] = {str: "text", bool: "boolean", int: "number", float: "number"}


@dataclass(frozen=True)
class Feature:
    """One encoded column: `categories` in code order, or None for a number."""

    name: str
    categories: tuple[Category, ...] | None = None

    def encode(self, column: pd.Series) -> np.ndarray:
        """Return float64: the number itself, or the code of the category; NaN for missing and unseen values."""
        if self.categories is None:
            return as_numbers(column)
        cells = _cells(column)
        self._refuse_another_family(cells)
        # The type is part of the key, because True == 1 in Python.
        codes: dict[tuple[type, Category | None], float] = {
            (type(value), value): float(code) for code, value in enumerate(self.categories)
        }
        return np.array([codes.get((type(cell), cell), math.nan) for cell in cells], dtype="float64")

    def _refuse_another_family(self, cells: list[Category | None]) -> None:
        """One odd cell is an unseen category; a whole column of another type would silently be all unseen."""
        trained = {_FAMILY[type(value)] for value in self.categories or ()}
        arrived = {_FAMILY[type(cell)] for cell in cells if cell is not None}
        if trained and arrived and trained.isdisjoint(arrived):
            raise ValueError(
                f"column {self.name!r} was fitted on {_listed(trained)} and now holds only {_listed(arrived)}: "
                "every value would be unseen; give it the type it had in training"
            )


@dataclass(frozen=True)
class Encoder:
    """The encoding of some features, in their order."""

    features: tuple[Feature, ...]

    @classmethod
    def fit(cls, frame: pd.DataFrame, features: Sequence[str], categorical: Collection[str] = ()) -> "Encoder":
        """Learn the categories of the training rows.

        Categorical are the features named so, and those with a text, category or boolean dtype; the others are
        numbers. ValueError names a column that is missing or cannot be a feature.
        """
        strangers = [name for name in categorical if name not in features]
        if strangers:
            hint = suggestions(strangers, features)
            raise ValueError(f"categorical names {strangers}{hint}, which are not among the features {list(features)}")
        if len(set(features)) < len(features):
            raise ValueError(f"features are {list(features)}: expected each name once")
        return cls(tuple(_fitted(only_column(frame, name), name in categorical) for name in features))

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the features as float64 columns, in the fitted order and with the rows of `frame`."""
        encoded = {feature.name: feature.encode(only_column(frame, feature.name)) for feature in self.features}
        return pd.DataFrame(encoded, index=frame.index)

    def to_json(self) -> list[dict[str, Any]]:
        """Return plain values for `json.dumps`, which keeps the types of categories apart."""
        return [
            {"name": feature.name, "kind": "numeric"}
            if feature.categories is None
            else {"name": feature.name, "kind": "categorical", "categories": list(feature.categories)}
            for feature in self.features
        ]

    @classmethod
    def from_json(cls, stored: Any) -> "Encoder":
        """Inverse of `to_json`; ValueError where `stored` has another form."""
        match stored:
            case list():
                return cls(tuple(_restored(entry) for entry in stored))
        raise ValueError(f"an encoder is stored as a list of features, not as {stored!r}")


def only_column(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return the one column of that name; ValueError lists what is there instead."""
    found = list(frame.columns).count(name)
    if found == 0:
        hint = suggestion(name, frame.columns)
        raise ValueError(f"column {name!r} is missing{hint}; the columns present are {list(frame.columns)}")
    if found > 1:
        raise ValueError(f"column {name!r} is there {found} times: expected once")
    return frame[name]


def as_numbers(column: pd.Series) -> np.ndarray:
    """Return the column as float64, with NaN for missing; ValueError where it holds anything but numbers."""
    if types.is_object_dtype(column.dtype):
        # A column of nothing but missing values, or of mixed numbers, arrives as objects.
        cells = column.tolist()
        wrong = next((cell for cell in cells if not _is_missing(cell) and not isinstance(cell, numbers.Real)), None)
        if wrong is not None:
            raise ValueError(f"column {column.name!r} holds {wrong!r} ({type(wrong).__name__}): expected numbers")
        return np.array([math.nan if _is_missing(cell) else float(cell) for cell in cells], dtype="float64")
    if not (_is_number(column.dtype) or types.is_bool_dtype(column.dtype)):
        raise ValueError(f"column {column.name!r} has dtype {column.dtype}: expected numbers")
    return column.to_numpy(dtype="float64", na_value=math.nan)


def _fitted(column: pd.Series, named_categorical: bool) -> Feature:
    name, dtype = str(column.name), column.dtype
    looks_categorical = (
        isinstance(dtype, pd.CategoricalDtype) or types.is_string_dtype(dtype) or types.is_bool_dtype(dtype)
    )
    if not looks_categorical and not _is_number(dtype):
        raise ValueError(
            f"column {name!r} has dtype {dtype}: a feature is a number, a boolean or text; "
            "derive one from it, such as the hour of a timestamp"
        )
    if not looks_categorical and not named_categorical:
        return Feature(name)
    distinct = {(type(cell), cell) for cell in _cells(column) if cell is not None}
    # Sorted, so that codes depend on the values and never on the order of rows.
    by_family = sorted((_FAMILY[kind], value) for kind, value in distinct)
    return Feature(name, tuple(value for _, value in by_family))


def _restored(entry: Any) -> Feature:
    match entry:
        case {"name": str(name), "kind": "numeric"}:
            return Feature(name)
        case {"name": str(name), "kind": "categorical", "categories": list(values)}:
            if all(type(value) in _FAMILY for value in values):
                return Feature(name, tuple(values))
    raise ValueError(f"{entry!r} is not a stored feature: expected name, kind and, if categorical, its categories")


def _cells(column: pd.Series) -> list[Category | None]:
    try:
        return [_category(cell) for cell in column.tolist()]
    except TypeError as error:
        raise ValueError(
            f"column {column.name!r} holds {error}: a category is text, a number or a boolean; convert it first"
        ) from None


def _category(cell: Any) -> Category | None:
    """Return the plain value that stands for the cell, None for missing; TypeError names a value that cannot be one."""
    if isinstance(cell, str):
        return str(cell)
    if isinstance(cell, bool | np.bool_):
        return bool(cell)
    if isinstance(cell, int | np.integer):
        return int(cell)
    if isinstance(cell, float | np.floating):
        number = float(cell)
        if not math.isfinite(number):
            return None
        return int(number) if number.is_integer() else number
    if _is_missing(cell):
        return None
    raise TypeError(f"{cell!r} ({type(cell).__name__})")


def _is_missing(cell: Any) -> bool:
    return cell is None or cell is pd.NA or cell is pd.NaT


def _is_number(dtype: Any) -> bool:
    return types.is_integer_dtype(dtype) or types.is_float_dtype(dtype)


def _listed(families: set[str]) -> str:
    return " and ".join(f"{family} values" for family in sorted(families))
