"""Files elsewhere as DuckDB reads them.

DuckDB asks for one file dozens of times, each of them a request. And from 2.0 on, several threads move about in one
open file at once, which none of fsspec's is made for.
"""

from collections.abc import Callable
from functools import cache
from glob import has_magic
from threading import Lock, local
from typing import IO, Any

from fsspec import AbstractFileSystem


class ReadOnce(AbstractFileSystem):  # type: ignore[misc]
    """Another file system, to read from, which is asked for each file once: what is written meanwhile is not seen."""

    cachable = False

    def __init__(self, remote: AbstractFileSystem) -> None:
        super().__init__()
        self.protocol = remote.protocol
        self._remote = remote
        self._info, self._modified = cache(remote.info), cache(remote.modified)

    def unstrip_protocol(self, name: str) -> str:
        """The URL of a file."""
        return str(self._remote.unstrip_protocol(name))

    def info(self, path: str, **_: Any) -> Any:
        """What is known of a file. Raises: FileNotFoundError; ValueError for one of another server."""
        if self.unstrip_protocol(path) != path:
            last = self.unstrip_protocol("")
            raise ValueError(f"{path} is not in the store that was read last, {last}: read it by another connection")
        return self._info(path)

    def modified(self, path: str) -> Any:
        """When a file was written."""
        return self._modified(path)

    def glob(self, path: str, **_: Any) -> Any:
        """The files that a pattern names; fsspec's own takes each error for a file that is missing."""
        if has_magic(path):
            return self._remote.glob(path)
        try:
            self.info(path)
        except FileNotFoundError:
            return []
        return [path]

    def open(self, path: str, mode: str = "rb", **_: Any) -> "OpenedFile":
        """A file to read. Most are opened for their size alone: that is no request."""
        # It knows what it needs: what fsspec would read beyond that, 50 MB of S3 each time, is thrown away.
        return OpenedFile(lambda: self._remote.open(path, mode, cache_type="none"))


class OpenedFile:
    """A file in which each thread has a place of its own. It is opened when it is first read."""

    def __init__(self, open_file: Callable[[], IO[bytes]]) -> None:
        self._file, self._lock, self._place = cache(open_file), Lock(), local()

    def seek(self, offset: int) -> None:
        """Go to a place."""
        self._place.offset = offset

    def read(self, size: int) -> bytes:
        """The bytes of that place."""
        with self._lock:
            file = self._file()
            file.seek(self._place.offset)
            found = file.read(size)
        self._place.offset += len(found)
        return found

    def close(self) -> None:
        """Nothing: what was opened goes with this."""
