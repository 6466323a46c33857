"""Starts a warm process, and processes forked from it. Light: imports nothing that the warm process is to import."""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ml_assets import variables
from ml_assets.temporary import TemporaryFolder
from ml_assets.warm.host import LENGTH_BYTES

_SOCKET = "host"


class NotSafeError(Exception):
    """Forking is not safe, or not possible, here. The message says why."""


class HostGoneError(Exception):
    """The warm process has ended."""


@dataclass
class Host:
    """A warm process that this one owns: it ends, with all that it has forked, when this one does.

    Attributes: `address`: where processes are asked for, by this process and by those that are told of it; `skipped`:
    the modules that could not be imported, with the reason.
    """

    process: subprocess.Popen[bytes]
    folder: TemporaryFolder
    sources: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def start(cls, preload: Sequence[str]) -> "Host":
        """Start a process that imports modules; those that cannot be imported are left out.

        Raises: NotSafeError where a fork is not safe: a module started a thread, or the system is not Linux.
        """
        if sys.platform != "linux":
            raise NotSafeError(f"processes are forked on Linux alone, and this is {sys.platform}")
        folder = TemporaryFolder()
        # Its own session: what a terminal sends is the owner's to handle.
        process = subprocess.Popen(
            [sys.executable, "-m", "ml_assets.warm.host"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        host = cls(process, folder)
        try:
            ready = host._order(preload)
        except BaseException:
            host.stop()
            raise
        host.skipped = ready["skipped"]
        host.sources = {path: _stamp(path) for path in ready["sources"]}
        if ready["threads"]:
            host.stop()
            raise NotSafeError(f"importing {', '.join(preload)} started threads: {', '.join(ready['threads'])}")
        return host

    def _order(self, preload: Sequence[str]) -> dict[str, Any]:
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise HostGoneError("the warm process has no pipes")
        try:
            stdin.write(json.dumps({"preload": list(preload), "socket": str(self.address)}).encode() + b"\n")
            stdin.flush()
            return json.loads(stdout.readline())
        except (OSError, ValueError) as error:
            stdin.close()
            raise NotSafeError(f"the warm process ended with exit code {self.process.wait()}") from error

    @property
    def address(self) -> Path:
        """The socket that it listens on."""
        return self.folder.path / _SOCKET

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self.process.poll() is None

    @property
    def is_current(self) -> bool:
        """Whether the source files that it has imported are as they were."""
        return all(_stamp(path) == stamp for path, stamp in self.sources.items())

    def retire(self) -> None:
        """Let it end with the last process that it has forked."""
        if self.process.stdin and self.alive:
            with suppress(BrokenPipeError):
                self.process.stdin.write(b"r")
                self.process.stdin.flush()

    def stop(self) -> None:
        """End it, and all that it has forked."""
        if self.process.stdin:
            with suppress(BrokenPipeError):
                self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self.folder.remove()


class Process:
    """A process that a host has forked, as `subprocess.Popen` shows one; it is killed when this one ends before it.

    Attributes: `pid`; `returncode`: None while it runs, minus the signal for one that was killed.
    """

    #: As of a Popen without pipes.
    stdin = stdout = stderr = None

    def __init__(
        self,
        address: Path,
        arguments: Sequence[str],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: int | IO[bytes] | None = None,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
    ) -> None:
        """Run what `python -m` would with some arguments, the module's name first; the rest is as for a Popen.

        Raises: HostGoneError.
        """
        self.args = list(arguments)
        self.returncode: int | None = None
        env = variables.inherited() if env is None else env
        request = {"argv": self.args, "cwd": str(cwd or Path.cwd()), "env": dict(env)}
        body = json.dumps(request).encode()
        self._connection = socket.socket(socket.AF_UNIX)
        self._lock = threading.Lock()
        try:
            self._connection.connect(str(address))
            with open(os.devnull, "r+b") as nothing:  # noqa: PTH123
                streams = [_number(one, nothing, number) for number, one in enumerate((stdin, stdout, stderr))]
                socket.send_fds(self._connection, [len(body).to_bytes(LENGTH_BYTES)], streams)
                self._connection.sendall(body)
                self._answers = self._connection.makefile("rb")
                answer = self._answers.readline()
            if not answer:
                raise HostGoneError(f"the warm process at {address} ended")
        except OSError as error:
            self._connection.close()
            raise HostGoneError(f"the warm process at {address} is gone: {error}") from error
        self.pid: int = json.loads(answer)["pid"]

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._ended(timeout=0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end. Returns: the exit code. Raises: subprocess.TimeoutExpired."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, where it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def fileno(self) -> int:
        """What becomes readable when it ends, for `select`."""
        return self._connection.fileno()

    def _ended(self, timeout: float | None) -> int | None:
        with self._lock:
            if self.returncode is not None:
                return self.returncode
            self._connection.settimeout(None)
            if not _readable(self._connection, timeout):
                return None
            answer = self._answers.readline()
            # A host that ends kills what it has forked.
            self.returncode = json.loads(answer)["exit"] if answer else -signal.SIGKILL
            self._answers.close()
            self._connection.close()
            return self.returncode


def _readable(connection: socket.socket, timeout: float | None) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return bool(selector.select(timeout))


def _number(given: int | IO[bytes] | None, nothing: IO[bytes], inherited: int) -> int:
    if given is None:
        return inherited
    if given == subprocess.DEVNULL:
        return nothing.fileno()
    return given if isinstance(given, int) else given.fileno()


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return (0, 0)
    return status.st_mtime_ns, status.st_size
