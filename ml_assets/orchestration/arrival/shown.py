"""What the Dagster UI shows of event partitions that have arrived: rows, bytes and columns, and when they were written.

What cannot be told is left out: an arrival counts all the same.
"""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from ml_assets.data.logs.event_files import EventFolder
from ml_assets.domain.contents import Contents, Seen
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.orchestration.recorded.facts import materialization
from ml_assets.paths import AnyPath

#: A tick has 60 seconds, and to list a folder of an object store takes a request.
_SECONDS = 10


def arrival_records(
    arrivals: Iterable[tuple[str, str, str]],
    logs: Iterable[EventLog],
    root: AnyPath,
    seen: Seen,
    *,
    seconds: float = _SECONDS,
) -> Iterator[dg.AssetMaterialization]:
    """The events of some arrivals (log, partition, version), with what their files tell.

    Args: `root`: of event logs; `seen`: what the files hold; `seconds`: for listing them; later arrivals are reported
    without.
    """
    known = {log.key: log for log in logs}
    folders: dict[str, EventFolder] = {}
    until = time.monotonic() + seconds
    for key, partition, version in arrivals:
        log, shown = known[key], dict[str, Any]()
        if log.table is None and time.monotonic() < until:
            if key not in folders:
                folders[key] = EventFolder(root, log)
            shown = _of_files(folders[key], partition, seen.get(key, {}).get(partition))
        yield materialization(key, partition, version, shown)


def _of_files(folder: EventFolder, partition: str, contents: Contents | None) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    try:
        states = folder.states(partition)
    except OSError as error:
        # Whoever reads the rows will refuse them; that they have arrived is true.
        return {"unreadable": str(error)}
    shown["files"] = f"{len(states)}"
    shown["bytes"] = sum(state.size for state in states)
    if states:
        written = datetime.fromtimestamp(max(state.written for state in states), UTC)
        shown["written at"] = dg.MetadataValue.timestamp(written)
    if contents is None:
        # Recorded by a version that did not look, and there was no time yet.
        return shown
    if contents.unreadable:
        return {**shown, "unreadable": contents.unreadable}
    columns = [dg.TableColumn(name, of.type) for alike in contents.alike[:1] for name, of in alike.columns.items()]
    schema = {"dagster/column_schema": dg.TableSchema(columns=columns)} if columns else {}
    return {"rows": contents.rows, **shown, **schema}
