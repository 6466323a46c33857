"""Turns feature columns into the numbers a tree model reads: fitted once on training rows, then only reused.

Here: which features are categories, their codes, what rows hold that training did not, and the JSON form. Not here:
how the rates of a category of many values are found (`rates`), models, files, config.
"""

import math
import numbers
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from pandas.api import types

from ml_assets.domain.declared.near_misses import suggestion, suggestions

Category = str | bool | int | float
Lacking = Literal["none", "some", "all"]

# 7 and 7.0 are one category, since a column of whole numbers with a gap arrives as floats; "7" and True are others.
_FAMILY: dict[type, str] = {str: "text", bool: "boolean", int: "number", float: "number"}


# Fewer values than this may all be new by chance: a single row of a new user is nothing of note.
_ENOUGH = 10


@dataclass(frozen=True)
class Feature:
    """One encoded column: `categories` in code order, or None for a number.

    `rates`: a number for each code, then those for missing and for unseen values; the numbers then stand for the codes.
    `lacking`: how many rows of the training lacked it; None where that was not kept.
    """

    name: str
    categories: tuple[Category, ...] | None = None
    rates: tuple[float, ...] | None = None
    lacking: Lacking | None = None

    def encode(self, column: pd.Series) -> np.ndarray:
        """Return float64: the number, or the code or rate of the category; of missing and unseen no code (NaN)."""
        return self.encode_with_note(column)[0]

    def encode_with_note(self, column: pd.Series) -> tuple[np.ndarray, str]:
        """Beside it, what the column holds that training did not, in words and numbers; empty where that is nothing.

        A value of a category that is new among others that are known is nothing of note.
        """
        if self.categories is None:
            values = as_numbers(column)
            return values, self._note(np.isnan(values), np.isinf(values), known=True)
        cells = _cells(column)
        codes = self._codes(cells)
        missing, unseen = np.array([cell is None for cell in cells], dtype=bool), np.isnan(codes)
        note = self._note(missing, np.zeros(len(cells)), known=not unseen.all())
        if self.rates is None:
            return codes, note
        places = np.where(missing, -2, np.where(unseen, -1, codes)).astype(np.intp)
        return np.array(self.rates)[places], note

    def _note(self, missing: np.ndarray, infinite: np.ndarray, *, known: bool) -> str:
        rows, lacking, strange = len(missing), int(missing.sum()), int(infinite.sum())
        there = rows - lacking
        found = []
        if lacking and self.lacking == "none":
            found.append(f"{lacking} of {rows} rows lack `{self.name}`, which training never lacked")
        if there and self.lacking == "all":
            found.append(f"{there} of {rows} rows have `{self.name}`, which every row of the training lacked")
        elif there >= _ENOUGH and not known:
            found.append(f"none of the {there} values of `{self.name}` was in the training")
        if strange:
            found.append(f"{strange} of {rows} rows have an infinite `{self.name}`")
        return "; ".join(found)

    def _codes(self, cells: list[Category | None]) -> np.ndarray:
        self._refuse_another_family(cells)
        # The type is part of the key, because True == 1 in Python.
        codes: dict[tuple[type, Category | None], float] = {
            (type(value), value): float(code) for code, value in enumerate(self.categories or ())
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
        return self.transform_with_notes(frame)[0]

    def transform_with_notes(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
        """Beside them, what the rows hold that training did not, by feature, in words and numbers."""
        encoded, notes = {}, {}
        for feature in self.features:
            encoded[feature.name], note = feature.encode_with_note(only_column(frame, feature.name))
            if note:
                notes[feature.name] = note
        return pd.DataFrame(encoded, index=frame.index), notes

    def with_rates(self, rates: Mapping[str, Sequence[float] | np.ndarray]) -> "Encoder":
        """The same with numbers in place of the codes of the features named."""
        return Encoder(
            tuple(
                replace(feature, rates=tuple(map(float, rates[feature.name]))) if feature.name in rates else feature
                for feature in self.features
            )
        )

    def to_json(self) -> list[dict[str, Any]]:
        """Return plain values for `json.dumps`, which keeps the types of categories apart."""
        return [_stored(feature) for feature in self.features]

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
        return Feature(name, lacking=_lacking(np.isnan(as_numbers(column))))
    cells = _cells(column)
    distinct = {(type(cell), cell) for cell in cells if cell is not None}
    # Sorted, so that codes depend on the values and never on the order of rows.
    by_family = sorted((_FAMILY[kind], value) for kind, value in distinct)
    lacking = _lacking(np.array([cell is None for cell in cells]))
    return Feature(name, tuple(value for _, value in by_family), lacking=lacking)


def _lacking(missing: np.ndarray) -> Lacking:
    if not missing.any():
        return "none"
    return "all" if missing.all() else "some"


def _stored(feature: Feature) -> dict[str, Any]:
    kind = "numeric" if feature.categories is None else "categorical"
    lists = {"categories": feature.categories, "rates": feature.rates}
    return {
        "name": feature.name,
        "kind": kind,
        **{name: list(values) for name, values in lists.items() if values is not None},
        "lacking": feature.lacking,
    }


def _restored(entry: Any) -> Feature:
    match entry:
        # What was saved before this was kept has no such key.
        case {"lacking": lacking} if lacking not in (*get_args(Lacking), None):
            pass
        case {"name": str(name), "kind": "numeric"}:
            return Feature(name, lacking=entry.get("lacking"))
        case {"name": str(name), "kind": "categorical", "categories": list(values), "rates": list(rates)}:
            if all(type(value) in _FAMILY for value in values) and len(rates) == len(values) + 2:
                return Feature(name, tuple(values), tuple(map(float, rates)), entry.get("lacking"))
        case {"name": str(name), "kind": "categorical", "categories": list(values)}:
            if all(type(value) in _FAMILY for value in values):
                return Feature(name, tuple(values), lacking=entry.get("lacking"))
    raise ValueError(f"{entry!r} is not a stored feature: expected name, kind and, if categorical, its categories")


def _cells(column: pd.Series) -> list[Category | None]:
    cells: list[Category | None] = column.tolist()
    if set(map(type, cells)) <= {str, int, bool}:
        return cells  # as they are, cell by cell would be slow
    try:
        return [_category(cell) for cell in cells]
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
