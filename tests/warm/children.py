"""What tests run in forked processes, and wait for."""

import time
from pathlib import Path

import psutil

SLEEP = "import time\ntime.sleep(60)"


def is_gone(pid: int, *, within: float = 5) -> bool:
    """Whether a process has ended or soon does."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def is_there(path: Path, *, within: float = 5) -> bool:
    """Whether a process has written a file, or soon does."""
    until = time.monotonic() + within
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)
    return path.exists()
