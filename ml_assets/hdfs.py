"""HDFS by hdfs-native, whose client needs no Java: errors on one line, and paths whose text names their NameNode.

Imported where a path is in HDFS alone; `fsspec` and `upath` know it from then on.
"""

import ctypes
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import fsspec
from hdfs_native import Client, FileReader, FileStatus, FileWriter, WriteOptions
from hdfs_native.fsspec import BaseFileSystem, HdfsFileSystem, ViewfsFileSystem
from upath.implementations.hdfs import HDFSPath
from upath.registry import register_implementation

from ml_assets.paths import AwayError

#: The client's own patience with a NameNode that refuses connections is three minutes for each question.
_PATIENCE = {
    "dfs.client.failover.max.attempts": "5",
    "dfs.client.failover.sleep.base.millis": "250",
    "dfs.client.failover.sleep.max.millis": "2000",
}
#: `RPCError("org.apache…SafeModeException", "Cannot create file/a. Name node is in safe mode.\nThe reported …")`
_REMOTE = re.compile(r'^\w+\("(?P<type>[\w.$]*)", "(?P<words>.*?)(\\n.*)?"\)$', re.DOTALL)
#: `DataTransferError("All DataNodes failed: [DatanodeInfoProto {…` and so on, at length.
_NO_BLOCKS = re.compile(
    r'(?<=^DataTransferError\(")[^":\[]+|could only be written to .*|Failed to complete file in time'
    r"|Failed to add a datanode|No new datanode found|Datanode connection closed"
)
_SAFE_MODE = (
    "is in safe mode, as in the first minute after its start, and takes and gives no files: wait until it has left it "
    "(`hdfs dfsadmin -safemode get`)"
)
_NO_ANSWER = "does not answer; see that it runs, and that its address is right"
_NO_DATA_NODE = "finds no DataNode that takes or gives the blocks; see that they run"


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Say what the client says, which repeats the stack of the NameNode, on one line."""
    try:
        yield
    except (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError) as error:
        raise type(error)(_first_line(error)) from None
    except (OSError, RuntimeError) as error:
        raise _error_of(url, error) from None


def _error_of(url: str, error: Exception) -> OSError:
    found = _REMOTE.match(str(error))
    kind, words = (found["type"].rsplit(".", 1)[-1], found["words"]) if found else ("", _first_line(error))
    if kind == "SafeModeException":
        return AwayError(f"{url}: the NameNode {_SAFE_MODE}")
    if kind == "AccessControlException":
        return PermissionError(f"{url}: {words}")
    if kind in ("StandbyException", "RetriableException", "ObserverRetryOnActiveException"):
        return AwayError(f"{url}: the NameNode does not serve now: {words}")
    if (why := _NO_BLOCKS.search(words)) is not None:
        return AwayError(f"{url}: the NameNode {_NO_DATA_NODE}: {why[0]}")
    if isinstance(error, OSError):
        return AwayError(f"{url}: the NameNode {_NO_ANSWER}: {words}")
    return OSError(f"{url}: {kind}: {words}" if kind else f"{url}: {words}")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _unless_missing(error: Exception) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _telling(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of what has a `url`, whose errors are told."""

    @wraps(method)
    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        with _told(self.url):
            return method(self, *arguments, **options)

    return call


class _Reader(FileReader):
    def __init__(self, inner: Any, url: str) -> None:
        super().__init__(inner)
        self.url = url

    read = _telling(FileReader.read)
    read_range = _telling(FileReader.read_range)


class _Writer(FileWriter):
    def __init__(self, inner: Any, url: str) -> None:
        super().__init__(inner)
        self.url = url

    write = _telling(FileWriter.write)
    close = _telling(FileWriter.close)


class _Client(Client):
    """The client, whose errors are told, and which lists at once."""

    def __init__(self, url: str, config: Mapping[str, str]) -> None:
        with _told(url):
            super().__init__(url, {**_PATIENCE, **config})
        self.url = url
        # For ever, as fsspec keeps it; but in a fork fsspec lets it go, where it would wait for its threads for ever.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.inner))

    @_telling
    def list_status(self, path: str, recursive: bool = False) -> Iterator[Any]:
        return iter(list(super().list_status(path, recursive)))

    # Of the client's own, a file object that is thrown away would close what it holds.

    @_telling
    def read(self, path: str) -> _Reader:
        return _Reader(self.inner.read(path), self.url)

    @_telling
    def create(self, path: str, write_options: WriteOptions | None = None) -> _Writer:
        return _Writer(self.inner.create(path, write_options or WriteOptions()), self.url)

    get_file_info = _telling(Client.get_file_info)
    mkdirs = _telling(Client.mkdirs)
    rename = _telling(Client.rename)
    delete = _telling(Client.delete)


class _TellingFileSystem(BaseFileSystem):
    """A file system of the client whose errors are told."""

    def __init__(self, host: str | None = None, port: int | None = None, **options: Any) -> None:
        super().__init__(host, port, **options)
        # Its own client has asked nothing yet.
        self.client = _Client(self.unstrip_protocol("/").rstrip("/") if host else f"{self.protocol}://", options)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        # Not as a URL, in which a question mark or a hash ends the path.
        _, separator, rest = str(path).partition("://")
        name = f"/{rest.partition('/')[2]}" if separator else str(path)
        return name.rstrip("/") or cls.root_marker

    # What cannot be asked is not missing, as the methods would have it that find it out by an error of any kind.

    def isdir(self, path: str) -> bool:
        return self._type(path) == "directory"

    def isfile(self, path: str) -> bool:
        return self._type(path) == "file"

    def _type(self, path: str) -> str:
        try:
            return str(self.info(path)["type"])
        except FileNotFoundError:
            return ""

    def walk(self, path: str, *arguments: Any, on_error: Any = "omit", **options: Any) -> Iterator[Any]:
        return super().walk(path, *arguments, on_error=_unless_missing if on_error == "omit" else on_error, **options)

    def _convert_file_status(self, file_status: FileStatus) -> dict[str, Any]:
        written = datetime.fromtimestamp(file_status.modification_time / 1000, UTC)
        return {**super()._convert_file_status(file_status), "LastModified": written}

    def _open(self, path: str, mode: str = "rb", overwrite: bool = True, *arguments: Any, **options: Any) -> Any:
        if mode == "xb":
            return super()._open(path, "wb", False, *arguments, **options)
        return super()._open(path, mode, overwrite, *arguments, **options)


class _Hdfs(_TellingFileSystem, HdfsFileSystem):
    protocol = "hdfs"


class _ViewFs(_TellingFileSystem, ViewfsFileSystem):
    protocol = "viewfs"


class _HdfsPath(HDFSPath):
    """A path whose text names the NameNode, or the name service, as whoever reads it elsewhere must find it."""

    __slots__ = ()

    def __str__(self) -> str:
        host, port = (self.storage_options.get(name) for name in ("host", "port"))
        if not host or self._relative_base is not None:
            return super().__str__()
        return f"{self.protocol}://{host}{f':{port}' if port else ''}{self.path}"


class _ViewFsPath(_HdfsPath):
    __slots__ = ()


for _file_system, _path in ((_Hdfs, _HdfsPath), (_ViewFs, _ViewFsPath)):
    fsspec.register_implementation(_file_system.protocol, _file_system, clobber=True)
    register_implementation(_file_system.protocol, _path, clobber=True)
