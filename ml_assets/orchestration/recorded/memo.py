"""What is recorded of assets, kept in the process between two looks: a sensor looks every fifteen seconds.

A look costs what changed since the last one, not all that ever happened. The memo is a cache only: with an empty one,
or none, the answer is the same. What is kept of an asset holds while Dagster has exactly the events that it was made
of, which their number, the sum of their ids, and the run and instant of the last one tell: an event that came, was
deleted with its run, or was committed late, changes them. SQLite gives the ids of deleted events again, but only those
above all that are left, the last one's included. New events are read by themselves; where anything else changed, all of
the asset is read again.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from threading import Lock
from typing import Any, TypeVar

import dagster as dg

from ml_assets.dagster_names import DATA_VERSION_TAG, DagsterEventType
from ml_assets.domain.contents import Column, Contents
from ml_assets.orchestration.recorded.known import KINDS, Event, Known, Recorded

#: Events, or notes, that are asked for in one query.
_AT_ONCE = 1000

T = TypeVar("T")


class Memo:
    """What one sensor keeps between its ticks. Threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._instance: str | None = None
        self._known: dict[str, Known] = {}
        self._made: dict[Hashable, tuple[tuple[Any, ...], Any]] = {}
        self._notes: dict[Hashable, Mapping[str, str | None]] = {}
        #: By log and event partition: what its files hold. By digest: columns, of which many have the same.
        self.contents: dict[str, dict[str, Contents]] = {}
        self.columns: dict[str, Mapping[str, Column]] = {}
        #: By log, event partition and fingerprint: the footers of those of its files for which there was time.
        self.footers: dict[tuple[str, str, str], dict[Any, Any]] = {}

    def same(self, name: Hashable, inputs: tuple[Any, ...], make: Callable[[], T]) -> T:
        """What `make` gave by this name for equal inputs, or gives now. Nobody changes it, nor the inputs."""
        known = self._made.get(name)
        # Tuples take what is one and the same object for equal, and do not look into it.
        if known is None or known[0] != inputs:
            known = self._made[name] = inputs, make()
        made: T = known[1]
        return made

    def notes(self, instance: dg.DagsterInstance, of: Hashable, keys: Iterable[str]) -> Mapping[str, str | None]:
        """The values that the instance keeps by some keys, None where it keeps none. A key that is asked for is final.

        Args: `of`: what is asked again and again for much the same keys; those that are not asked for any more go.
        """
        wanted, known = list(keys), self._notes.get(of, {})
        if len(wanted) == len(known) and all(key in known for key in wanted):
            return known
        new = [key for key in wanted if key not in known] if keeps_notes(instance) else []
        found: dict[str, str] = {}
        for start in range(0, len(new), _AT_ONCE):
            found.update(instance.daemon_cursor_storage.get_cursor_values(set(new[start : start + _AT_ONCE])))
        self._notes[of] = notes = {key: known[key] if key in known else found.get(key) for key in wanted}
        return notes

    def read(self, instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey]) -> list[Recorded]:
        """What is recorded of some assets."""
        from ml_assets.orchestration.recorded import sql as facts_sql

        name = facts_sql.name_of(instance)
        if name is None:
            return [read_by_names(instance, key) for key in keys]
        assets = [key.to_string() for key in keys]
        with self._lock:
            if self._instance != name:
                self._instance = name
                self._known.clear()
                self._notes.clear()
                self.contents.clear()
                self.columns.clear()
            found = facts_sql.read(instance, assets, self._known)
            for asset, known in found.items():
                # Some storages write an event first, and its data version after it: what lacks one is read again.
                if known is not self._known.get(asset) and _is_complete(known.recorded):
                    self._known[asset] = known
        return [found[asset].recorded for asset in assets]


def keeps_notes(instance: dg.DagsterInstance) -> bool:
    """Whether an instance has the table of keys and values that notes are in. Dagster+ has none for runs."""
    # It loads SQLAlchemy, which the definitions do without.
    from ml_assets.dagster_names import SqlRunStorage

    return isinstance(instance.run_storage, SqlRunStorage)


def read_by_names(instance: dg.DagsterInstance, key: dg.AssetKey) -> Recorded:
    """What is recorded of an asset, from a storage that takes no SQL.

    An id and a version read one after the other may be of two different events, hence `changing`.
    """
    storage = instance.event_log_storage

    def ids(kind: DagsterEventType) -> dict[str, int]:
        return dict(storage.get_latest_storage_id_by_partition(key, kind))

    def versions(kind: DagsterEventType) -> dict[str, str]:
        tags = storage.get_latest_tags_by_partition(key, kind, [DATA_VERSION_TAG])
        return {partition: found[DATA_VERSION_TAG] for partition, found in tags.items()}

    before = [ids(kind) for kind in KINDS]
    found = [versions(kind) for kind in KINDS]
    runs = [_runs(instance, key, kind, of) for kind, of in zip(KINDS, before, strict=True)]
    after = [ids(kind) for kind in KINDS]
    changing = frozenset(
        partition for old, new in zip(before, after, strict=True) for partition, _ in new.items() - old.items()
    )
    made, tried = (
        {
            name: Event(number, of.get(name), of_runs.get(number, ""))
            for name, number in old.items()
            if name not in changing
        }
        for old, of, of_runs in zip(before, found, runs, strict=True)
    )
    return Recorded(made, tried, changing)


def _runs(
    instance: dg.DagsterInstance, key: dg.AssetKey, kind: DagsterEventType, ids: Mapping[str, int]
) -> dict[int, str]:
    """The runs that some events are of, by their ids."""
    fetch = instance.fetch_materializations if kind is KINDS[0] else instance.fetch_observations
    wanted, found = sorted(ids.values()), dict[int, str]()
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        records = fetch(dg.AssetRecordsFilter(asset_key=key, storage_ids=some), limit=len(some)).records
        found.update((record.storage_id, record.run_id) for record in records)
    return found


def _is_complete(recorded: Recorded) -> bool:
    return all(event.version is not None for of in (recorded.made, recorded.tried) for event in of.values())
