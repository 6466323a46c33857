"""One sensor per service: reports which event partitions arrived, asks `due`, launches. It keeps no state."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    RUN_KEY_TAG,
)

from ml_assets.domain.due import Request, State, Status, requests, statuses
from ml_assets.domain.maturity import describe_spans
from ml_assets.domain.spec import EventLog, Model
from ml_assets.orchestration.arrival import arrived_by_marker
from ml_assets.orchestration.assets import PARTITIONS_PER_RUN, code_versions
from ml_assets.orchestration.facts import asset_key, materialization, read_arrived, read_facts
from ml_assets.orchestration.resources import Storage

#: Reporting an arrival costs tens of milliseconds, and a tick has 60 seconds.
REPORTS_PER_TICK = 200
RUNS_PER_TICK = 20
SECONDS_BETWEEN_TICKS = 15


@dataclass(frozen=True)
class Tick:
    """What a sensor found: arrivals to report (log, partition, fingerprint), runs to launch, words for a person."""

    arrivals: Sequence[tuple[str, str, str]]
    launches: Sequence[Request]
    message: str


def service_sensor(
    service: str, logs: Sequence[EventLog], models: Sequence[Model], project_root: Path
) -> dg.SensorDefinition:
    """The sensor that drives the logs and models of one service."""
    code = {asset: version for model in models for asset, version in code_versions(model, project_root).items()}

    @dg.sensor(
        name=f"{service}_sensor",
        description=f"Reports arrivals of {service}'s event logs; launches what is due, and says what waits and why.",
        target=dg.AssetSelection.assets(*(asset_key(asset) for asset in code)),
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def sensor(context: dg.SensorEvaluationContext, events: dg.ResourceParam[Storage]) -> dg.SensorResult:
        root = events.path(context.instance)
        tick = look(context.instance, logs, models, code=code, events_root=root, as_of=datetime.now(UTC))
        context.log.info(tick.message)
        return dg.SensorResult(
            run_requests=[run_request(request) for request in tick.launches],
            skip_reason=None if tick.launches else tick.message,
            asset_events=[materialization(*arrival) for arrival in tick.arrivals],
        )

    return sensor


def look(
    instance: dg.DagsterInstance,
    logs: Iterable[EventLog],
    models: Sequence[Model],
    *,
    code: Mapping[str, str],
    events_root: Path,
    as_of: datetime,
) -> Tick:
    """Compare the source with what is recorded, and decide.

    Raises: FileNotFoundError when a log has no folder: a source that is down is not a source without news.
    """
    logs = list(logs)
    arrived = read_arrived(instance, logs)
    arrivals = _arrivals(logs, arrived, events_root)
    for log, partition, fingerprint in arrivals:
        arrived[log][partition] = fingerprint
    facts = read_facts(instance, models, code=code, arrived=arrived)
    wanted: list[Request] = []
    lines = [f"{len(arrivals)} event partitions arrived or changed"] if arrivals else []
    for model in models:
        found = statuses(model, facts, as_of=as_of)
        wanted += requests(model, facts, found, partitions_per_run=PARTITIONS_PER_RUN)
        lines.append(describe(model, found))
    launches, refused = _not_yet_tried(instance, wanted)
    return Tick(
        arrivals, launches[:RUNS_PER_TICK], "\n".join(lines + refused) or "no model is declared for this service"
    )


def run_request(request: Request) -> dg.RunRequest:
    """A run of some assets over contiguous partitions."""
    return dg.RunRequest(
        run_key=request.key,
        asset_selection=[asset_key(asset) for asset in request.assets],
        tags={
            ASSET_PARTITION_RANGE_START_TAG: request.partitions[0],
            ASSET_PARTITION_RANGE_END_TAG: request.partitions[-1],
            "ml_assets/model": request.model,
        },
    )


def describe(model: Model, found: Mapping[str, Mapping[str, Status]]) -> str:
    """The state of a model's assets in words, such as a person reads in a tick."""
    lines = []
    for asset, partitions in found.items():
        by_state: dict[State, list[str]] = {}
        for partition, status in partitions.items():
            by_state.setdefault(status.state, []).append(partition)
        parts = [_describe_state(model, state, names, partitions) for state, names in by_state.items()]
        lines.append(f"{asset}: {'; '.join(parts) or 'no partition yet'}")
    return "\n".join(lines)


def _describe_state(model: Model, state: State, names: Sequence[str], partitions: Mapping[str, Status]) -> str:
    """Such as `2026-01-06..2026-01-13 waiting (2026-01-06 for ads/conversions 2026-01-14)`: the first one's cause."""
    calendar = model.partitions
    words = f"{describe_spans(calendar, [calendar.index_of(name) for name in names])} {state}"
    why = partitions[names[0]].why
    first = f"{names[0]} " if len(names) > 1 else ""
    return f"{words} ({first}{why})" if why and state is not State.DONE else words


def _arrivals(
    logs: Iterable[EventLog], known: Mapping[str, Mapping[str, str]], root: Path
) -> list[tuple[str, str, str]]:
    """The event partitions that are new or changed, as (log, partition, fingerprint), oldest first."""
    news = [
        (log.key, partition, fingerprint)
        for log in logs
        for partition, fingerprint in arrived_by_marker(root, log).items()
        if known[log.key].get(partition) != fingerprint
    ]
    return sorted(news, key=lambda arrival: arrival[1])[:REPORTS_PER_TICK]


def _not_yet_tried(instance: dg.DagsterInstance, wanted: list[Request]) -> tuple[list[Request], list[str]]:
    """Leave out requests whose run ended before it began a partition: the same run would end the same way."""
    if not wanted:
        return [], []
    filters = dg.RunsFilter(tags={RUN_KEY_TAG: [request.key for request in wanted]})
    tried = {run.tags[RUN_KEY_TAG]: run for run in instance.get_runs(filters=filters)}
    lines = [
        f"{request.model}: run {tried[request.key].run_id} ended {tried[request.key].status.value} before it began "
        f"{request.partitions[0]}..{request.partitions[-1]}; mend its cause and launch these by hand"
        for request in wanted
        if request.key in tried
    ]
    return [request for request in wanted if request.key not in tried], lines
