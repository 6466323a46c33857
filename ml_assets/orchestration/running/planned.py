"""Takes back what Dagster noted as planned when a run was created, where no verdict can come of it.

Dagster lists each partition of a run as planned, and calls all of them failed when the run fails: also the partitions
that were refused because they are not due, and the check `no_leak` of rows that were never there. Storages that take
no SQL keep such notes.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import dagster as dg

from ml_assets.dagster_names import DagsterEventType
from ml_assets.notebooks.patience import is_outage
from ml_assets.orchestration.recorded.facts import asset_key

# The definitions load without it.
if TYPE_CHECKING:
    import sqlalchemy as sa


def forget_planned_check(
    instance: dg.DagsterInstance, run_id: str, asset: str, check: str, *, log: logging.Logger
) -> None:
    """Let a check have a result only where it comes to one: what a run evaluates is noted without a plan, too."""

    def planned() -> "sa.Executable":
        from ml_assets.dagster_names import AssetCheckExecutionRecordStatus, AssetCheckExecutionsTable

        table = AssetCheckExecutionsTable.c
        return AssetCheckExecutionsTable.delete().where(
            table.run_id == run_id,
            table.asset_key == asset_key(asset).to_string(),
            table.check_name == check,
            table.execution_status == AssetCheckExecutionRecordStatus.PLANNED.value,
        )

    _execute(instance, planned, log)


def forget_planned_partition(
    instance: dg.DagsterInstance, run_id: str, asset: str, partition: str, *, log: logging.Logger
) -> None:
    """Let a partition be as it was before a run that refused it."""

    def planned() -> "sa.Executable":
        from ml_assets.dagster_names import SqlEventLogStorageTable

        table = SqlEventLogStorageTable.c
        return SqlEventLogStorageTable.delete().where(
            table.run_id == run_id,
            table.asset_key == asset_key(asset).to_string(),
            table.partition == partition,
            table.dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value,
        )

    _execute(instance, planned, log)


def _execute(instance: dg.DagsterInstance, statement: "Callable[[], sa.Executable]", log: logging.Logger) -> None:
    from sqlalchemy.exc import DBAPIError

    from ml_assets.dagster_names import SqlEventLogStorage

    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return
    try:
        with storage.index_connection() as connection:
            connection.execute(statement())
    except Exception as error:
        if not isinstance(error, DBAPIError) and not is_outage(error):
            raise
        # How a partition looks in the UI is no reason to make none.
        log.warning(f"what Dagster had planned of this run stays noted: {error}")
