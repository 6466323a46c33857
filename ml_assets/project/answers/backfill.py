"""Executes a plan, shows how it goes, and says what became of it."""

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from ml_assets.domain.maturity import describe_spans
from ml_assets.orchestration.arrival.shown import arrival_records
from ml_assets.orchestration.launcher import fail_dead_runs
from ml_assets.orchestration.launching.backfill import Backfill
from ml_assets.orchestration.launching.launches import LaunchHere, Submit
from ml_assets.orchestration.launching.outcomes import Outcome, State
from ml_assets.orchestration.launching.runs import BACKFILL_TAG
from ml_assets.project.answers.causes import by_the_first, general
from ml_assets.project.answers.plan import Asked, Planned, left_out_lines, make_plan, models_of
from ml_assets.project.project import Project

_LOCK = "backfill.lock"
_ENDS = (State.MADE, State.FAILED, State.LEFT_OUT)


class BusyError(Exception):
    """Another backfill works on this home."""


@dataclass(frozen=True)
class Done:
    """What became of a backfill: by asset and partition, and whether it was interrupted."""

    planned: Planned
    outcomes: Mapping[tuple[str, str], Outcome]
    seconds: float
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0 when everything planned was made."""
        if self.interrupted:
            return 130
        return int(any(outcome.state is not State.MADE for outcome in self.outcomes.values()))


def run_backfill(project: Project, asked: Asked, *, submit: bool, parallelism: int, console: Console) -> Done:
    """Plan and execute.

    Raises: as `make_plan`; BusyError, DaemonRunsError or NoQueueError when it cannot be executed so.
    """
    with _alone(project.home):
        instance, say = project.instance, console.print
        launch = Submit(instance, say=say) if submit else LaunchHere(instance, parallelism, say=say)
        try:
            return _execute(project, asked, launch, parallelism, console)
        finally:
            launch.stop()


def _execute(project: Project, asked: Asked, launch: LaunchHere | Submit, parallelism: int, console: Console) -> Done:
    for run_id in fail_dead_runs(project.instance):
        console.print(f"run {run_id} had ended without a verdict", style="dim")
    _report_arrivals(project, asked.selection)
    planned = make_plan(project, asked, parallelism=parallelism, as_of=datetime.now(UTC))
    backfill = Backfill(project.runs, list(planned.models.values()), planned.runs, launch, planned.made)
    started, interrupted = time.monotonic(), False
    limit = asked.budget.seconds if asked.budget else None
    with _progress(console, len(backfill.outcomes)) as show:
        try:
            backfill.execute(
                tags={BACKFILL_TAG: datetime.now(UTC).isoformat(timespec="seconds")},
                on_look=lambda: show(backfill),
                until=lambda: limit is not None and time.monotonic() - started > limit,
            )
        except KeyboardInterrupt:
            interrupted = True
    return Done(planned, backfill.outcomes, time.monotonic() - started, interrupted)


def _report_arrivals(project: Project, selection: str) -> None:
    """Record what has arrived of the logs that a selection needs, as a sensor does, so that lineage knows it."""
    models = models_of(project, project.select(selection))
    now = project.now(models, as_of=datetime.now(UTC))
    for record in arrival_records(now.arrivals, project.logs.values(), project.events_root, now.facts.seen):
        project.instance.report_runless_asset_event(record)


def as_json(done: Done) -> dict[str, Any]:
    """What became of each partition, as plain values."""
    return {
        "seconds": round(done.seconds, 3),
        "interrupted": done.interrupted,
        "partitions": [
            {"asset": asset, "partition": partition, "state": str(one.state), "why": one.why, "run": one.run}
            for (asset, partition), one in done.outcomes.items()
        ],
        "blocked": {asset: dict(partitions) for asset, partitions in done.planned.blocked.items()},
    }


def render(done: Done) -> Iterator[Text]:
    """The summary: how many were made, and the others by their cause."""
    planned = done.planned
    yield from (Text(line, style="yellow") for line in (*planned.before, *planned.absent, *planned.unmatched))
    if not done.outcomes:
        yield Text("nothing to make")
    yield from left_out_lines(planned)
    if not done.outcomes:
        return
    counts = {state: [item for item, one in done.outcomes.items() if one.state is state] for state in State}
    made = len(counts[State.MADE])
    words = f"made {made} of {len(done.outcomes)} partitions in {done.seconds:.0f} s"
    yield Text(words, style="green" if made == len(done.outcomes) else "bold")
    for state, style in ((State.FAILED, "bold red"), (State.LEFT_OUT, "yellow")):
        yield from _by_cause(done, state, style)
    if done.interrupted:
        yield Text("interrupted; the same command goes on with the rest", style="bold")


def _by_cause(done: Done, state: State, style: str) -> Iterator[Text]:
    """A line for each asset and cause."""
    causes: dict[tuple[str, str], dict[str, Outcome]] = {}
    for (asset, partition), one in done.outcomes.items():
        if one.state is state:
            causes.setdefault((asset, general(one.why)), {})[partition] = one
    models = {asset: model for model in done.planned.models.values() for asset in model.assets}
    for (asset, _), of in causes.items():
        calendar = models[asset].partitions
        spans = describe_spans(calendar, map(calendar.index_of, of))
        why = by_the_first([(partition, one.why) for partition, one in of.items()])
        runs = dict.fromkeys(one.run for one in of.values())
        where = f" (run {', '.join(filter(None, runs))})" if any(runs) else ""
        yield Text(f"{state}: {asset} {spans}: {why}{where}", style=style)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Keep out a second backfill of the same home: it would make the same partitions."""
    with (home / _LOCK).open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"another backfill works on {home}; wait until it has ended") from None
        yield


class _Rate(ProgressColumn):
    """Partitions a minute."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{60 * speed:.0f} a minute")


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[Backfill], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not total) as progress:
        task = progress.add_task("partitions", total=total)

        def show(backfill: Backfill) -> None:
            counts = backfill.counts
            failed = f", {counts[State.FAILED]} failed" if counts[State.FAILED] else ""
            progress.update(task, completed=sum(counts[state] for state in _ENDS), description=f"partitions{failed}")

        yield show
