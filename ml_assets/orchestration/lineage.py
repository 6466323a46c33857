"""Follows a partition to the artifacts and event partitions that it was made from, and checks each link."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from ml_assets.data.store import Artifact, ArtifactError, ArtifactStore
from ml_assets.orchestration.facts import asset_key


@dataclass(frozen=True)
class Link:
    """One artifact of the chain. `remade_by`: the run whose version is current instead, if it is another."""

    asset: str
    partition: str
    run_id: str
    artifact: Artifact
    remade_by: str | None
    inputs: tuple["Link", ...]


@dataclass(frozen=True)
class Lineage:
    """The chain below one partition, and what is wrong with it in words."""

    root: Link | None
    problems: tuple[str, ...]


def current_runs(instance: dg.DagsterInstance, asset: str) -> dict[str, str]:
    """The run that made the current materialization of each partition of an asset."""
    runs: dict[str, str] = {}
    cursor, more = None, True
    while more:
        page = instance.fetch_materializations(asset_key(asset), limit=1000, cursor=cursor)
        for record in page.records:
            if record.partition_key is not None:
                runs.setdefault(record.partition_key, record.run_id)
        cursor, more = page.cursor, page.has_more
    return runs


def trace(instance: dg.DagsterInstance, store: ArtifactStore, asset: str, partition: str) -> Lineage:
    """The chain below a partition's current version."""
    tracer = _Tracer(instance, store)
    run_id = tracer.current(asset, partition)
    if run_id is None:
        return Lineage(None, (f"{asset} {partition} does not exist: no run has materialized it",))
    root = tracer.link(asset, partition, run_id)
    return Lineage(root, tuple(tracer.problems))


def as_json(lineage: Lineage) -> dict[str, Any]:
    """The chain as plain values."""
    return {"lineage": _link_json(lineage.root) if lineage.root else None, "problems": list(lineage.problems)}


class _Tracer:
    def __init__(self, instance: dg.DagsterInstance, store: ArtifactStore) -> None:
        self.instance = instance
        self.store = store
        self.problems: list[str] = []

    def current(self, asset: str, partition: str) -> str | None:
        filters = dg.AssetRecordsFilter(asset_key=asset_key(asset), asset_partitions=[partition])
        records = self.instance.fetch_materializations(filters, limit=1).records
        return records[0].run_id if records else None

    def link(self, asset: str, partition: str, run_id: str) -> Link | None:
        try:
            artifact = self.store.load(asset, partition, run_id)
        except ArtifactError as error:
            self.problems.append(f"{asset} {partition} of run {run_id}: {error}")
            return None
        current = self.current(asset, partition)
        if artifact.manifest["step"] == "model" and current != run_id:
            self.problems.append(
                f"{asset} {partition} has been remade since, by run {current}: "
                f"the metric judged the version of run {run_id}"
            )
        inputs = []
        for name, recorded in artifact.manifest["inputs"].items():
            link = self.link(name, recorded["partition"], recorded["run_id"])
            if link is not None:
                self._check_version(link, recorded)
                inputs.append(link)
        return Link(asset, partition, run_id, artifact, current if current != run_id else None, tuple(inputs))

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
        "remade_by": link.remade_by,
        "inputs": [_link_json(below) for below in link.inputs],
    }
