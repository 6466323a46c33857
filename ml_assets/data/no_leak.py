"""The check that nothing leaked: verifies stored rows of training and evaluation data, not how they were meant.

It trusts neither the notebook that wrote the rows nor the windows that it was given: the cutoff comes from the caller.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import ibis
from ibis import ir

from ml_assets.domain.event_log import Columns
from ml_assets.domain.spec import FEATURE_TIME


class LeakError(Exception):
    """Stored rows hold what they must not know. Nothing is made of them."""


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


def verify(stored: Path, columns: Columns, bounds: Bounds, *, apart_from: Path | None = None) -> Verdict:
    """Verify the rows of a stored table.

    Args: `columns`: of the exposure log. `apart_from`: a stored table none of whose exposures may be in this one.
    Raises: LeakError when there is no table, or it lacks a column that is to be verified.
    """
    if not stored.exists():
        raise LeakError(f"there is no {stored.name}, so nothing can be verified; save a table with step.save(frame)")
    connection = ibis.duckdb.connect()
    connection.raw_sql("SET TimeZone = 'UTC'")
    table = connection.read_parquet(str(stored))
    _check_columns(table, stored, columns, bounds)
    rules = _rules(table, columns, bounds)
    if apart_from is not None:
        others = connection.read_parquet(str(apart_from)).select(*columns.key).distinct()
        shared = table.semi_join(others, list(columns.key)).select(*columns.key).distinct().mutate(_shared=True)
        table = table.left_join(shared, list(columns.key))
        rules = _rules(table, columns, bounds)
        rules["the exposure is in training and in evaluation data"] = table["_shared"].fill_null(False)
    sums = {f"rule_{number}": rule.fill_null(False).sum() for number, rule in enumerate(rules.values())}
    found = table.aggregate(rows=table.count(), **sums).to_pyarrow().to_pylist()[0]
    leaks = {rule: found[f"rule_{number}"] for number, rule in enumerate(rules) if found[f"rule_{number}"]}
    shown = [*columns.key, columns.time, "outcome_time", "outcome_known"]
    shown += [FEATURE_TIME] if bounds.has_history else []
    examples = {
        rule: ", ".join(f"{name} {value}" for name, value in _first(table.filter(rules[rule]).select(*shown)).items())
        for rule in leaks
    }
    return Verdict(found["rows"], leaks, examples)


def _rules(table: ir.Table, columns: Columns, bounds: Bounds) -> dict[str, ir.BooleanValue]:
    """What no row may be, in words."""
    start, end, seen = (
        ibis.literal(one) for one in (bounds.exposures_from, bounds.exposures_until, bounds.outcomes_until)
    )
    time, outcome = table[columns.time], table["outcome_time"]
    horizon = time + ibis.interval(seconds=int(bounds.within.total_seconds()))
    rules = {
        f"the exposure is before {bounds.exposures_from.isoformat()}": time < start,
        f"the exposure is not before {bounds.exposures_until.isoformat()}": time >= end,
        f"the outcome is not before {bounds.outcomes_until.isoformat()}": outcome >= seen,
        f"the outcome is not within {bounds.within} of the exposure": outcome >= horizon,
        "the outcome is not after the exposure": (outcome < time) if bounds.by_id else (outcome <= time),
        "the label is not what the outcome says": (table["label"] == 1) != outcome.notnull(),
    }
    known = {"exposures": columns.known, "outcomes": "outcome_known"}
    for what, before in bounds.known_before.items():
        if (name := known[what]) is not None:
            rules[f"{name} is not before {before.isoformat()}"] = table[name] >= ibis.literal(before)
    if bounds.has_history:
        rules[f"{FEATURE_TIME} is not before the exposure"] = table[FEATURE_TIME] >= time
    return rules


def _check_columns(table: ir.Table, stored: Path, columns: Columns, bounds: Bounds) -> None:
    needed = {*columns.key, columns.time, "label", "outcome_time", "outcome_known"}
    needed |= {columns.known} if columns.known and "exposures" in bounds.known_before else set()
    needed |= {FEATURE_TIME} if bounds.has_history else set()
    missing = sorted(needed - set(table.columns))
    if missing:
        raise LeakError(
            f"{stored.name} lacks the columns {missing}, without which nobody can verify that nothing leaked; "
            "keep them in what the notebook saves"
        )


def _first(table: ir.Table) -> dict[str, object]:
    return table.limit(1).to_pyarrow().to_pylist()[0]
