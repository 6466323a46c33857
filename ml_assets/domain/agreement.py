"""Whether the files of event logs hold what is declared of them, and agree with one another."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ml_assets.domain.contents import (
    BOOLEAN,
    FLOAT,
    INSTANT,
    NESTED,
    TIME_OF_DAY,
    TWICE,
    UNTYPED,
    UUID,
    Alike,
    Column,
    Contents,
    Seen,
    Use,
    Wanted,
)
from ml_assets.domain.declared.near_misses import suggestions

_NO_KEY = "keys are integers, text, decimals or UUIDs: floats round large ones"
_FOR_SPARK = "write text, or let DuckDB read it (`engine`)"
#: A file with one of these Spark does not read, whichever columns are asked for.
_NOT_OF_SPARK, _HALF_FLOAT = {UUID, TIME_OF_DAY}, "halffloat"
_SHOWN, _COLUMNS_SHOWN = 3, 20

#: By log, then by event partition: why it does not count.
Misfits = Mapping[str, Mapping[Any, str]]


class _Kind(NamedTuple):
    """A family of types, and the columns (`group`) that must all have the same."""

    group: str
    column: str
    family: str


_Weights = tuple[tuple[_Kind, int], ...]


class Agreement:
    """Judges what was seen of event partitions: each by itself (`problems`), and those of a window together.

    `agree_all`: whether all but those with problems may be read together, whatever the window.
    """

    def __init__(self, wanted: Wanted, seen: Seen) -> None:
        self._wanted = wanted
        self._seen = {log: seen[log] for log in wanted.columns if log in seen}
        self.problems: Misfits = {log: self._problems(log) for log in self._seen}
        self._weights = {log: self._weigh(log) for log in self._seen}
        self.agree_all = self._is_one({log: of.keys() for log, of in self._weights.items()})

    def agree(self, window: Mapping[str, Iterable[Any]]) -> bool:
        """Whether some partitions, by log, may be read together; those with problems are left out."""
        return self.agree_all or self._is_one(window)

    def misfits(self, window: Mapping[str, Iterable[Any]]) -> dict[str, dict[Any, str]]:
        """The partitions of a window that may not be read with the others, by log, with the reason in words.

        The reference is what most files of the window have; of equally many, those of the log that comes first.
        """
        window = {log: list(places) for log, places in window.items()}
        found = {log: {one: of[one] for one in window.get(log, ()) if one in of} for log, of in self.problems.items()}
        if not self.agree(window):
            for (log, place), why in self._minority(window).items():
                found[log][place] = why
        return {log: of for log, of in found.items() if of}

    def _problems(self, log: str) -> dict[Any, str]:
        # Of many partitions with the same columns, these are one object.
        wrong: dict[int, str] = {}
        found = {}
        usual = _Usual(self._seen[log].values())
        for place, contents in self._seen[log].items():
            if contents.problem:
                found[place] = f"{log} {contents.problem}"
            for alike in contents.alike:
                which = id(alike.columns)
                if which not in wrong:
                    wrong[which] = self._wrong(log, alike.columns, usual)
                if wrong[which]:
                    found.setdefault(place, f"{log} {alike.file}: {wrong[which]}")
        return found

    def _wrong(self, log: str, columns: Mapping[str, Column], usual: "_Usual") -> str:
        """Why files with such columns cannot be read, whatever others hold; empty where they can."""
        uses = self._wanted.columns[log]
        if lacking := [name for name in uses if name not in columns and (log, name) not in self._wanted.optional]:
            return _describe_lacking({name: usual.type_of(name) for name in lacking}, list(columns))
        for name, use in uses.items():
            if twice := [one for one in columns if one != name and one.lower() == name.lower()]:
                return f"it has columns {name} and {twice[0]}, which engines take for one"
            column = columns.get(name, Column(UNTYPED, ""))
            if column.family == TWICE:
                return f"it has two columns of the name {name}"
            if right := _right(column, use):
                kind = usual.type_of(name)
                known = f", and {kind} in most files" if kind not in {"", column.type} else ""
                return f"column {name} is {column.type}{known}; {right}"
        return _not_of_spark(columns) if self._wanted.spark else ""

    def _weigh(self, log: str) -> dict[Any, _Weights]:
        """How many files of each partition without a problem have which families."""
        made: dict[tuple[tuple[int, int], ...], _Weights] = {}
        found = {}
        for place, contents in self._seen[log].items():
            if place not in self.problems[log]:
                shape = tuple((id(alike.columns), alike.number) for alike in contents.alike)
                if shape not in made:
                    kinds = [(kind, alike.number) for alike in contents.alike for kind in self._kinds(log, alike)]
                    made[shape] = tuple(kinds)
                found[place] = made[shape]
        return found

    def _kinds(self, log: str, alike: Alike) -> Iterable[_Kind]:
        for name in self._wanted.columns[log]:
            column = alike.columns.get(name)
            if (log, name) in self._wanted.optional:
                yield _Kind(f"{log} has {name}", name, "not there" if column is None else "there")
            if column is not None and column.family != UNTYPED:
                group = name if log in self._wanted.shared.get(name, ()) else f"{log} {name}"
                yield _Kind(group, name, column.family)

    def _is_one(self, window: Mapping[str, Iterable[Any]]) -> bool:
        """Whether columns that must have the same family do."""
        weights = {
            id(found): found
            for log, places in window.items()
            for place in places
            if (found := self._weights.get(log, {}).get(place))
        }
        kinds = {kind for found in weights.values() for kind, _ in found}
        return len({kind.group for kind in kinds}) == len(kinds)

    def _minority(self, window: Mapping[str, Iterable[Any]]) -> dict[tuple[str, Any], str]:
        weighed = [
            (log, place, found)
            for log, places in window.items()
            for place in places
            if (found := self._weights.get(log, {}).get(place))
        ]
        counts = Counter[_Kind]()
        first: dict[_Kind, dict[str, Any]] = {}
        for log, place, weights in weighed:
            for kind, count in weights:
                counts[kind] += count
                first.setdefault(kind, {}).setdefault(log, place)
        most: dict[str, _Kind] = {}
        for kind, count in counts.items():
            if kind.group not in most or count > counts[most[kind.group]]:
                most[kind.group] = kind
        reasons = {
            (log, kind): self._difference((log, place), kind, next(iter(first[usual].items())), usual)
            for kind, of in first.items()
            if (usual := most[kind.group]) != kind
            for log, place in of.items()
        }
        return {
            (log, place): reasons[log, kind]
            for log, place, weights in weighed
            for kind, _ in weights
            if (log, kind) in reasons
        }

    def _difference(self, one: tuple[str, Any], kind: _Kind, other: tuple[str, Any], usual: _Kind) -> str:
        """Such as `shop/orders date=2026-05-02/a.parquet: column id is string, but int64 in most files, such as …`."""
        found, file = self._example(*one, kind)
        expected, usual_file = self._example(*other, usual)
        where = usual_file if other[0] == one[0] else f"{other[0]} {usual_file}"
        if found is None or expected is None:
            has, lacks = ("no", "one") if found is None else ("a", "none")
            return f"{one[0]} {file}: there is {has} column {kind.column}, and {lacks} in most files, such as {where}"
        return f"{one[0]} {file}: column {kind.column} is {found}, but {expected} in most files, such as {where}"

    def _example(self, log: str, place: Any, kind: _Kind) -> tuple[str | None, str]:
        """The type that a file has, and the file."""
        for alike in self._seen[log][place].alike:
            if kind in self._kinds(log, alike):
                column = alike.columns.get(kind.column)
                return column and column.type, alike.file
        raise KeyError(kind)


def describe_misfits(misfits: Misfits) -> str:
    """The reasons in words, each once, of many the first."""
    reasons = list(dict.fromkeys(why for of in misfits.values() for why in of.values()))
    more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    return "; ".join(reasons[:_SHOWN]) + more


def _describe_lacking(lacking: Mapping[str, str], there: Sequence[str]) -> str:
    """Such as `it lacks visit (int64 in most files); it has visits, at (did you mean 'visits'?)`."""
    names = ", ".join(f"{name} ({kind} in most files)" if kind else name for name, kind in lacking.items())
    lower = {one.lower() for one in lacking}
    meant = suggestions(lacking, there) or suggestions([one for one in there if one.lower() in lower], there)
    shown = [*there[:_COLUMNS_SHOWN], *(["…"] if len(there) > _COLUMNS_SHOWN else [])]
    return f"it lacks {names}; it has {', '.join(shown)}{meant}"


def _right(column: Column, use: Use) -> str:
    """What would be right where a column of such a type cannot be used so; else empty."""
    if column.family == UNTYPED:
        return ""
    match use:
        case Use.INSTANT if column.family != INSTANT:
            return "write timestamps with a time zone (UTC)"
        case Use.MARK if column.family != BOOLEAN:
            return "write a boolean"
        case Use.KEY if column.family in {FLOAT, NESTED}:
            return _NO_KEY
    return ""


def _not_of_spark(columns: Mapping[str, Column]) -> str:
    """Why Spark cannot read files with such columns, whichever are asked for; empty where it can."""
    for name, column in columns.items():
        if column.family == TWICE:
            return f"it has two columns of the name {name}, which Spark cannot read"
        if column.family in _NOT_OF_SPARK or column.type == _HALF_FLOAT:
            return f"column {name} is {column.type}, which Spark cannot read; {_FOR_SPARK}"
    return ""


class _Usual:
    """Which type a column has in most of some files."""

    def __init__(self, seen: Iterable[Contents]) -> None:
        self._columns: dict[int, Mapping[str, Column]] = {}
        self._counts = Counter[int]()
        for contents in seen:
            for alike in contents.alike:
                self._columns[id(alike.columns)] = alike.columns
                self._counts[id(alike.columns)] += alike.number

    def type_of(self, name: str) -> str:
        """Empty where no file has the column with a type."""
        types = Counter[str]()
        for which, count in self._counts.items():
            column = self._columns[which].get(name)
            if column is not None and column.family != UNTYPED:
                types[column.type] += count
        return types.most_common(1)[0][0] if types else ""
