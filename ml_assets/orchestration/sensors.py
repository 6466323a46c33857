"""One sensor per service: reports which event partitions arrived, asks `due`, launches. It keeps no state."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import dagster as dg

from ml_assets.dagster_names import FINISHED_STATUSES
from ml_assets.domain.agreement import describe_misfits
from ml_assets.domain.contents import Seen
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.maturity import describe_spans
from ml_assets.domain.owed.due import Request, State, Status, basis, due
from ml_assets.domain.owed.runs import RunSize
from ml_assets.orchestration.arrival.present import find
from ml_assets.orchestration.arrival.shown import arrival_records
from ml_assets.orchestration.assets import code_versions
from ml_assets.orchestration.launcher import fail_dead_runs
from ml_assets.orchestration.launching.runs import OLD_REQUEST_TAG, REQUEST_TAG, parallelism_of, run_over, set_up_pools
from ml_assets.orchestration.recorded.memo import Memo
from ml_assets.orchestration.recorded.ticks import sensor_name
from ml_assets.orchestration.resources import Storage
from ml_assets.paths import AnyPath
from ml_assets.written_by import mark_home

#: Reporting an arrival costs tens of milliseconds, and a tick has 60 seconds.
REPORTS_PER_TICK = 200
RUNS_PER_TICK = 20
SECONDS_BETWEEN_TICKS = 15
#: A run that is killed is repeated; one that is killed each time is repeated ever more seldom.
TRIES = 3
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Launch:
    """A request, and how many runs for it were killed or never began."""

    request: Request
    tries: int


@dataclass(frozen=True)
class Tick:
    """What a sensor found: arrivals to report (log, partition, version), runs to launch, and words for a person.

    `found`: the status of every partition, by model and asset. `absent`: as of `Now`. `seen`: what the files of
    arrivals hold.
    """

    arrivals: Sequence[tuple[str, str, str]]
    launches: Sequence[Launch]
    found: Mapping[str, Mapping[str, Mapping[str, Status]]]
    message: str
    absent: Mapping[str, str] = field(default_factory=dict)
    seen: Seen = field(default_factory=dict)


def service_sensor(
    service: str,
    logs: Sequence[EventLog],
    models: Sequence[Model],
    project_root: Path,
    *,
    automation: bool = True,
    hint: str = "",
) -> dg.SensorDefinition:
    """The sensor that drives the logs and models of one service.

    Args: `automation`: whether it runs from the start; `hint`: how to get events, told where a log has none.
    """
    code = code_versions(models, project_root)
    # A model may read logs of other services.
    known_logs = [*logs, *(log for model in models for log in model.logs)]
    # Kept between ticks, in a process that lives long.
    memo = Memo()

    @dg.sensor(
        name=sensor_name(service),
        description=f"Reports arrivals of {service}'s event logs; launches what is due, and says what waits and why.",
        # A `target` would be one job, whose assets must all have the same partitions. Each model is a group.
        asset_selection=dg.AssetSelection.groups(*(model.name for model in models)),
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.RUNNING if automation else dg.DefaultSensorStatus.STOPPED,
    )
    def sensor(context: dg.SensorEvaluationContext, events: dg.ResourceParam[Storage]) -> dg.SensorResult:
        mark_home(Path(context.instance.root_directory))
        root = events.path(context.instance)
        # What they hold is due again, and not only once run monitoring gives up.
        for run_id in fail_dead_runs(context.instance):
            context.log.info(f"run {run_id} had ended without a verdict")
        tick = look(context.instance, logs, models, code=code, events_root=root, as_of=datetime.now(UTC), memo=memo)
        message = "\n".join([*(describe_absent(why, hint) for why in tick.absent.values()), tick.message])
        if tick.launches:
            # Otherwise the tick shows it as why nothing is launched.
            context.log.info(message)
            set_up_pools(context.instance, models)
        return dg.SensorResult(
            run_requests=[run_request(launch) for launch in tick.launches],
            skip_reason=None if tick.launches else message,
            asset_events=list(arrival_records(tick.arrivals, known_logs, root, tick.seen)),
        )

    return sensor


def look(
    instance: dg.DagsterInstance,
    logs: Iterable[EventLog],
    models: Sequence[Model],
    *,
    code: Mapping[str, str],
    events_root: AnyPath,
    as_of: datetime,
    memo: Memo | None = None,
) -> Tick:
    """Find what is there, and decide. Args: `memo`: what was found before. Raises: as `find`."""
    memo = memo or Memo()
    now = find(instance, models, logs, code=code, events_root=events_root, as_of=as_of, memo=memo)
    facts, found = now.facts, now.statuses
    parallelism = parallelism_of(instance)
    wanted = [
        request
        for model in models
        for size in [RunSize(model.partitions_per_run, parallelism)]
        for request in memo.same(
            ("due", model.name),
            (size, *basis(model, facts, as_of=as_of)),
            partial(due, model, facts, found[model.name], size=size),
        )
    ]
    wanted.sort(key=lambda request: request.partitions[0])
    launches, refused = _not_tried_too_often(instance, wanted, as_of)
    arrivals = now.arrivals[:REPORTS_PER_TICK]
    lines = [f"{len(arrivals)} event partitions arrived or changed"] if arrivals else []
    lines += now.unmatched
    if now.unseen:
        lines.append(f"{now.unseen} event partitions are still to be looked into, by the next tick")
    lines += [describe_refused(log, now.refused[log.key]) for log in now.logs if log.key in now.refused]
    lines += [describe_late(log, facts.late[log.key]) for log in now.logs if facts.late[log.key]]
    lines += [
        memo.same(("words", model.name), (model, of), partial(describe, model, of))
        for model in models
        if (of := found[model.name]) is not None
    ]
    lines += refused
    message = "\n".join(lines) or "no model is declared for this service"
    seen = {log: now.facts.seen[log] for log in {log for log, _, _ in arrivals}}
    return Tick(arrivals, launches[:RUNS_PER_TICK], found, message, now.absent, seen)


def run_request(launch: Launch) -> dg.RunRequest:
    """A run of some assets over contiguous partitions."""
    request = launch.request
    key = f"{request.key}-{launch.tries}"
    return run_over(request.assets, request.partitions, key=key, tags={REQUEST_TAG: request.key})


def describe(model: Model, found: Mapping[str, Mapping[str, Status]]) -> str:
    """The state of a model's assets in words, such as a person reads in a tick."""
    lines = []
    for asset, partitions in found.items():
        by_state: dict[State, list[str]] = {}
        for partition, status in partitions.items():
            by_state.setdefault(status.state, []).append(partition)
        parts = [_describe_state(model, state, names, partitions) for state, names in by_state.items()]
        lines.append(f"{asset}: {'; '.join(parts) or 'no partition yet'}")
    # Each line tells the cause of its first partition alone.
    refused = dict.fromkeys(why for of in found.values() for status in of.values() if (why := status.refused))
    return "\n".join([*lines, *(f"{model.name}: {why}" for why in refused if not any(why in line for line in lines))])


def describe_absent(why: str, hint: str) -> str:
    """A log of which nothing can have arrived yet, on one line. Args: `hint`: how to get events, if known."""
    return f"nothing has arrived yet: {why}{f'; {hint}' if hint else ''}"


def describe_refused(log: EventLog, refused: Mapping[str, str]) -> str:
    """The event partitions that are there and do not count, in words."""
    spans = describe_spans(log.partitions, [log.partitions.index_of(name) for name in refused])
    count = "is there and does not count" if len(refused) == 1 else "are there and do not count"
    return f"{log.key}: {spans} {count} as arrived: {describe_misfits({log.key: refused})}"


def describe_late(log: EventLog, late: Iterable[str]) -> str:
    """The event partitions that changed too late, in words."""
    spans = describe_spans(log.partitions, [log.partitions.index_of(name) for name in late])
    return f"{log.key}: {spans} changed after the restatement window of {log.restatement}; nothing is made again of it"


def _describe_state(model: Model, state: State, names: Sequence[str], partitions: Mapping[str, Status]) -> str:
    """Such as `2026-01-06..2026-01-13 waiting (2026-01-06 for ads/conversions 2026-01-14)`: the first one's cause."""
    calendar = model.partitions
    words = f"{describe_spans(calendar, [calendar.index_of(name) for name in names])} {state}"
    why = partitions[names[0]].why
    first = f"{names[0]} " if len(names) > 1 else ""
    return f"{words} ({first}{why})" if why and state is not State.DONE else words


def _not_tried_too_often(
    instance: dg.DagsterInstance, wanted: list[Request], as_of: datetime
) -> tuple[list[Launch], list[str]]:
    """Leave out what was launched before and came to no verdict too often: its run was killed, or never began.

    A request that came to none is launched by single partitions, so that one does not keep back the others; one that
    did so `TRIES` times waits, longer each time, up to a day.
    Returns: what to launch, and in words what waits.
    """
    tried = _tried(instance, wanted)
    requests = [one for request in wanted for one in _split(request, tried.get(request.key, []))]
    tried.update(_tried(instance, [request for request in requests if request.key not in tried]))
    launches, lines = [], []
    for request in requests:
        runs = tried.get(request.key, [])
        failed = [run for run in runs if run.dagster_run.status is dg.DagsterRunStatus.FAILURE]
        span = "..".join(dict.fromkeys((request.partitions[0], request.partitions[-1])))
        words = f"{', '.join(request.assets)} {span}"
        if stopped := _canceled(runs):
            lines.append(f"{words} was canceled in run {stopped[0]}; mend the cause and launch it by hand")
        elif as_of < (again := _again_after(failed)):
            until = again.isoformat(timespec="minutes")
            lines.append(f"{words} ended {len(failed)} times without a verdict; it is tried again after {until}")
        else:
            launches.append(Launch(request, len(runs)))
    return launches, lines


def _split(request: Request, runs: Sequence[dg.RunRecord]) -> list[Request]:
    """One request, or one for each partition where a run of all came to no verdict."""
    if len(request.partitions) == 1 or not runs or _canceled(runs):
        return [request]
    return request.singles()


def _canceled(runs: Iterable[dg.RunRecord]) -> list[str]:
    """The runs that a person canceled."""
    return [run.dagster_run.run_id for run in runs if run.dagster_run.status is dg.DagsterRunStatus.CANCELED]


def _again_after(failed: Sequence[dg.RunRecord]) -> datetime:
    """When a request may be tried again, of which so many runs came to no verdict."""
    if len(failed) < TRIES:
        return datetime.min.replace(tzinfo=UTC)
    pause = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** (len(failed) - TRIES))
    return max(run.update_timestamp.astimezone(UTC) for run in failed) + pause


def _tried(instance: dg.DagsterInstance, requests: Sequence[Request]) -> dict[str, list[dg.RunRecord]]:
    """The finished runs of some requests, by their keys."""
    if not requests:
        return {}
    keys = [request.key for request in requests]
    tried: dict[str, list[dg.RunRecord]] = {}
    for tag in (REQUEST_TAG, OLD_REQUEST_TAG):
        for record in instance.get_run_records(filters=dg.RunsFilter(tags={tag: keys}, statuses=FINISHED_STATUSES)):
            tried.setdefault(record.dagster_run.tags[tag], []).append(record)
    return tried
