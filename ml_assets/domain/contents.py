"""What the files of event logs hold, by their footers, and which of their columns matter.

Engines make one table of files of several types, without a word: a float in one file makes all ids floats, which rounds
them, and a column that one file lacks is null there. So types are compared before, file by file, by family. Does not
belong here: how a file is read, and what follows from a difference.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

from ml_assets.domain.declared.event_log import Columns
from ml_assets.domain.declared.spec import READING_STEPS, Model

#: Families that a rule names; others are called as the type is, and a decimal's by its scale.
INTEGER, TEXT, UUID, FLOAT, BOOLEAN = "integer", "text", "UUID", "float", "boolean"
INSTANT, NESTED, TIME_OF_DAY = "timestamp with a time zone", "nested", "time of day"
#: Of a column without a type, as of a file in which all values are missing: it fits any.
UNTYPED = "untyped"
#: Of two columns with one name, whatever their types.
TWICE = "twice"


class Column(NamedTuple):
    """The type of a column in a file, and the family of types that it belongs to."""

    family: str
    type: str


class Alike(NamedTuple):
    """Files of one event partition whose columns have the same types: the first, `date=…/a.parquet`, and how many."""

    columns: Mapping[str, Column]
    file: str
    number: int


class Contents(NamedTuple):
    """What is seen of an event partition without reading its rows.

    `fingerprint`: of the files that it was seen of; `alike`: its files, those that could be read; `unreadable`: the
    error of the first that could not; `problem`: why they are none of an event partition, whatever their columns.
    """

    fingerprint: str
    rows: int = 0
    alike: tuple[Alike, ...] = ()
    unreadable: str = ""
    problem: str = ""


#: By log key, then by event partition, as a key or as an index.
Seen = Mapping[str, Mapping[Any, Contents]]


class Use(StrEnum):
    """What a column is needed for; of two uses, the one that asks for more."""

    INSTANT = "instant"
    MARK = "mark"
    KEY = "key"
    VALUE = "value"


@dataclass(frozen=True)
class Wanted:
    """The columns of event logs that matter, with their use, by log.

    `shared`: the columns by which rows of several logs meet, with the keys of these logs. `optional`: columns (log,
    name) that all files may lack, but not some. `spark`: whether Spark reads the files.
    """

    columns: Mapping[str, Mapping[str, Use]]
    shared: Mapping[str, frozenset[str]] = field(default_factory=dict)
    optional: frozenset[tuple[str, str]] = frozenset()
    spark: bool = False

    @classmethod
    def of_log(cls, key: str, columns: Columns) -> "Wanted":
        """What any reader of a log needs."""
        marks = {} if columns.deleted is None else {columns.deleted: Use.MARK}
        uses = {**dict.fromkeys(columns.key, Use.KEY), **marks, **dict.fromkeys(columns.times, Use.INSTANT)}
        return cls({key: uses})

    @classmethod
    def of_logs(cls, logs: Iterable[tuple[str, Columns]], join: Iterable[str]) -> "Wanted":
        """What labels need: the logs of exposures and outcomes, and the columns by which they meet."""
        wanted, keys = cls({}), set[str]()
        for key, columns in logs:
            wanted = wanted._with(key, cls.of_log(key, columns).columns[key])._with(key, dict.fromkeys(join, Use.KEY))
            keys.add(key)
        return replace(wanted, shared=dict.fromkeys(join, frozenset(keys)))

    @classmethod
    def of_model(cls, model: Model) -> "Wanted":
        """What a model needs of the logs that it reads."""
        exposures = model.exposures.key
        wanted = cls.of_logs(((log.key, log.columns) for log in (model.exposures, model.outcomes)), model.join.columns)
        for one in model.history:
            values = [feature.column for feature in one.features.values() if feature.column]
            wanted = wanted.with_history(one.log.key, one.log.columns, one.by, values)
            # A notebook may give the exposures what they meet their history by.
            added = {(exposures, name) for name in one.by if name not in wanted.columns[exposures]}
            wanted = replace(
                wanted._with(exposures, dict.fromkeys(one.by, Use.KEY)),
                optional=wanted.optional | added,
                shared={**wanted.shared, **{name: wanted.shared[name] | {exposures} for name in one.by}},
            )
        return replace(wanted, spark=any(model.engine_of(step) == "spark" for step in READING_STEPS))

    def with_history(self, key: str, columns: Columns, by: Iterable[str], values: Iterable[str]) -> "Wanted":
        """The same, and what history features need of a log. Args: `values`: the columns that they are made of."""
        by = list(by)
        wanted = self._with(key, Wanted.of_log(key, columns).columns[key])._with(key, dict.fromkeys(by, Use.KEY))
        wanted = wanted._with(key, dict.fromkeys(values, Use.VALUE))
        return replace(
            wanted, shared={**self.shared, **{name: self.shared.get(name, frozenset()) | {key} for name in by}}
        )

    def _with(self, key: str, uses: Mapping[str, Use]) -> "Wanted":
        known = dict(self.columns.get(key, {}))
        for name, use in uses.items():
            known[name] = min(use, known.get(name, use), key=list(Use).index)
        return replace(self, columns={**self.columns, key: known})
