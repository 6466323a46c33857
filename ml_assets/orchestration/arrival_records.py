"""What the Dagster UI shows of event partitions that have arrived: rows, bytes and columns, and when they were written.

What cannot be told is left out: an arrival counts all the same.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from ml_assets.data.event_files import EventFolder
from ml_assets.domain.event_log import EventLog
from ml_assets.orchestration.facts import materialization
from ml_assets.paths import AnyPath

#: A tick has 60 seconds, and a file in an object store takes a request or two: what is not looked at by then goes without.
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


def _of_files(folder: EventFolder, partition: str) -> Mapping[str, Any]:
    # It is loaded by a tick that has something to report, not with the definitions.
    import pyarrow as pa
    import pyarrow.parquet as pq

    files, states = folder.data_files(partition), folder.states(partition)
    shown: dict[str, Any] = {"rows": 0, "bytes": sum(state.size for state in states), "files": f"{len(files)}"}
    if states:
        shown["written at"] = dg.MetadataValue.timestamp(
            datetime.fromtimestamp(max(state.written for state in states), UTC)
        )
    try:
        for path in files:
            with path.open("rb") as opened, pq.ParquetFile(opened) as file:
                shown["rows"] += file.metadata.num_rows
                shown.setdefault("dagster/column_schema", _columns(file.schema_arrow))
    except (OSError, pa.ArrowInvalid) as error:
        # Whoever reads the rows will refuse them; that they have arrived is true.
        del shown["rows"]
        shown["unreadable"] = f"{path}: {error}"
    return shown


def _columns(schema: Any) -> dg.TableSchema:
    return dg.TableSchema(columns=[dg.TableColumn(field.name, str(field.type)) for field in schema])
