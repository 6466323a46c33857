"""Where the files of an event log lie, and whether they changed.

Hive-partitioned Parquet: `<root>/<location>/date=2026-01-01/*.parquet`. Light: the sensor imports this.
"""

import hashlib
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

    Hours hold a colon, which Hive and Spark escape (`%3A`); any way of escaping is read.
    Raises: FileNotFoundError when the log has no folder at all; EventFilesError when two are of one partition.
    """
    folder = root / log.location
    if not folder.is_dir():
        raise FileNotFoundError(f"event log {log.key}: there is no folder {folder}; write its partitions below it")
    prefix = f"{_COLUMN[log.partitions.every]}="
    folders: dict[str, Path] = {}
    # Not `glob`, here and below: it takes a folder that cannot be read for an empty one.
    for path in sorted(folder.iterdir()):
        if path.name.startswith(prefix) and path.is_dir():
            partition = unquote(path.name).removeprefix(prefix)
            if partition in folders:
                both = f"{folders[partition]} and {path.name}"
                raise EventFilesError(f"event log {log.key}: {both} are the same partition; keep one of them")
            folders[partition] = path
    return folders


def data_files(folder: Path | None) -> list[Path]:
    """The Parquet files of a partition; none when it has no events, or no folder at all.

    Raises: OSError when the folder is there and cannot be read: that is no partition without events.
    """
    try:
        paths = list(folder.iterdir()) if folder else []
    except FileNotFoundError:
        return []
    return sorted(path for path in paths if path.suffix == ".parquet" and not path.name.startswith(("_", ".")))


def fingerprint(folder: Path | None, *others: str) -> str:
    """Sixteen hexadecimal digits that change whenever a file of the partition is written.

    Made of the names, sizes and modification times of the Parquet files and of `others`, so that no content is read.
    Raises: FileNotFoundError when one of `others` is missing.
    """
    files = data_files(folder) + [folder / name for name in others if folder]
    facts = [(path.name, (stat := path.stat()).st_size, stat.st_mtime_ns) for path in files]
    return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()
