"""Where the files of an event log lie, and whether they changed.

Hive-partitioned Parquet: `<root>/<location>/date=2026-01-01/*.parquet`, on this machine or in an object store. Light:
the sensor imports this.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

from upath import UPath

from ml_assets.data.logs.databases import SourceError
from ml_assets.domain.calendar import FOLDER_COLUMNS, Every
from ml_assets.domain.declared.event_log import EventLog, Marker
from ml_assets.paths import AnyPath, name_below

_SHOWN = 3
_RIGHT_NAMES = "events lie in *.parquet right in the partition's folder, and what is none begins with _ or ."
#: Names that writers of Parquet give: `part-0.parq`, `part-0.snappy`, Trino's and Hive's without an ending, a folder.
_HOLDS_ROWS = re.compile(
    r"(?!.*\.(crc|md5|sha\d+)$)(.*\.(parq|pq|parquet)\b|part-\d|[^.]*\d[^.]*$|.*/$)", re.IGNORECASE
)


class EventFilesError(Exception):
    """The folders of an event log contradict one another."""


class NoFolderError(SourceError, FileNotFoundError):
    """An event log has no folder, so that nothing of it can be seen."""


class State(NamedTuple):
    """What tells that a file was written: its size, its version, and when that was, in seconds since 1970."""

    size: int
    version: int | str
    written: float


class _Files(Protocol):
    """The folders below one folder, and the files in each."""

    def folders(self) -> list[str]:
        """Names. Raises: FileNotFoundError when there is no folder; SourceError when there is no such store."""
        ...

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, and of folders, which end with a slash; none where it is missing."""
        ...

    def state(self, folder: str, name: str) -> State:
        """What tells that a file was written. Raises: FileNotFoundError."""
        ...


def partition_folder(root: AnyPath, log: EventLog, partition: str) -> AnyPath:
    """The folder that a partition is written to."""
    return root / log.location / folder_name(root, log.partitions.every, partition)


def folder_name(root: AnyPath, every: Every, partition: str) -> str:
    """The name of the folder of a partition, such as `date=2026-01-01`."""
    return f"{FOLDER_COLUMNS[every]}={name_below(root, partition)}"


class EventFolder:
    """The folder of an event log: the partitions that have one below it, and their files.

    `folders`: their names by partition key, in the order of time; `names`: of all folders that are there. Hours hold a
    colon, which Hive and Spark escape (`%3A`); any way of escaping is read. `problems`: by partition whose fingerprint
    was asked for, why what lies there is more than events and marker: rows that would be left out.
    """

    def __init__(self, root: AnyPath, log: EventLog, *, whole: bool = False) -> None:
        """Look at the folders. Args: `whole`: all partitions will be asked for, and one listing is to tell of all.

        Raises: NoFolderError when the log has no folder at all; SourceError when there is no such bucket;
        EventFilesError when two are of one partition.
        """
        self.path = root / log.location
        self.problems: dict[str, str] = {}
        self._files: _Files = _Local(self.path) if isinstance(self.path, Path) else _Remote(self.path, whole)
        try:
            names = self._files.folders()
        except FileNotFoundError:
            raise NoFolderError(
                f"event log {log.key}: there is no folder {self.path}; its partitions are expected below it, such as "
                f"{example_of(root, log)}"
            ) from None
        self.names = names
        prefix = f"{FOLDER_COLUMNS[log.partitions.every]}="
        self.folders: dict[str, str] = {}
        for name in sorted(name for name in names if name.startswith(prefix)):
            partition = unquote(name).removeprefix(prefix)
            if partition in self.folders:
                both = f"{self.path / self.folders[partition]} and {name}"
                raise EventFilesError(f"event log {log.key}: {both} are the same partition; keep one of them")
            self.folders[partition] = name

    def data_files(self, partition: str) -> list[AnyPath]:
        """The Parquet files of a partition; none when it has no events, or no folder at all.

        Raises: OSError when the folder is there and cannot be read: that is no partition without events.
        """
        folder = self.folders.get(partition)
        return [self.path / folder / name for name in _data_names(self._files.names(folder))] if folder else []

    def states(self, partition: str) -> list[State]:
        """What tells of each Parquet file of a partition that it was written, in the order of `data_files`.

        Raises: FileNotFoundError for one that is gone.
        """
        folder = self.folders.get(partition)
        return [self._files.state(folder, name) for name in _data_names(self._files.names(folder))] if folder else []

    def fingerprint(self, partition: str) -> str:
        """Sixteen hexadecimal digits that change whenever a file of the partition is written.

        Made of the names, sizes and times (or versions) of its Parquet files, so that no content is read.
        """
        folder = self.folders.get(partition)
        names = self._data(partition, folder, self._files.names(folder)) if folder else []
        return _digest((name, self._files.state(folder or "", name)) for name in names)

    def marked_fingerprint(self, partition: str, marker: str) -> str | None:
        """The fingerprint of a partition and its marker; None where the marker is not there."""
        folder = self.folders[partition]
        names = self._files.names(folder)
        if marker not in names:
            return None
        data = self._data(partition, folder, names, marker)
        try:
            marked = self._files.state(folder, marker)
        except FileNotFoundError:
            # Deleted meanwhile, or a link to nothing; a data file that goes meanwhile is an error.
            return None
        return _digest([*((name, self._files.state(folder, name)) for name in data), (marker, marked)])

    def settled_fingerprint(self, partition: str, before: float) -> str | None:
        """The fingerprint of a partition whose files were all written before an instant; None for others, or none.

        Args: `before`: seconds since 1970.
        """
        folder = self.folders[partition]
        names = self._data(partition, folder, self._files.names(folder))
        try:
            states = [self._files.state(folder, name) for name in names]
        except FileNotFoundError:
            # It is being written.
            return None
        if not states or max(state.written for state in states) >= before:
            return None
        return _digest(zip(names, states, strict=True))

    def _data(self, partition: str, folder: str, names: Sequence[str], marker: str = "") -> list[str]:
        """The Parquet files of what lies in a folder; what else may hold events is a problem."""
        if left_out := _left_out(names, marker):
            shown = f"{', '.join(left_out[:_SHOWN])}{' …' if len(left_out) > _SHOWN else ''}"
            self.problems[partition] = f"{folder}: the rows of {shown} would be left out; {_RIGHT_NAMES}"
        return _data_names(names)


def _left_out(names: Iterable[str], marker: str) -> list[str]:
    """What may hold events, and is not read. Beside files of the right name a note or a checksum may lie."""
    visible = [name for name in names if not name.startswith(("_", ".")) and name != marker]
    others = sorted(name for name in visible if not name.endswith(".parquet"))
    return others if len(others) == len(visible) else [name for name in others if _HOLDS_ROWS.match(name)]


def example_of(root: AnyPath, log: EventLog) -> str:
    """A partition as it is to be written: `date=2026-01-01/*.parquet, with _SUCCESS beside it`."""
    folder = partition_folder(root, log, log.partitions.key(0)).name
    marker = f", with {log.arrival.file} beside it" if isinstance(log.arrival, Marker) else ""
    return f"{folder}/*.parquet{marker}"


def _digest(states: Iterable[tuple[str, State]]) -> str:
    facts = [(name, state.size, state.version) for name, state in states]
    return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()


def _data_names(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.endswith(".parquet") and not name.startswith(("_", ".")))


class _Local:
    """Files of this machine. Each tick of a sensor asks for thousands, and pathlib takes longer."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def folders(self) -> list[str]:
        # Not `glob`, here and below: it takes a folder that cannot be read for an empty one.
        with os.scandir(self._path) as entries:
            return [entry.name for entry in entries if entry.is_dir()]

    def names(self, folder: str) -> list[str]:
        try:
            with os.scandir(f"{self._path}/{folder}") as entries:
                return [f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries]
        except FileNotFoundError:
            return []

    def state(self, folder: str, name: str) -> State:
        found = os.stat(f"{self._path}/{folder}/{name}")  # noqa: PTH116
        # What is moved here, or copied with its times, keeps the time at which it was written elsewhere.
        return State(found.st_size, found.st_mtime_ns, max(found.st_mtime, found.st_ctime))


class _Remote:
    """Files that fsspec reaches. To ask for each folder would take a request for each; `whole` asks for all at once."""

    def __init__(self, path: UPath, whole: bool) -> None:
        self._path, self._whole = path, whole
        self._listed: dict[str, dict[str, Mapping[str, Any]]] = {}

    def folders(self) -> list[str]:
        try:
            if self._whole:
                return list(self._all)
            entries = self._path.fs.ls(self._path.path, detail=True)
        except FileNotFoundError:
            self._check_bucket()
            raise
        return [_last(entry["name"]) for entry in entries if entry["type"] == "directory"]

    def names(self, folder: str) -> list[str]:
        return list(self._entries(folder))

    def state(self, folder: str, name: str) -> State:
        entry = self._entries(folder).get(name)
        if entry is None:
            raise FileNotFoundError(self._path / folder / name)
        written = self._path.fs.modified(entry["name"]) if "LastModified" not in entry else entry["LastModified"]
        # Equal bytes that are written again are a new version: its time tells, where stores tell content alone.
        return State(entry["size"], f"{entry.get('ETag', '')} {written.isoformat()}", written.timestamp())

    def _check_bucket(self) -> None:
        """Raise SourceError when not the folder is missing, but the store: a writer makes folders, and no bucket."""
        bucket = self._path.drive
        try:
            # Of a folder that is missing, it finds nothing.
            self._path.fs.find(self._path.path)
        except FileNotFoundError:
            if bucket:
                raise SourceError(f"{self._path}: there is no bucket {bucket}") from None

    def _entries(self, folder: str) -> Mapping[str, Mapping[str, Any]]:
        if self._whole:
            return self._all.get(folder, {})
        if folder not in self._listed:
            path = (self._path / folder).path
            try:
                entries = self._path.fs.ls(path, detail=True)
            except FileNotFoundError:
                entries = []
            # Some writers put an empty object where a folder is, which is none of its files.
            self._listed[folder] = {
                _last(entry["name"]) + ("/" if entry["type"] == "directory" else ""): entry
                for entry in entries
                if entry["name"].rstrip("/") != path.rstrip("/")
            }
        return self._listed[folder]

    @cached_property
    def _all(self) -> dict[str, dict[str, Mapping[str, Any]]]:
        found = self._path.fs.find(self._path.path, detail=True)
        if not found:
            raise FileNotFoundError(self._path)
        folders: dict[str, dict[str, Mapping[str, Any]]] = {}
        for name, entry in found.items():
            folder, _, rest = name.removeprefix(self._path.path).lstrip("/").partition("/")
            if rest:
                inner, separator, _ = rest.partition("/")
                folders.setdefault(folder, {})[inner + separator] = entry
        return folders


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]
