"""Where the files of an event log lie, and whether they changed.

Hive-partitioned Parquet: `<root>/<location>/date=2026-01-01/*.parquet`. Light: the sensor imports this.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from ml_assets.domain.event_log import EventLog

_COLUMN = {"hour": "hour", "day": "date", "week": "week"}


class EventFilesError(Exception):
    """The folders of an event log contradict one another."""


def partition_folder(root: Path, log: EventLog, partition: str) -> Path:
    """The folder that a partition is written to."""
    return root / log.location / f"{_COLUMN[log.partitions.every]}={partition}"


def partition_folders(root: Path, log: EventLog) -> dict[str, Path]:
    """The folders of a log, by partition key, also those that have not arrived.

    Raises: as `folder_names`.
    """
    folder = root / log.location
    return {partition: folder / name for partition, name in folder_names(root, log).items()}


def folder_names(root: Path, log: EventLog) -> dict[str, str]:
    """The names of a log's folders, by partition key; thousands, which the sensor asks for at each tick.

    Hours hold a colon, which Hive and Spark escape (`%3A`); any way of escaping is read.
    Raises: FileNotFoundError when the log has no folder at all; EventFilesError when two are of one partition.
    """
    folder = root / log.location
    if not folder.is_dir():
        raise FileNotFoundError(f"event log {log.key}: there is no folder {folder}; write its partitions below it")
    prefix = f"{_COLUMN[log.partitions.every]}="
    # Not `glob`, here and below: it takes a folder that cannot be read for an empty one.
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.name.startswith(prefix) and entry.is_dir())
    folders: dict[str, str] = {}
    for name in names:
        partition = unquote(name).removeprefix(prefix)
        if partition in folders:
            both = f"{folder / folders[partition]} and {name}"
            raise EventFilesError(f"event log {log.key}: {both} are the same partition; keep one of them")
        folders[partition] = name
    return folders


def data_files(folder: Path | None) -> list[Path]:
    """The Parquet files of a partition; none when it has no events, or no folder at all.

    Raises: OSError when the folder is there and cannot be read: that is no partition without events.
    """
    return [folder / name for name in _data_names(_listed(folder))] if folder else []


def fingerprint(folder: str | Path | None, *others: str) -> str:
    """Sixteen hexadecimal digits that change whenever a file of the partition is written.

    Made of the names, sizes and modification times of the Parquet files and of `others`, so that no content is read.
    Raises: FileNotFoundError when one of `others` is missing.
    """
    return _fingerprint(folder, (*_data_names(_listed(folder)), *others)) if folder else _fingerprint("", ())


def marked_fingerprint(folder: str | Path, marker: str) -> str | None:
    """The fingerprint of a partition and its marker; None where the marker is not there."""
    names = _listed(folder)
    if marker not in names:
        return None
    try:
        return _fingerprint(folder, (*_data_names(names), marker))
    except FileNotFoundError:
        # Deleted meanwhile, or a link to nothing; a data file that goes meanwhile is an error.
        if Path(folder, marker).exists():
            raise
        return None


def _listed(folder: str | Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  (each tick of a sensor asks for thousands, and Path takes longer)
    except FileNotFoundError:
        return []


def _data_names(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.endswith(".parquet") and not name.startswith(("_", ".")))


def _fingerprint(folder: str | Path, names: Iterable[str]) -> str:
    states = ((name, os.stat(f"{folder}/{name}")) for name in names)  # noqa: PTH116  (likewise)
    facts = [(name, state.st_size, state.st_mtime_ns) for name, state in states]
    return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()
