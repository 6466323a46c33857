"""What the Dagster UI shows of event partitions that have arrived: rows, bytes and columns, and when they were written.

What cannot be told is left out: an arrival counts all the same.
"""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from ml_assets.data.event_files import EventFolder
from ml_assets.domain.event_log import EventLog
from ml_assets.orchestration.facts import materialization
from ml_assets.paths import AnyPath

#: A tick has 60 seconds, and a file in an object store takes a request or two.
_SECONDS = 15


def arrival_records(
    arrivals: Iterable[tuple[str, str, str]], logs: Iterable[EventLog], root: AnyPath, *, seconds: float = _SECONDS
) -> Iterator[dg.AssetMaterialization]:
    """The events of some arrivals (log, partition, version), with what their files tell.

    Args: `root`: of event logs; `seconds`: for looking into files; later arrivals are reported without.
    """
    known = {log.key: log for log in logs}
    folders: dict[str, EventFolder] = {}
    until = time.monotonic() + seconds
    for key, partition, version in arrivals:
        log, shown = known[key], dict[str, Any]()
        if log.table is None and time.monotonic() < until:
            if key not in folders:
                folders[key] = EventFolder(root, log)
            shown = _of_files(folders[key], partition)
        yield materialization(key, partition, version, shown)


def _of_files(folder: EventFolder, partition: str) -> dict[str, Any]:
    # It loads pyarrow: a tick that has something to report pays for that, not the definitions.
    from ml_assets.data.footers import FooterError, read_footers

    shown: dict[str, Any] = {}
    try:
        files = folder.data_files(partition)
        shown["files"] = f"{len(files)}"
        states = folder.states(partition)
        shown["bytes"] = sum(state.size for state in states)
        if states:
            written = datetime.fromtimestamp(max(state.written for state in states), UTC)
            shown["written at"] = dg.MetadataValue.timestamp(written)
        footers = read_footers(files)
    except (OSError, FooterError) as error:
        # Whoever reads the rows will refuse them; that they have arrived is true.
        return {**shown, "unreadable": str(error)}
    columns = [dg.TableColumn(name, of) for name, of in footers.columns]
    schema = {"dagster/column_schema": dg.TableSchema(columns=columns)} if columns else {}
    return {"rows": footers.rows, **shown, **schema}
