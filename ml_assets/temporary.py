"""Temporary folders of this project: removed with their owner's end, or by the next process that makes one."""

import fcntl
import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

#: What begins their names, and those of nothing else.
PREFIX = "ml_assets."


class TemporaryFolder:
    """A new folder below the one for temporary files, which this user alone may enter.

    It is removed by `remove`, by the end of a `with`, when nothing refers to it any more, and when the process ends.
    Where that is killed, the next process that makes such a folder there removes it. Its owner holds a lock on it: no
    process id tells of an owner on another machine or in another container.

    Attributes: `path`.
    """

    def __init__(self) -> None:
        remove_abandoned(tempfile.gettempdir())
        self.path, lock = _locked()
        self._finalizer = weakref.finalize(self, _remove, self.path, lock, os.getpid())

    def remove(self) -> None:
        """Remove it with what it holds; once it is removed, nothing happens."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()


def _locked() -> tuple[Path, int]:
    """A new folder, and the descriptor whose lock says that its owner lives."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        # Before it is locked it looks abandoned, and may be removed by another process.
        with suppress(FileNotFoundError):
            lock = os.open(path, os.O_RDONLY)
            # Some network file systems know no locks on folders: there nobody gets one, and so nobody removes any.
            with suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_SH)
            if path.exists():
                return path, lock
            os.close(lock)


def _remove(path: Path, lock: int, owner: int) -> None:
    # A fork has a copy of what its parent still uses.
    if os.getpid() == owner:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


@cache
def remove_abandoned(folder: str) -> None:
    """Remove the folders of this user in a folder whose owner is gone; once a process."""
    for path in Path(folder).glob(f"{PREFIX}*"):
        # Another process may remove it at the same time, and other users' cannot be opened.
        with suppress(FileNotFoundError, PermissionError, NotADirectoryError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(lock).st_uid == os.geteuid() and _is_abandoned(lock):
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)


def _is_abandoned(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # Its owner lives, or the file system has no such lock, so that none can tell.
        return False
    return True
