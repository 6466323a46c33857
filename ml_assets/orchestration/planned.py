"""Takes back what Dagster noted as planned when a run was created, where no verdict can come of it.

Dagster lists each partition of a run as planned, and calls all of them failed when the run fails: also the partitions
that were refused because they are not due, and the check `no_leak` of rows that were never there. Storages that take
no SQL keep such notes.
"""

import dagster as dg
from dagster._core.events import DagsterEventType
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from ml_assets.orchestration.facts import asset_key


def forget_planned_check(instance: dg.DagsterInstance, run_id: str, asset: str, check: str) -> None:
    """Let a check have a result only where it comes to one: what a run evaluates is noted without a plan, too."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

    storage, table = instance.event_log_storage, AssetCheckExecutionsTable.c
    if isinstance(storage, SqlEventLogStorage):
        planned = AssetCheckExecutionsTable.delete().where(
            table.run_id == run_id,
            table.asset_key == asset_key(asset).to_string(),
            table.check_name == check,
            table.execution_status == AssetCheckExecutionRecordStatus.PLANNED.value,
        )
        with storage.index_connection() as connection:
            connection.execute(planned)


def forget_planned_partition(instance: dg.DagsterInstance, run_id: str, asset: str, partition: str) -> None:
    """Let a partition be as it was before a run that refused it."""
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

    storage, table = instance.event_log_storage, SqlEventLogStorageTable.c
    if isinstance(storage, SqlEventLogStorage):
        planned = SqlEventLogStorageTable.delete().where(
            table.run_id == run_id,
            table.asset_key == asset_key(asset).to_string(),
            table.partition == partition,
            table.dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value,
        )
        with storage.index_connection() as connection:
            connection.execute(planned)
