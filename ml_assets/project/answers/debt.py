"""Shows the evaluation debt, from what is recorded and stored: no source is asked, and nothing is launched."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from rich.text import Text

from ml_assets.data.logs.event_files import NoFolderError
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.maturity import describe_spans
from ml_assets.domain.owed.debt import OWED, Cause, Debt, Entry, LateChange, debt
from ml_assets.domain.owed.due import statuses
from ml_assets.domain.owed.facts import Facts
from ml_assets.domain.owed.lost import without_lost
from ml_assets.orchestration.arrival.contents import remembered
from ml_assets.orchestration.arrival.present import unmatched_of
from ml_assets.orchestration.assets import code_versions
from ml_assets.orchestration.recorded.facts import read_error, read_facts
from ml_assets.orchestration.recorded.lost import find_lost
from ml_assets.orchestration.recorded.ticks import looked_at
from ml_assets.project.answers.causes import by_the_first, general
from ml_assets.project.project import Project

_STYLES = {
    Cause.DONE: "green",
    Cause.WAITING: "dim",
    Cause.RUNNING: "cyan",
    Cause.DUE: "yellow",
    Cause.MISSING_INPUT: "yellow",
    Cause.NOT_LOOKED_AT: "yellow",
    Cause.STALE: "yellow",
    Cause.LOST: "bold red",
    Cause.FAILED: "bold red",
}

_NOTHING = "no metric is expected yet"


@dataclass(frozen=True)
class ModelDebt:
    """The debt of a model.

    `errors`: the exceptions of what failed, by asset and partition, None where unknown; `unmatched`: where it misses
    event partitions, a line for each log with folders that match none.
    """

    model: Model
    debt: Debt
    errors: Mapping[tuple[str, str], str | None]
    unmatched: Sequence[str] = ()

    @property
    def owed(self) -> bool:
        """Whether a metric is owed that time alone does not bring."""
        return any(entry.cause in OWED for entry in self.debt.entries)

    def error(self, entry: Entry) -> str | None:
        """The exception of an entry that failed."""
        return self.errors.get((entry.asset, entry.partition))


def find_debts(project: Project, models: Sequence[Model], *, as_of: datetime) -> list[ModelDebt]:
    """The debts of some models: what is expected as of an instant, against what is recorded now, and in the store.

    Raises: StoreError when the store does not say what it holds.
    """
    instance = project.instance
    facts = read_facts(instance, models, code=code_versions(models, project.root))
    logs = {log.key: log for model in models for log in model.logs}
    facts = replace(facts, seen=remembered(instance, logs.values(), facts.arrived))
    facts = replace(facts, lost=find_lost(project.store, facts.made))
    looked = looked_at(instance, {log.service for model in models for log in model.logs} | {m.service for m in models})
    found = []
    for model in models:
        unseen = _unseen(model, facts, looked)
        owed = debt(model, facts, statuses(model, facts, as_of=as_of), as_of=as_of, unseen=unseen)
        failed = {(entry.asset, entry.partition) for entry in owed.entries if entry.cause is Cause.FAILED}
        errors = {one: read_error(instance, *one) for one in failed}
        missed = any(entry.cause in {Cause.MISSING_INPUT, Cause.NOT_LOOKED_AT} for entry in owed.entries)
        found.append(ModelDebt(model, owed, errors, _unmatched(project, model) if missed else ()))
    return found


def _unmatched(project: Project, model: Model) -> list[str]:
    """The folders of a model's logs that match no partition: what is missing may be there, by another name."""
    lines = []
    for log in model.logs:
        try:
            lines.append(unmatched_of(log, project.events_root))
        except NoFolderError:
            continue
        except Exception as error:  # noqa: BLE001  (stores raise errors of their own kinds)
            # What is owed is told from what is recorded, also where the source is down.
            lines.append(f"event log {log.key}: its folders cannot be seen: {error}")
    return [*filter(None, lines)]


def _unseen(model: Model, facts: Facts, looked: Container[str]) -> list[str]:
    """The logs of a model of which nothing is recorded, and whose sensors have not looked either."""
    return [
        log.key
        for log in model.logs
        if not facts.arrived.get(log.key) and model.service not in looked and log.service not in looked
    ]


def as_json(found: Iterable[ModelDebt], *, as_of: datetime) -> dict[str, Any]:
    """The debts as plain values, each under the name of its model.

    `entries`: partition, horizon, cause, matures_at, age_seconds (null when not mature yet), why, run and error (null
    when nothing failed); `outdated`: the reason by asset and partition; `late`: log, partition, metrics by asset;
    `unmatched`: as of `ModelDebt`.
    """
    return {
        "as_of": as_of.isoformat(),
        "models": {
            one.model.name: {
                "entries": [_entry_json(one, entry, as_of) for entry in one.debt.entries],
                "outdated": {asset: dict(partitions) for asset, partitions in one.debt.outdated.items()},
                "late": [_late_json(change) for change in one.debt.late],
                "unmatched": list(one.unmatched),
            }
            for one in found
        },
    }


def render(found: Iterable[ModelDebt], *, as_of: datetime) -> list[Text]:
    """The debts as lines: counts by horizon and cause, then spans of partitions with one cause.

    Of several models, one that owes nothing and of which nothing else is to be said has one line.
    """
    found = list(found)
    short = len(found) > 1
    return [line for one in found for line in ([_line(one)] if short and _is_well(one) else _lines(one, as_of))]


def describe_counts(one: ModelDebt) -> Text:
    """How many metrics are there, or why not, by horizon, on one line."""
    counts = [Text(f"{horizon}: ").append_text(_counts(of)) for horizon, of in _by_horizon(one).items()]
    return Text("; ").join(counts or [Text(_NOTHING)])


def describe_age(age: timedelta) -> str:
    """An age by its two largest units, such as `3d 4h` or `25m`."""
    minutes = age // timedelta(minutes=1)
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days}d {hours}h"
    return f"{hours}h {minutes % 60}m" if hours else f"{minutes}m"


def _entry_json(one: ModelDebt, entry: Entry, as_of: datetime) -> dict[str, Any]:
    age = entry.age(as_of)
    return {
        "partition": entry.partition,
        "horizon": str(entry.horizon),
        "cause": str(entry.cause),
        "matures_at": entry.matures_at.isoformat(),
        "age_seconds": None if age is None else age.total_seconds(),
        "why": entry.why,
        "run": entry.run or None,
        "error": one.error(entry),
    }


def _late_json(change: LateChange) -> dict[str, Any]:
    metrics = {asset: list(partitions) for asset, partitions in change.metrics.items()}
    return {"log": change.log, "partition": change.partition, "metrics": metrics}


def _is_well(one: ModelDebt) -> bool:
    return not (one.owed or one.debt.outdated or one.debt.late)


def _line(one: ModelDebt) -> Text:
    """All of a model that is well."""
    return Text(f"{one.model.name}  ", style="bold").append_text(describe_counts(one))


def _by_horizon(one: ModelDebt) -> dict[Duration, list[Entry]]:
    return {horizon: list(of) for horizon, of in groupby(one.debt.entries, key=lambda entry: entry.horizon)}


def _counts(entries: Iterable[Entry]) -> Text:
    counts = Counter(entry.cause for entry in entries)
    return Text(", ").join(Text(f"{cause} {counts[cause]}", style=_STYLES[cause]) for cause in Cause if counts[cause])


def _lines(one: ModelDebt, as_of: datetime) -> Iterator[Text]:
    by_horizon = _by_horizon(one)
    yield Text(f"{one.model.name} as of {_instant(one.model, as_of)}", style="bold")
    if not by_horizon:
        yield Text(f"  {_NOTHING}")
    for horizon, of in by_horizon.items():
        yield Text(f"  {horizon!s:>4}: ").append_text(_counts(of))
    spans = [list(span) for of in by_horizon.values() for _, span in groupby(of, key=lambda entry: _cause(one, entry))]
    rows = [_row(one, span, as_of) for span in spans if span[0].cause is not Cause.DONE]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    for *cells, reason in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield Text(f"  {line}  {reason}".rstrip(), style=_STYLES[Cause(cells[2])])
    yield from (Text(f"  {line}", style="yellow") for line in one.unmatched)
    yield from _outdated_lines(one)
    yield from _late_lines(one)


def _cause(one: ModelDebt, entry: Entry) -> tuple[str, ...]:
    """What the entries of a span share."""
    return (entry.cause, general(entry.why), general(one.error(entry) or ""))


def _row(one: ModelDebt, span: Sequence[Entry], as_of: datetime) -> tuple[str, ...]:
    """Horizon, partitions, cause, age and reason of a span."""
    first, last = span[0], span[-1]
    partitions = first.partition if first is last else f"{first.partition}..{last.partition}"
    age = first.age(as_of)
    reason = by_the_first([(entry.partition, _reason(one, entry)) for entry in span])
    if first.cause is Cause.WAITING and not reason:
        ends = dict.fromkeys(_instant(one.model, entry.matures_at) for entry in (first, last))
        reason = f"matures at {' .. '.join(ends)}"
    return str(first.horizon), partitions, str(first.cause), "" if age is None else describe_age(age), reason


def _reason(one: ModelDebt, entry: Entry) -> str:
    run = f" in run {entry.run}" if entry.run else ""
    error = one.error(entry)
    return f"{entry.why}{run}{f': {error}' if error else ''}"


def _outdated_lines(one: ModelDebt) -> Iterator[Text]:
    calendar = one.model.partitions
    if one.debt.outdated:
        yield Text("  outdated or lost, and made again by hand only:")
    for asset, partitions in one.debt.outdated.items():
        by_reason: dict[str, dict[str, str]] = {}
        for partition, why in partitions.items():
            by_reason.setdefault(without_lost(why), {})[partition] = why
        for of in by_reason.values():
            spans = describe_spans(calendar, map(calendar.index_of, of))
            yield Text(f"    {asset} {spans}: {by_the_first([*of.items()])}")


def _late_lines(one: ModelDebt) -> Iterator[Text]:
    calendar = one.model.partitions
    if one.debt.late:
        yield Text("  changed after the restatement window, and not acted on:")
    for change in one.debt.late:
        readers = [
            f"{asset} {describe_spans(calendar, map(calendar.index_of, names))}"
            for asset, names in change.metrics.items()
        ]
        yield Text(f"    {change.log} {change.partition}: read by {', '.join(readers) or 'no metric that exists'}")


def _instant(model: Model, instant: datetime) -> str:
    return f"{instant.astimezone(model.partitions.zone):%Y-%m-%d %H:%M %Z}"
