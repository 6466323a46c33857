"""Follows a partition to the artifacts and event partitions that it was made from, and checks each link."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from ml_assets.dagster_names import DATA_VERSION_TAG
from ml_assets.data.artifacts.store import Artifact, ArtifactError, ArtifactStore
from ml_assets.orchestration.recorded.facts import asset_key


@dataclass(frozen=True)
class Link:
    """One artifact of the chain. `superseded_by`: the run that made the next version of it, if there is one."""

    asset: str
    partition: str
    run_id: str
    artifact: Artifact
    superseded_by: str | None
    inputs: tuple["Link", ...]


@dataclass(frozen=True)
class Lineage:
    """The chain below one version of a partition, and what is wrong with it in words.

    `versions`: the runs that made the partition, oldest first.
    """

    root: Link | None
    versions: tuple[str, ...]
    problems: tuple[str, ...]


def current_runs(instance: dg.DagsterInstance, asset: str) -> dict[str, str]:
    """The run that made the current materialization of each partition of an asset."""
    return {partition: next(iter(runs)) for partition, runs in recorded_versions(instance, asset).items()}


def recorded_versions(instance: dg.DagsterInstance, asset: str) -> dict[str, dict[str, str]]:
    """The data versions that are recorded of an asset, by partition and by run, the current one first."""
    found: dict[str, dict[str, str]] = {}
    cursor, more = None, True
    while more:
        page = instance.fetch_materializations(asset_key(asset), limit=1000, cursor=cursor)
        for record in page.records:
            event = record.asset_materialization
            if record.partition_key is not None and event is not None:
                version = (event.tags or {}).get(DATA_VERSION_TAG, "")
                found.setdefault(record.partition_key, {}).setdefault(record.run_id, version)
        cursor, more = page.cursor, page.has_more
    return found


def versions(instance: dg.DagsterInstance, asset: str, partition: str) -> tuple[str, ...]:
    """The runs that made a partition, oldest first; the last one's version is current."""
    filters = dg.AssetRecordsFilter(asset_key=asset_key(asset), asset_partitions=[partition])
    runs: list[str] = []
    cursor, more = None, True
    while more:
        page = instance.fetch_materializations(filters, limit=100, cursor=cursor)
        runs += [record.run_id for record in page.records]
        cursor, more = page.cursor, page.has_more
    return tuple(reversed(runs))


def trace(
    instance: dg.DagsterInstance, store: ArtifactStore, asset: str, partition: str, *, run_id: str | None = None
) -> Lineage:
    """The chain below a partition's current version, or below the one that a run made."""
    tracer = _Tracer(instance, store)
    runs = versions(instance, asset, partition)
    if not runs:
        return Lineage(None, (), (f"{asset} {partition} does not exist: no run has materialized it",))
    if run_id is not None and run_id not in runs:
        return Lineage(None, runs, (f"run {run_id} did not make {asset} {partition}; {', '.join(runs)} did",))
    root = tracer.link(asset, partition, run_id or runs[-1])
    if root is not None and root.superseded_by is None:
        tracer.check_current(root)
    return Lineage(root, runs, tuple(tracer.problems))


def as_json(lineage: Lineage) -> dict[str, Any]:
    """The chain as plain values."""
    return {
        "lineage": _link_json(lineage.root) if lineage.root else None,
        "versions": list(lineage.versions),
        "problems": list(lineage.problems),
    }


class _Tracer:
    def __init__(self, instance: dg.DagsterInstance, store: ArtifactStore) -> None:
        self.instance = instance
        self.store = store
        self.problems: list[str] = []

    def link(self, asset: str, partition: str, run_id: str) -> Link | None:
        try:
            artifact = self.store.load(asset, partition, run_id)
        except ArtifactError as error:
            self.problems.append(f"{asset} {partition} of run {run_id}: {error}")
            return None
        inputs = []
        for name, recorded in artifact.manifest["inputs"].items():
            link = self.link(name, recorded["partition"], recorded["run_id"])
            if link is not None:
                self._check_version(link, recorded)
                inputs.append(link)
        runs = versions(self.instance, asset, partition)
        later = runs[runs.index(run_id) + 1 :] if run_id in runs else ()
        return Link(asset, partition, run_id, artifact, later[0] if later else None, tuple(inputs))

    def check_current(self, root: Link) -> None:
        """A current version should have been made from the current model."""
        for link in root.inputs:
            if link.artifact.manifest["step"] == "model" and link.superseded_by:
                newest = versions(self.instance, link.asset, link.partition)[-1]
                self.problems.append(
                    f"{link.asset} {link.partition} has been remade since, by run {newest}: "
                    f"the metric judged the version of run {link.run_id}"
                )

    def _check_version(self, link: Link, recorded: Mapping[str, Any]) -> None:
        if link.artifact.data_version != recorded["data_version"]:
            self.problems.append(
                f"{link.asset} {link.partition} of run {link.run_id} has data version {link.artifact.data_version}, "
                f"but {recorded['data_version']} was recorded when it was used"
            )


def _link_json(link: Link) -> dict[str, Any]:
    manifest = link.artifact.manifest
    keys = ("data_version", "windows", "events", "known_as_of", "notebook", "code_version", "git_commit")
    return {
        "asset": link.asset,
        "partition": link.partition,
        "run_id": link.run_id,
        **{key: manifest[key] for key in keys},
        "superseded_by": link.superseded_by,
        "inputs": [_link_json(below) for below in link.inputs],
    }
