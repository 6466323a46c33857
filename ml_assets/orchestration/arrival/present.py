"""What is there now: what the sources have, held against what is recorded. They are asked, and nothing is decided."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import dagster as dg

from ml_assets.data.artifacts.store import ArtifactStore
from ml_assets.data.logs.event_files import EventFolder
from ml_assets.data.logs.unmatched import describe_unmatched
from ml_assets.domain.agreement import Misfits
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.owed.due import Status, basis, statuses
from ml_assets.domain.owed.facts import Facts
from ml_assets.domain.restatement import EventVersion, version_of
from ml_assets.orchestration.arrival.contents import counts, look_into, problems_of, remember_problems
from ml_assets.orchestration.arrival.sources import Answer, ask
from ml_assets.orchestration.recorded.facts import read_arrived, read_facts
from ml_assets.orchestration.recorded.lost import find_lost
from ml_assets.orchestration.recorded.memo import Memo
from ml_assets.paths import AnyPath

#: A tick has 60 seconds; what there was no time for is looked into by the next one.
SECONDS_TO_LOOK = 30


@dataclass(frozen=True)
class Now:
    """What is there: in the source, which is asked, and in what is recorded.

    `arrivals`: what the source has and nothing records (log, partition, version), oldest first. `statuses`: of every
    partition, by model and asset. `absent`: by log, why nothing of it can have arrived yet, where that is so.
    `unmatched`: a line for each log with folders that match no partition.
    `refused`: by log and event partition, why what is there does not count. `unseen`: how many there was no time to
    look into.
    """

    logs: Sequence[EventLog]
    facts: Facts
    statuses: Mapping[str, Mapping[str, Mapping[str, Status]]]
    arrivals: Sequence[tuple[str, str, str]]
    absent: Mapping[str, str]
    unmatched: Sequence[str]
    refused: Misfits
    unseen: int


def find(
    instance: dg.DagsterInstance,
    models: Sequence[Model],
    logs: Iterable[EventLog] = (),
    *,
    code: Mapping[str, str],
    events_root: AnyPath,
    as_of: datetime,
    memo: Memo | None = None,
    store: ArtifactStore | None = None,
    seconds: float | None = SECONDS_TO_LOOK,
) -> Now:
    """Compare the source with what is recorded.

    Args: `logs`: beside those of the models; `memo`: what was found before; `store`: where to look for what is lost,
    which is not looked for without; `seconds`: for looking into files.
    Raises: SourceError when a log cannot be asked: a source that is down is not one without news; StoreError likewise.
    """
    # A model may read logs of other services, whose sensors may have stopped.
    logs = list({log.key: log for log in (*logs, *(log for model in models for log in model.logs))}.values())
    memo = memo or Memo()
    recorded = read_arrived(instance, logs, memo=memo)
    asked = {log.key: ask(log, events_root, recorded[log.key], as_of=as_of) for log in logs}
    seen, unseen = look_into(instance, logs, events_root, asked, recorded=recorded, memo=memo, seconds=seconds)
    refused = {
        log.key: memo.same(("problems", log.key), (log, seen[log.key]), partial(problems_of, log, seen)) for log in logs
    }
    remember_problems(instance, logs, refused)
    # What was recorded by older versions, which did not look, counts until somebody has.
    left_out = {
        key: refused[key].keys()
        | {one for one in unseen.get(key, ()) if not counts(recorded, key, one, of.arrived[one])}
        for key, of in asked.items()
    }
    present = {log.key: _present(log, recorded[log.key], asked[log.key], left_out[log.key], as_of) for log in logs}
    facts = replace(read_facts(instance, models, code=code, arrived=present, memo=memo), seen=seen)
    if store is not None:
        facts = replace(facts, lost=find_lost(store, facts.made))
    found = {
        model.name: memo.same(
            ("statuses", model.name),
            basis(model, facts, as_of=as_of),
            partial(statuses, model, facts, as_of=as_of),
        )
        for model in models
    }
    absent = {key: of.absent for key, of in asked.items() if of.absent}
    unmatched = [words for log in logs if log.key not in absent and (words := unmatched_of(log, events_root))]
    refused = {log: of for log, of in refused.items() if of}
    unseen_ones = sum(map(len, unseen.values()))
    return Now(logs, facts, found, _arrivals(recorded, present), absent, unmatched, refused, unseen_ones)


def unmatched_of(log: EventLog, root: AnyPath) -> str:
    """The folders of a log that match no partition, in words; empty where there is none.

    Raises: NoFolderError where it has no folder; SourceError where it cannot be asked.
    """
    return "" if log.table is not None else describe_unmatched(EventFolder(root, log), root, log)


def _present(
    log: EventLog, recorded: Mapping[str, EventVersion], asked: Answer, left_out: Container[str], as_of: datetime
) -> dict[str, EventVersion]:
    """The versions of what the source has and counts. What it has lost since is not there to be read."""
    return {
        # Most are as they were; to ask what follows from a change costs more than to see that there is none.
        name: known
        if (known := recorded.get(name)) is not None and known.present == found == known.accepted
        else version_of(log, name, known, found, as_of=as_of)
        for name, found in asked.arrived.items()
        if name not in left_out
    }


def _arrivals(
    recorded: Mapping[str, Mapping[str, EventVersion]], present: Mapping[str, Mapping[str, EventVersion]]
) -> list[tuple[str, str, str]]:
    """The event partitions that are new or changed, as (log, partition, version), oldest first."""
    news = [
        (log, partition, str(version))
        for log, partitions in present.items()
        for partition, version in partitions.items()
        if (known := recorded[log].get(partition)) is not version and known != version
    ]
    return sorted(news, key=lambda arrival: arrival[1])
