"""The current version of a partition: which materialization is the newest, and the artifact that it names."""

from collections.abc import Collection
from dataclasses import dataclass

import dagster as dg

from ml_assets.dagster_names import DATA_VERSION_TAG
from ml_assets.data.artifacts.store import MANIFEST, Artifact, ArtifactError, ArtifactStore
from ml_assets.domain.owed.facts import Made
from ml_assets.domain.owed.lost import describe_lost
from ml_assets.orchestration.recorded.facts import asset_key


class LostError(ArtifactError):
    """A partition is recorded as made, and not in the store.

    `inputs`: the digest of the inputs of the partition that was to be made of it, as `due` computes it.
    """

    def __init__(self, asset: str, partition: str, what: str) -> None:
        super().__init__(
            f"{asset} {partition} is {describe_lost(what)}; `ml-assets plan {asset}` says what makes it again"
        )
        self.inputs = ""


@dataclass(frozen=True)
class UpstreamPin:
    """One upstream artifact: which materialization it is, and where it lies."""

    asset: str
    made: Made
    run_id: str
    artifact: Artifact


def current(
    instance: dg.DagsterInstance, store: ArtifactStore, asset: str, partition: str, runs: Collection[str] = ()
) -> UpstreamPin | None:
    """The current version of a partition, or the newest one that `runs` made; None when it does not exist.

    Raises: LostError when it is not in the store.
    """
    made = recorded_version(instance, asset, partition, runs)
    return None if made is None else load_version(store, asset, partition, made)


def recorded_version(instance: dg.DagsterInstance, asset: str, partition: str, runs: Collection[str]) -> Made | None:
    """What is recorded of the current version of a partition, or of the newest one that `runs` made."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=asset_key(asset), asset_partitions=[partition]), limit=100 if runs else 1
    ).records
    if not records:
        return None
    record = next((one for one in records if one.run_id in runs), records[0])
    event = record.asset_materialization
    version = (event.tags or {}).get(DATA_VERSION_TAG, "") if event else ""
    return Made(record.storage_id, version, None, None, record.run_id)


def load_version(store: ArtifactStore, asset: str, partition: str, made: Made) -> UpstreamPin:
    """A recorded version, in the store. Raises: LostError when it is not there."""
    try:
        return UpstreamPin(asset, made, made.run, store.load(asset, partition, made.run))
    except ArtifactError:
        raise LostError(asset, partition, str(store.folder(asset, partition, made.run) / MANIFEST)) from None
