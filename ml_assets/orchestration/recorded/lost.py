"""What is recorded as made and is not in the store any more: found for a person who asks, never for a sensor."""

from collections.abc import Mapping

from ml_assets.data.artifacts.inventory import Inventory, Version
from ml_assets.data.artifacts.store import ArtifactStore
from ml_assets.domain.owed.facts import Made


def find_lost(store: ArtifactStore, made: Mapping[str, Mapping[str, Made]]) -> dict[str, dict[str, str]]:
    """Of the current version of each partition that is not there as a whole, the file that is lost, by asset.

    Raises: StoreError when the store does not say what it holds.
    """
    lost = {asset: _of_asset(store, asset, of) for asset, of in made.items() if of}
    return {asset: of for asset, of in lost.items() if of}


def _of_asset(store: ArtifactStore, asset: str, made: Mapping[str, Made]) -> dict[str, str]:
    versions = (Version(partition, one.run) for partition, one in made.items())
    return {version.partition: what for version, what in Inventory(store, asset).losses(versions).items()}
