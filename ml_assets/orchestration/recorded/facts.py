"""Reads the facts that `due` judges from a Dagster instance.

A run notes from which inputs and by which code it begins a partition. It leaves a materialization when the partition
ends well; its data version is the hash of the content. It leaves an observation when the partition fails or a person
stops it, whose data version says from which inputs, by which code, in which run. Dagster indexes data versions, so that
they are read without the events themselves. Older runs, and those of instances that keep no notes, such as Dagster+,
leave an observation of each beginning instead.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import dagster as dg

from ml_assets.dagster_names import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    DEFAULT_DATA_VERSION,
    NOT_FINISHED_STATUSES,
    NULL_EVENT_POINTER,
    PARTITION_NAME_TAG,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.owed.facts import Attempt, Facts, Made
from ml_assets.domain.restatement import EventVersion
from ml_assets.orchestration.recorded.known import Event, Recorded
from ml_assets.orchestration.recorded.memo import Memo, keeps_notes
from ml_assets.orchestration.recorded.retries import being_retried

FAILED, STOPPED = "failed", "stopped"
_BEGUN = "begun"
_ERROR = "error"
_RUNNING = [status for status in NOT_FINISHED_STATUSES if status is not dg.DagsterRunStatus.NOT_STARTED]


def asset_key(name: str) -> dg.AssetKey:
    """Dagster's key of `ads/cvr/model`."""
    return dg.AssetKey(name.split("/"))


def materialization(
    asset: str,
    partition: str,
    data_version: str,
    metadata: Mapping[str, Any] | None = None,
    *,
    code: str | None = None,
    inputs: Mapping[str, Made | None] | None = None,
) -> dg.AssetMaterialization:
    """The fact that a partition exists, with the version of its content.

    Args: `code`: the version of the code that made it, by which the UI tells what is outdated; `inputs`: what it was
    made from, all that the asset depends on; None for an event log, of whose changes `due` judges alone.
    """
    tags = {DATA_VERSION_TAG: data_version}
    if code is not None:
        tags[CODE_VERSION_TAG] = code
        for name, made in (inputs or {}).items():
            # Where Dagster finds one input without these, it calls the partition outdated.
            key = asset_key(name)
            tags[get_input_data_version_tag(key)] = made.data_version if made else DEFAULT_DATA_VERSION.value
            tags[get_input_event_pointer_tag(key)] = str(made.id) if made else NULL_EVENT_POINTER
    return dg.AssetMaterialization(asset_key(asset), partition=partition, metadata=dict(metadata or {}), tags=tags)


def note_begun(  # noqa: PLR0917
    instance: dg.DagsterInstance, asset: str, partition: str, inputs: str, code: str, run_id: str
) -> dg.AssetObservation | None:
    """Keep from which inputs and by which code a run makes a partition, beside the events: nobody else asks for it.

    Args: `inputs`: their digest, as `due` computes it.
    Returns: the event to yield where the instance keeps no notes.
    """
    if not keeps_notes(instance):
        return attempt(asset, partition, inputs, code, run_id, _BEGUN)
    instance.daemon_cursor_storage.set_cursor_values({_note(asset, partition, run_id): f"{inputs}.{code}"})
    return None


def _note(asset: str, partition: str, run_id: str) -> str:
    return f"ml_assets/begun/{asset}/{partition}/{run_id}"


def attempt(  # noqa: PLR0917
    asset: str,
    partition: str,
    inputs: str,
    code: str,
    run_id: str,
    verdict: str,
    *,
    error: str | None = None,
    executed: dg.MetadataValue | None = None,
) -> dg.AssetObservation:
    """The fact that a run failed at a partition, or was stopped at it, from which inputs and by which code.

    Args: `error`: the exception that it failed with, on one line; `executed`: what opens its executed notebook.
    """
    words: dict[str, Any] = {} if error is None else {_ERROR: dg.MetadataValue.text(error)}
    if executed is not None:
        words["executed notebook"] = executed
    return dg.AssetObservation(
        asset_key(asset),
        partition=partition,
        description=f"{verdict}: {error}" if error else verdict,
        metadata={"run": dg.MetadataValue.dagster_run(run_id), **words},
        tags={DATA_VERSION_TAG: f"{inputs}.{code}.{run_id}.{verdict}"},
    )


def read_arrived(
    instance: dg.DagsterInstance, logs: Iterable[EventLog], *, memo: Memo | None = None
) -> dict[str, dict[str, EventVersion]]:
    """The versions of the event partitions reported so far, by log."""
    memo, logs = memo or Memo(), list(logs)
    recorded = memo.read(instance, [asset_key(log.key) for log in logs])
    return {
        log.key: memo.same(("arrived", log.key), (log, of.made), partial(_versions, log, of.made))
        for log, of in zip(logs, recorded, strict=True)
    }


def _versions(log: EventLog, made: Mapping[str, Event]) -> dict[str, EventVersion]:
    return {
        partition: EventVersion.parse(event.version)
        for partition, event in made.items()
        # A log that begins later now leaves those of before behind.
        if event.version is not None and log.partitions.holds(partition)
    }


def read_facts(
    instance: dg.DagsterInstance,
    models: Iterable[Model],
    *,
    code: Mapping[str, str],
    arrived: Mapping[str, Mapping[str, EventVersion]] | None = None,
    memo: Memo | None = None,
) -> Facts:
    """Everything recorded about some models.

    Args: `code`: the present code version of each asset; `arrived`: what has arrived, where that is known already;
    `memo`: what was read before.
    """
    models, memo = list(models), memo or Memo()
    # First of all: a run that ends while the rest is read shows as running once more, not as failed.
    running = _running(instance, models)
    logs = {log.key: log for model in models for log in model.logs}
    known = dict(arrived or {})
    known.update(read_arrived(instance, (log for key, log in logs.items() if key not in known), memo=memo))
    accepted = {log: memo.same(("accepted", log), (of,), partial(_accepted, of)) for log, of in known.items()}
    made: dict[str, dict[str, Made]] = {}
    tried: dict[str, dict[str, _Tried]] = {}
    assets = [asset for model in models for asset in model.assets]
    for asset, recorded in zip(assets, memo.read(instance, [asset_key(asset) for asset in assets]), strict=True):
        begun = {name: _note(asset, name, event.run) for name, event in recorded.made.items()}
        notes = memo.notes(instance, asset, begun.values())
        history = partial(_history, recorded, begun, notes)
        made[asset], tried[asset] = memo.same(("history", asset), (recorded, notes), history)
        if recorded.changing:
            running[asset] = running.get(asset, frozenset()) | recorded.changing
    return Facts(
        arrived={log: of for log, (of, _) in accepted.items()},
        late={log: late for log, (_, late) in accepted.items()},
        made=made,
        failed=_failed(instance, tried),
        running=running,
        code=code,
    )


def read_error(instance: dg.DagsterInstance, asset: str, partition: str) -> str | None:
    """Why the latest attempt at a partition came to nothing: its exception, or that it was stopped; else None."""
    wanted = dg.AssetRecordsFilter(asset_key=asset_key(asset), asset_partitions=[partition])
    for record in instance.fetch_observations(wanted, limit=1).records:
        observed = record.asset_observation
        if observed and isinstance(error := observed.metadata.get(_ERROR), dg.TextMetadataValue):
            return error.text
    return None


def failure_in(record: dg.EventLogRecord) -> str | None:
    """The exception that an event records of a partition which failed; None where it records no failure."""
    observed = record.asset_observation
    if observed is None or not (observed.tags or {}).get(DATA_VERSION_TAG, "").endswith(f".{FAILED}"):
        return None
    error = observed.metadata.get(_ERROR)
    return error.text or "" if isinstance(error, dg.TextMetadataValue) else "failed"


def partitions_of_run(run: dg.DagsterRun, model: Model) -> list[str]:
    """The partitions of a model that a run holds; none when the run is partitioned otherwise."""
    calendar = model.partitions
    single = run.tags.get(PARTITION_NAME_TAG)
    first = run.tags.get(ASSET_PARTITION_RANGE_START_TAG, single)
    last = run.tags.get(ASSET_PARTITION_RANGE_END_TAG, single)
    if first is None or last is None:
        return []
    try:
        indices = range(calendar.index_of(first), calendar.index_of(last) + 1)
    except ValueError:
        return []
    return [calendar.key(index) for index in indices]


class _Tried(NamedTuple):
    """The latest attempt at a partition, when no materialization came after it."""

    inputs: str
    code: str
    run: str
    verdict: str
    id: int

    @classmethod
    def parse(cls, version: str, tried_id: int) -> "_Tried":
        inputs, code, run, verdict = version.split(".")
        return cls(inputs, code, run, verdict, tried_id)


def _accepted(versions: Mapping[str, EventVersion]) -> tuple[dict[str, str], frozenset[str]]:
    """The versions that count, and the partitions that changed too late."""
    late = frozenset(name for name, version in versions.items() if version.late)
    return {name: version.accepted for name, version in versions.items()}, late


def _history(
    recorded: Recorded, begun: Mapping[str, str], notes: Mapping[str, str | None]
) -> tuple[dict[str, Made], dict[str, _Tried]]:
    """What exists of an asset, and the attempts after that. Args: `begun`: the key of the note of each partition."""
    # Of an attempt whose run was killed between the event and its tag, nothing is known.
    known = {
        partition: _Tried.parse(event.version, event.id)
        for partition, event in recorded.tried.items()
        if event.version is not None
    }
    later = {
        partition: attempt
        for partition, attempt in known.items()
        if (event := recorded.made.get(partition)) is None or attempt.id > event.id
    }
    made = {name: _made(event, notes[begun[name]], known.get(name)) for name, event in recorded.made.items()}
    return made, later


def _made(event: Event, note: str | None, attempt: _Tried | None) -> Made:
    """A materialization; of what it was made is not said where a later attempt at the partition came to nothing."""
    inputs, code = None, None
    if attempt is None or attempt.id < event.id:
        if note is not None:
            inputs, code = note.split(".")
        elif attempt is not None:
            inputs, code = attempt.inputs, attempt.code
    return Made(event.id, event.version or "", inputs, code, event.run)


def _failed(instance: dg.DagsterInstance, tried: Mapping[str, Mapping[str, _Tried]]) -> dict[str, dict[str, Attempt]]:
    """The attempts that failed, or that a person stopped; one that was killed has no verdict, and may be repeated."""
    open_runs = {found.run for of in tried.values() for found in of.values() if found.verdict == _BEGUN}
    runs = instance.get_runs(filters=dg.RunsFilter(run_ids=list(open_runs))) if open_runs else []
    stopped = {run.run_id for run in runs if run.status is dg.DagsterRunStatus.CANCELED}
    return {
        asset: {
            partition: Attempt(found.inputs, found.code, found.run, found.id)
            for partition, found in of.items()
            if found.verdict != _BEGUN or found.run in stopped
        }
        for asset, of in tried.items()
    }


def runs_in_progress(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The runs that make something now, and those that Dagster is about to repeat."""
    runs = [*instance.get_runs(filters=dg.RunsFilter(statuses=_RUNNING))]
    return [*runs, *being_retried(instance, now=datetime.now(UTC))]


def _running(instance: dg.DagsterInstance, models: list[Model]) -> dict[str, frozenset[str]]:
    running: dict[str, set[str]] = {}
    for run in runs_in_progress(instance):
        for model in models:
            for asset in model.assets:
                if run.asset_selection is not None and asset_key(asset) in run.asset_selection:
                    running.setdefault(asset, set()).update(partitions_of_run(run, model))
    return {asset: frozenset(partitions) for asset, partitions in running.items()}
