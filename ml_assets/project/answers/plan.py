"""Plans a backfill: what would run and why, in which order and runs, and how long that would take."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from rich.text import Text

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.maturity import describe_spans
from ml_assets.domain.owed.facts import Made
from ml_assets.domain.owed.lost import without_lost
from ml_assets.domain.owed.plan import Budget, Kind, PlannedRun, Want, estimate, in_order, plan
from ml_assets.domain.owed.runs import RunSize
from ml_assets.orchestration.recorded.past_runs import median_seconds
from ml_assets.project.answers.causes import by_the_first
from ml_assets.project.project import Project

_STYLES = {Kind.MISSING: "yellow", Kind.STALE: "magenta"}
_NO_HISTORY = "no history yet"
#: More are told by their number, and listed by --json.
_RUNS_SHOWN = 30


class SpanError(ValueError):
    """The ends of a span of partitions are none, or the wrong way round."""


@dataclass(frozen=True)
class Asked:
    """What a person asks for: `first` and `last` are partition keys, both inclusive; None: without bound."""

    selection: str
    first: str | None = None
    last: str | None = None
    kinds: Collection[Kind] = tuple(Kind)
    budget: Budget | None = None
    partitions_per_run: int | None = None


@dataclass(frozen=True)
class Planned:
    """A plan over models.

    `runs`: those within the budget; `over`: those beyond it; `blocked`: by asset and partition, why it cannot be made;
    `left_out`: likewise, what failed and is of a kind that was not asked for; `seconds`: that a partition takes, by
    asset, where there is history; `absent`: a line for each log of which nothing can have arrived yet.
    """

    models: Mapping[str, Model]
    runs: Sequence[PlannedRun]
    over: Sequence[PlannedRun]
    blocked: Mapping[str, Mapping[str, str]]
    left_out: Mapping[str, Mapping[str, Want]]
    seconds: Mapping[str, float]
    parallelism: int
    #: What there was of each asset.
    made: Mapping[str, Mapping[str, Made]]
    absent: Sequence[str] = ()
    #: A line for each log with folders that match no partition.
    unmatched: Sequence[str] = ()
    #: What was asked for and lies before the first partition of a model, in words.
    before: Sequence[str] = ()

    @property
    def total(self) -> float:
        """The seconds that the notebooks take together."""
        return sum(estimate(run, self.seconds) for run in self.runs)


def make_plan(project: Project, asked: Asked, *, parallelism: int, as_of: datetime) -> Planned:
    """Plan what a person asks for, from what has arrived, what is recorded, and what of that is in the store.

    Raises: NoAssetError, SpanError; SourceError when a log that it needs cannot be asked; StoreError likewise.
    """
    assets, models, spans = resolve(project, asked)
    found = project.now(models, as_of=as_of, store=project.store)
    runs: list[PlannedRun] = []
    blocked: dict[str, Mapping[str, str]] = {}
    left_out: dict[str, Mapping[str, Want]] = {}
    for model in models:
        made = plan(
            model,
            found.facts,
            found.statuses[model.name],
            assets=assets,
            kinds=asked.kinds,
            span=spans[model.name],
            size=RunSize(asked.partitions_per_run or model.partitions_per_run, parallelism),
        )
        runs += made.runs
        blocked.update(made.blocked)
        left_out.update(made.left_out)
    runs = in_order(runs)
    seconds = median_seconds(project.instance, {asset for run in runs for asset in run.assets})
    allowed = asked.budget.cut(runs, seconds) if asked.budget else runs
    by_name = {model.name: model for model in models}
    absent = project.describe_absent(found.absent)
    return Planned(
        by_name,
        allowed,
        runs[len(allowed) :],
        blocked,
        left_out,
        seconds,
        parallelism,
        found.facts.made,
        absent,
        found.unmatched,
        _before(models, spans, asked),
    )


def models_of(project: Project, assets: Collection[str]) -> list[Model]:
    """The models that have some of these assets."""
    return [model for model in project.models.values() if not set(model.assets).isdisjoint(assets)]


def resolve(project: Project, asked: Asked) -> tuple[set[str], list[Model], dict[str, range | None]]:
    """The assets that are asked for, their models, and of each model the partitions.

    Raises: NoAssetError, SpanError.
    """
    assets = set(project.select(asked.selection))
    models = models_of(project, assets)
    return assets, models, {model.name: span_of(model, asked.first, asked.last) for model in models}


def span_of(model: Model, first: str | None, last: str | None) -> range | None:
    """The indices of a model's partitions from `first` to `last`, both inclusive.

    Raises: SpanError.
    """
    if first is None and last is None:
        return None
    ends = []
    for option, key, default in (("--from", first, 0), ("--to", last, 2**31)):
        try:
            ends.append(default if key is None else model.partitions.index_of(key))
        except ValueError as error:
            raise SpanError(f"{option} of {model.name}: {error}") from None
    if ends[0] > ends[1]:
        raise SpanError(f"--from {first} is after --to {last}")
    return range(ends[0], ends[1] + 1)


def _before(models: Iterable[Model], spans: Mapping[str, range | None], asked: Asked) -> list[str]:
    """What is asked for and lies before the first partition of a model."""
    found = []
    for model in models:
        span, first = spans[model.name], model.first_index
        if asked.first is not None and span is not None and span.start < first:
            why = "as its `start` says"
            if first == model.first_trainable:
                gap = f" and gap ({model.training.gap})" if model.training.gap.count else ""
                why = f"the first whose training window ({model.training.window}){gap} lies inside its logs"
            found.append(f"{model.name} begins at {model.partitions.key(first)}, {why}: nothing is planned before it")
    return found


def as_json(planned: Planned) -> dict[str, Any]:
    """The plan as plain values."""
    return {
        "runs": [_run_json(planned, run) for run in planned.runs],
        "beyond_budget": [_run_json(planned, run) for run in planned.over],
        "blocked": {asset: dict(partitions) for asset, partitions in planned.blocked.items()},
        "left_out": {
            asset: {partition: _words(want.kind, want.why) for partition, want in of.items()}
            for asset, of in planned.left_out.items()
        },
        "before": list(planned.before),
        "seconds_by_asset": dict(planned.seconds),
        "seconds": round(planned.total, 3),
        "parallelism": planned.parallelism,
        "absent": list(planned.absent),
        "unmatched": list(planned.unmatched),
    }


def _run_json(planned: Planned, run: PlannedRun) -> dict[str, Any]:
    return {
        "model": run.model,
        "assets": list(run.assets),
        "partitions": list(run.partitions),
        "why": {
            asset: {partition: _why(run, asset, partition) for partition in run.partitions} for asset in run.assets
        },
        "seconds": round(estimate(run, planned.seconds), 3),
        "without_history": [asset for asset in run.assets if asset not in planned.seconds],
    }


def render(planned: Planned) -> Iterator[Text]:
    """The plan as lines: what is to be made and why, the runs in order, and what cannot be made."""
    yield from (Text(line, style="yellow") for line in (*planned.absent, *planned.unmatched))
    if planned.runs:
        yield from _assets_table(planned)
        yield Text("")
        yield from _runs_table(planned)
    else:
        yield Text("nothing to make")
    if planned.over:
        items = sum(len(run.items) for run in planned.over)
        yield Text(f"beyond the budget: {len(planned.over)} runs, {items} partitions", style="dim")
    yield from (Text(words, style="yellow") for words in planned.before)
    yield from left_out_lines(planned)
    yield from _blocked_lines(planned)


def _assets_table(planned: Planned) -> Iterator[Text]:
    """A line for each asset and reason."""
    rows: dict[tuple[str, str, Kind, str], dict[str, str]] = {}
    for run in planned.runs:
        for asset, partition in run.items:
            want = run.wants[asset, partition]
            rows.setdefault((asset, run.model, want.kind, without_lost(want.why)), {})[partition] = want.why
    lines = []
    for (asset, name, kind, _), why in sorted(rows.items(), key=lambda row: row[0]):
        calendar = planned.models[name].partitions
        each = planned.seconds.get(asset)
        cost = _NO_HISTORY if each is None else f"{each:.1f} s each"
        spans = describe_spans(calendar, map(calendar.index_of, why))
        lines.append((asset, str(len(why)), spans, cost, _words(kind, by_the_first([*why.items()]))))
    yield from _aligned(lines)


def _runs_table(planned: Planned) -> Iterator[Text]:
    lines = []
    for number, run in enumerate(planned.runs[:_RUNS_SHOWN], 1):
        steps = " + ".join(asset.removeprefix(f"{run.model}/") for asset in run.assets)
        ends = "..".join(dict.fromkeys((run.partitions[0], run.partitions[-1])))
        unknown = any(asset not in planned.seconds for asset in run.assets)
        lines.append((f"run {number}", run.model, ends, steps, _seconds(estimate(run, planned.seconds), unknown)))
    yield from _aligned(lines)
    if len(planned.runs) > _RUNS_SHOWN:
        yield Text(f"and {len(planned.runs) - _RUNS_SHOWN} more runs; --json lists them", style="dim")
    items = sum(len(run.items) for run in planned.runs)
    unknown = any(asset not in planned.seconds for run in planned.runs for asset in run.assets)
    total = _seconds(planned.total, unknown)
    yield Text(
        f"{len(planned.runs)} runs, {items} partitions: {total} in all, {planned.parallelism} runs at once", "bold"
    )


def left_out_lines(planned: Planned) -> Iterator[Text]:
    """What failed and was not asked for, and what would make it again."""
    models = {asset: model for model in planned.models.values() for asset in model.assets}
    for asset, wants in planned.left_out.items():
        calendar = models[asset].partitions
        spans = describe_spans(calendar, map(calendar.index_of, wants))
        # There is one other kind.
        kind = next(iter(wants.values())).kind
        why = by_the_first([(partition, want.why) for partition, want in wants.items()])
        yield Text(f"left out: {asset} {spans}: {kind}: {why}; --{kind} makes it again", style="bold red")


def _blocked_lines(planned: Planned) -> Iterator[Text]:
    if planned.blocked:
        yield Text("cannot be made now:", style="dim")
    models = {asset: model for model in planned.models.values() for asset in model.assets}
    for asset, partitions in planned.blocked.items():
        calendar = models[asset].partitions
        for why, names in groupby(partitions, key=lambda partition: _general(partitions[partition])):
            spans = list(names)
            words = describe_spans(calendar, map(calendar.index_of, spans))
            first = f" ({spans[0]} {partitions[spans[0]]})" if len(spans) > 1 else f" ({partitions[spans[0]]})"
            yield Text(f"  {asset} {words}{first if why else ''}", style="dim")


def _general(why: str) -> str:
    """A reason without the partitions that it names, so that equal ones go together."""
    return why.split(" ", maxsplit=1)[0]


def _why(run: PlannedRun, asset: str, partition: str) -> str:
    want = run.wants[asset, partition]
    return _words(want.kind, want.why)


def _words(kind: Kind, why: str) -> str:
    return f"{kind}: {why}" if why else str(kind)


def _seconds(seconds: float, unknown: bool) -> str:
    if seconds == 0 and unknown:
        return _NO_HISTORY
    minutes, rest = divmod(round(seconds), 60)
    words = f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
    return f"{words} and what has {_NO_HISTORY}" if unknown else words


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[Text]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    for row in rows:
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        style = next((style for kind, style in _STYLES.items() if row[-1].startswith(kind)), "")
        yield Text(cells.rstrip(), style=style)
