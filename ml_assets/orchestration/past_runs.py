"""What partitions have taken so far."""

from collections.abc import Iterable
from statistics import median

import dagster as dg

from ml_assets.orchestration.facts import asset_key
from ml_assets.orchestration.records import SECONDS

#: Of the partitions made before, the latest so many count.
_PARTITIONS = 25


def median_seconds(instance: dg.DagsterInstance, assets: Iterable[str]) -> dict[str, float]:
    """The median seconds that a partition took lately, by asset; those that were never made are not in it."""
    found = {}
    for asset in assets:
        filters = dg.AssetRecordsFilter(asset_key=asset_key(asset))
        records = instance.fetch_materializations(filters, limit=_PARTITIONS).records
        seconds = [
            value.value
            for record in records
            if record.asset_materialization and (value := record.asset_materialization.metadata.get(SECONDS))
        ]
        numbers = [float(one) for one in seconds if isinstance(one, (int, float))]
        if numbers:
            found[asset] = median(numbers)
    return found
