"""The SQL by which a memo of facts reads a storage. Loading the code location does not pay for importing this."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg
import sqlalchemy as sa

from ml_assets.dagster_names import (
    DATA_VERSION_TAG,
    AssetDetails,
    AssetEventTagsTable,
    AssetKeyTable,
    SqlEventLogStorage,
    SqlEventLogStorageTable,
    SqlRunStorage,
    deserialize_value,
)
from ml_assets.orchestration.recorded.known import KINDS, Event, Extent, Known, Recorded

_NAMES = [kind.value for kind in KINDS]
_LAST = sa.func.max(SqlEventLogStorageTable.c.id)
_NOTHING = Extent(0, 0, 0, ())


def name_of(instance: dg.DagsterInstance) -> str | None:
    """A name that tells instances apart; None where the storage takes no SQL."""
    runs = instance.run_storage
    if not isinstance(instance.event_log_storage, SqlEventLogStorage) or not isinstance(runs, SqlRunStorage):
        return None
    return runs.get_run_storage_id()


def read(instance: dg.DagsterInstance, assets: Sequence[str], before: Mapping[str, Known]) -> dict[str, Known]:
    """What there is of some assets, as Dagster's text of their keys. Args: `before`: what was known of them."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        raise TypeError(f"{type(storage).__name__} takes no SQL")
    found: dict[str, Known] = {}
    with storage.index_connection() as connection:
        wiped, extents = _wiped(connection, assets), _extents(connection, assets)
        for asset in assets:
            known: Known | None = before.get(asset)
            extent, at = extents.get(asset, _NOTHING), wiped.get(asset)
            if known is None or known.wiped != at:
                known = None
            elif known.extent != extent:
                known = _with_later(connection, asset, known, extent)
            if known is None:
                known = Known(extent, at, Recorded(*_latest(connection, asset, at, 0, extent.last)))
            found[asset] = known
    return found


def _wiped(connection: sa.Connection, assets: Sequence[str]) -> dict[str, float]:
    """When assets were wiped, of which Dagster keeps the events nevertheless."""
    table = AssetKeyTable.c
    query = sa.select(table.asset_key, table.asset_details)
    rows = connection.execute(query.where(table.asset_key.in_(assets), table.asset_details.is_not(None)))
    details = {asset: deserialize_value(text, AssetDetails) for asset, text in rows}
    return {asset: of.last_wipe_timestamp for asset, of in details.items() if of.last_wipe_timestamp}


def _extents(connection: sa.Connection, assets: Sequence[str]) -> dict[str, Extent]:
    """Which events of some assets there are, from an index but for the last ones."""
    table = SqlEventLogStorageTable.c
    of_assets = (
        sa.select(
            table.asset_key, sa.func.count().label("number"), sa.func.sum(table.id).label("total"), _LAST.label("last")
        )
        .where(table.asset_key.in_(assets), table.dagster_event_type.in_(_NAMES))
        .group_by(table.asset_key)
        .subquery()
    )
    query = sa.select(of_assets, table.run_id, table.timestamp).join(
        SqlEventLogStorageTable, table.id == of_assets.c.last
    )
    return {
        asset: Extent(number, int(total), last, tuple(event))
        for asset, number, total, last, *event in connection.execute(query)
    }


def _with_later(connection: sa.Connection, asset: str, known: Known, extent: Extent) -> Known | None:
    """What is known with the events that came since; None where these alone do not make up the difference."""
    table, before = SqlEventLogStorageTable.c, known.extent
    later = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(table.id), 0)).where(
        table.asset_key == asset,
        table.dagster_event_type.in_(_NAMES),
        table.id > before.last,
        table.id <= extent.last,
    )
    number, total = connection.execute(later).one()
    last = connection.execute(sa.select(table.run_id, table.timestamp).where(table.id == before.last)).one_or_none()
    is_kept = tuple(last or ()) == before.event
    if not is_kept or (before.number + number, before.total + int(total)) != (extent.number, extent.total):
        return None
    made, tried = _latest(connection, asset, known.wiped, known.extent.last, extent.last)
    recorded = Recorded({**known.recorded.made, **made}, {**known.recorded.tried, **tried})
    return Known(extent, known.wiped, recorded)


def _latest(
    connection: sa.Connection, asset: str, wiped: float | None, after: int, last: int
) -> tuple[dict[str, Event], dict[str, Event]]:
    """The latest materialization and observation of each partition, of the events after one id, up to another.

    One statement, so that ids and versions are of the same instant, whatever runs write meanwhile.
    """
    table, tags = SqlEventLogStorageTable.c, AssetEventTagsTable.c
    latest = sa.select(table.dagster_event_type, table.partition, sa.func.max(table.id).label("id")).where(
        table.asset_key == asset,
        table.dagster_event_type.in_(_NAMES),
        table.partition.is_not(None),
        table.id > after,
        table.id <= last,
    )
    if wiped is not None:
        latest = latest.where(table.timestamp > datetime.fromtimestamp(wiped, UTC).replace(tzinfo=None))
    events = latest.group_by(table.dagster_event_type, table.partition).subquery()
    of_event = sa.and_(tags.event_id == events.c.id, tags.key == DATA_VERSION_TAG)
    query = sa.select(events.c.dagster_event_type, events.c.partition, events.c.id, tags.value, table.run_id)
    joined = events.join(SqlEventLogStorageTable, table.id == events.c.id).outerjoin(AssetEventTagsTable, of_event)
    found: dict[str, dict[str, Event]] = {name: {} for name in _NAMES}
    for name, partition, *event in connection.execute(query.select_from(joined)):
        found[name][partition] = Event(*event)
    made, tried = found.values()
    return made, tried
