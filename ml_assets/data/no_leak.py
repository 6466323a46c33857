"""The check that nothing leaked: verifies stored rows of training and evaluation data, not how they were meant.

It trusts neither the notebook that wrote the rows nor the windows that it was given: the cutoff comes from the caller.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import ibis
from ibis import ir
from ibis.backends.duckdb import Backend

from ml_assets.data.artifacts.store import table_files
from ml_assets.data.engines.parquet import read_parquet
from ml_assets.data.keys import lacks
from ml_assets.domain.declared.event_log import Columns
from ml_assets.domain.declared.spec import FEATURE_TIME
from ml_assets.paths import AnyPath


class LeakError(Exception):
    """Stored rows hold what they must not know, or cannot be verified. Nothing is made of them."""


@dataclass(frozen=True)
class Bounds:
    """What the rows of one artifact must keep to.

    `exposures_from`, `exposures_until`, `outcomes_until`: event times, half-open. `within`: how long after its exposure
    an outcome counts, from the exposure on (`by_id`) or strictly after it. `known_before`: by `exposures` and
    `outcomes`, of training data. `has_history`: whether rows have a `feature_time`.
    """

    exposures_from: datetime
    exposures_until: datetime
    outcomes_until: datetime
    within: timedelta
    by_id: bool
    known_before: Mapping[str, datetime]
    has_history: bool


@dataclass(frozen=True)
class Verdict:
    """How many rows were verified, and how many break each rule, with one of them as an example."""

    rows: int
    leaks: Mapping[str, int]
    examples: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Whether no row breaks a rule."""
        return not self.leaks

    def __str__(self) -> str:
        lines = [
            f"{count} of {self.rows} rows: {rule}, such as {self.examples[rule]}" for rule, count in self.leaks.items()
        ]
        return "; ".join(lines) or f"{self.rows} rows keep to every rule"


def verify(stored: AnyPath, columns: Columns, bounds: Bounds, *, apart_from: Sequence[AnyPath] = ()) -> Verdict:
    """Verify the rows of a stored table. A row that lacks what is to be verified breaks the rule.

    Args: `columns`: of the exposure log. `apart_from`: stored tables none of whose exposures may be in this one.
    Raises: LeakError when there is no table, it lacks a column that is to be verified, or its values cannot be.
    """
    try:
        return _verified(stored, columns, bounds, apart_from)
    except (duckdb.DataError, duckdb.ProgrammingError) as error:
        raise LeakError(f"{stored.name} cannot be verified: {str(error).splitlines()[0]}") from error


def _verified(stored: AnyPath, columns: Columns, bounds: Bounds, apart_from: Sequence[AnyPath]) -> Verdict:
    connection = ibis.duckdb.connect()
    connection.raw_sql("SET TimeZone = 'UTC'")
    times = _times(columns, bounds)
    table = _read(connection, [stored], [*columns.key, "label", *times])
    _check_types(table, stored, times)
    wrong = {rule: ~kept.fill_null(False) for rule, kept in _rules(table, columns, bounds).items()}
    # All of these in one pass.
    of_all = table.aggregate(rows=table.count(), **{rule: table.count(where=one) for rule, one in wrong.items()})
    [counts] = of_all.to_pyarrow().to_pylist()
    broken = {rule: table.filter(one) for rule, one in wrong.items()}
    if columns.known is not None:
        # Of a log without known time, nobody promised that each key has one row; nor of rows without a key.
        of_key = table.count().over(ibis.window(group_by=list(columns.key)))
        broken["the exposure is there more than once"] = table.filter((of_key > 1) & ~lacks(table, columns.key))
    if apart_from:
        others = _read(connection, apart_from, columns.key)
        broken["the exposure is in training and in evaluation data"] = table.filter(
            ~lacks(table, columns.key)
        ).semi_join(others, list(columns.key))
    counts |= {rule: _count(rows) for rule, rows in broken.items() if rule not in counts}
    leaks = {rule: counts[rule] for rule in broken if counts[rule]}
    return Verdict(counts["rows"], leaks, {rule: _first(broken[rule].select(*columns.key, *times)) for rule in leaks})


def _times(columns: Columns, bounds: Bounds) -> list[str]:
    """The columns that hold the instants to verify."""
    known = [columns.known] if columns.known and "exposures" in bounds.known_before else []
    return [columns.time, *known, "outcome_time", "outcome_known", *([FEATURE_TIME] if bounds.has_history else [])]


def _rules(table: ir.Table, columns: Columns, bounds: Bounds) -> dict[str, ir.BooleanValue]:
    """What no row may be, in words, and what each row must be instead."""
    time, outcome = table[columns.time], table["outcome_time"]
    start, end, seen = (
        ibis.literal(one) for one in (bounds.exposures_from, bounds.exposures_until, bounds.outcomes_until)
    )
    horizon = time + ibis.interval(seconds=int(bounds.within.total_seconds()))
    negative = outcome.isnull()
    rules = {
        f"the exposure is before {bounds.exposures_from.isoformat()}": time >= start,
        f"the exposure is not before {bounds.exposures_until.isoformat()}": time < end,
        f"the outcome is not before {bounds.outcomes_until.isoformat()}": negative | (outcome < seen),
        f"the outcome is not within {bounds.within} of the exposure": negative | (outcome < horizon),
        "the outcome is not after the exposure": negative | (outcome >= time if bounds.by_id else outcome > time),
        "the label is not what the outcome says": (table["label"].cast("float64") == 1) == ~negative,
    }
    if columns.known is not None and (before := bounds.known_before.get("exposures")):
        rules[f"{columns.known} is not before {before.isoformat()}"] = table[columns.known] < ibis.literal(before)
    if before := bounds.known_before.get("outcomes"):
        known = table["outcome_known"] < ibis.literal(before)
        rules[f"outcome_known is not before {before.isoformat()}"] = negative | known
    if bounds.has_history:
        feature = table[FEATURE_TIME]
        rules[f"{FEATURE_TIME} is not before the exposure"] = feature.isnull() | (feature < time)
    return rules


def _read(connection: Backend, paths: Sequence[AnyPath], needed: Iterable[str]) -> ir.Table:
    for path in paths:
        if not path.exists():
            raise LeakError(f"there is no {path.name}, so nothing can be verified; save a table with step.save(frame)")
    table = read_parquet(connection, [file for path in paths for file in table_files(path)])
    missing = sorted(set(needed) - set(table.columns))
    if missing:
        raise LeakError(
            f"{paths[0].name} lacks the columns {missing}, without which nobody can verify that nothing leaked; "
            "keep them in what the notebook saves"
        )
    return table


def _check_types(table: ir.Table, stored: AnyPath, times: Iterable[str]) -> None:
    for name in times:
        dtype = table[name].type()
        if not dtype.is_timestamp() or dtype.timezone is None:
            raise LeakError(
                f"{stored.name}: column {name} is of type {dtype}, which is no instant; "
                "save it as step.examples() gave it, with its time zone"
            )


def _count(table: ir.Table) -> int:
    count: int = table.count().to_pyarrow().as_py()
    return count


def _first(table: ir.Table) -> str:
    row = table.limit(1).to_pyarrow().to_pylist()[0]
    return ", ".join(f"{name} {value}" for name, value in row.items())
