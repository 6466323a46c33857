"""What partitions have taken so far."""

from collections.abc import Iterable, Mapping
from statistics import median

import dagster as dg

from ml_assets.orchestration.recorded.facts import asset_key

#: Label of how long a partition took; of older runs, which have it as a number.
TOOK, SECONDS = "took", "seconds"
#: Of the partitions made before, the latest so many count.
_PARTITIONS = 25


def median_seconds(instance: dg.DagsterInstance, assets: Iterable[str]) -> dict[str, float]:
    """The median seconds that a partition took lately, by asset; those that were never made are not in it."""
    found = {}
    for asset in assets:
        filters = dg.AssetRecordsFilter(asset_key=asset_key(asset))
        records = instance.fetch_materializations(filters, limit=_PARTITIONS).records
        seconds = [
            found_in
            for record in records
            if record.asset_materialization
            and (found_in := _seconds(record.asset_materialization.metadata)) is not None
        ]
        if seconds:
            found[asset] = median(seconds)
    return found


def _seconds(metadata: Mapping[str, dg.MetadataValue]) -> float | None:
    """How long a partition took, as this or an older version recorded it."""
    value = metadata[TOOK].value if TOOK in metadata else metadata[SECONDS].value if SECONDS in metadata else None
    if isinstance(value, str) and value.endswith(" s"):
        value = float(value.removesuffix(" s"))
    return float(value) if isinstance(value, (int, float)) else None
