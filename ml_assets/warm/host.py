"""The warm process: imports once what many processes need, then forks a process for each request.

`python -m ml_assets.warm.host`, started by `ml_assets.warm.process`. A first line on standard input says what to import
and where to listen; a line on standard output answers. After that standard input is the tie to the owner: when it
ends, so does the host, with every process that it has forked.

The standard library's forkserver cannot be shared with the processes that it forks, which here fork from it in turn: a
run its kernels. Hence this one. It runs nothing itself, so that its memory stays as it was after the imports.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import sysconfig
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ml_assets.interrupts import heed_interrupts

#: Tells a forked process where it can ask for more.
ADDRESS_VARIABLE = "ML_ASSETS_WARM_HOST"
#: Of a request: its length in bytes, sent with the file descriptors.
LENGTH_BYTES = 8
_STREAMS = 3
#: Stands in the arguments of a request for the process id of the host, the parent of what it forks.
PARENT_PID = "<parent>"
_LOOKS, _SECONDS_BETWEEN_LOOKS = 5, 0.2
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Import, say whether forking is safe, and serve until the owner is gone."""
    heed_interrupts()
    order = json.loads(sys.stdin.buffer.readline())
    answers = os.dup(1)
    # What a module prints when it is imported is no answer.
    os.dup2(2, 1)
    skipped = _preload(order["preload"])
    threads = _settled_threads()
    with socket.socket(socket.AF_UNIX) as listener:
        if not threads:
            listener.bind(order["socket"])
            listener.listen()
        ready = {"threads": threads, "skipped": skipped, "sources": source_files()}
        with os.fdopen(answers, "w", encoding="utf-8") as owner:
            owner.write(json.dumps(ready) + "\n")
        if threads:
            # Without waiting for them.
            os._exit(0)
        # What is frozen is not written to by the collector, so that the forks share it.
        gc.collect()
        gc.freeze()
        _Host(listener, order["socket"]).serve()


def _settled_threads() -> list[str]:
    """The threads that stay: one that a module has started and ended may still be about to go."""
    for _ in range(_LOOKS):
        if not (threads := started_threads()):
            break
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return threads


def _preload(modules: list[str]) -> dict[str, str]:
    """Import modules. Returns: those that cannot be, with the reason; who needs one will say so better."""
    skipped = {}
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001  (a module may raise anything when it is imported)
            skipped[name] = f"{type(error).__name__}: {error}"
    return skipped


def started_threads() -> list[str]:
    """The threads of this process beside the main one, which make forking unsafe.

    Not counted are those of libraries that end them before a fork and start them after it: OpenBLAS and jemalloc.
    """
    found = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    names = [(task / "comm").read_text(encoding="utf-8").strip() for task in Path("/proc/self/task").iterdir()]
    native = len([name for name in names if name != "jemalloc_bg_thd"]) - 1 - len(found) - _blas_workers()
    return found + ["a thread of a library"] * max(native, 0)


def _blas_workers() -> int:
    if "numpy" not in sys.modules:
        return 0
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return 0
    pools = [pool for pool in threadpool_info() if pool["internal_api"] == "openblas"]
    return sum(pool["num_threads"] - 1 for pool in pools)


def source_files() -> list[str]:
    """The source files of the imported modules that are not installed packages: those that a person may edit."""
    installed = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths = {str(getattr(module, "__file__", None) or "") for module in list(sys.modules.values())}
    return sorted(path for path in paths if path.endswith(".py") and not path.startswith(tuple(installed)))


@dataclass
class _Child:
    """A forked process, and the connection of who asked for it."""

    pid: int
    connection: socket.socket


class _Host:
    def __init__(self, listener: socket.socket, address: str) -> None:
        self._listener = listener
        self._address = address
        self._children: dict[int, _Child] = {}
        self._retired = False
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._wakes = socket.socketpair()
        self._wakeup.setblocking(False)
        self._wakes.setblocking(False)

    def serve(self) -> None:
        signal.set_wakeup_fd(self._wakes.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        register = self._selector.register
        register(sys.stdin.fileno(), selectors.EVENT_READ, self._hear_owner)
        register(self._wakeup, selectors.EVENT_READ, self._reap)
        register(self._listener, selectors.EVENT_READ, self._accept)
        try:
            while not (self._retired and not self._children):
                for key, _ in self._selector.select():
                    key.data()
        finally:
            for pid in self._children:
                _kill(pid)
            for pid in self._children:
                os.waitpid(pid, 0)

    def _hear_owner(self) -> None:
        """A byte: serve no longer, end with the last child. The end: the owner is gone."""
        if os.read(sys.stdin.fileno(), 1):
            self._retired = True
            return
        sys.exit()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        try:
            request, streams = _receive(connection)
        except (OSError, ValueError):
            # Who asked has gone meanwhile.
            connection.close()
            return
        host, pid = os.getpid(), os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            self._selector.close()
            for one in (self._listener, self._wakeup, self._wakes, connection):
                one.close()
            for child in self._children.values():
                child.connection.close()
            _run(request, streams, self._address, host)
        for stream in streams:
            os.close(stream)
        child = self._children[pid] = _Child(pid, connection)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._hear_requester(child))
        _tell(connection, {"pid": pid})

    def _hear_requester(self, child: _Child) -> None:
        """Nothing is ever said there: who asked for the process has gone, or wants it no longer."""
        if child.pid not in self._children:
            # It has ended at the same time.
            return
        self._selector.unregister(child.connection)
        _kill(child.pid)

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            while self._wakeup.recv(64):
                pass
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is None:
                # A process that an imported module has started.
                continue
            _tell(child.connection, {"exit": os.waitstatus_to_exitcode(status)})
            with suppress(KeyError):
                self._selector.unregister(child.connection)
            child.connection.close()


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, streams, _, _ = socket.recv_fds(connection, LENGTH_BYTES, _STREAMS)
    if len(head) < LENGTH_BYTES:
        raise ValueError("a request ended before it began")
    with connection.makefile("rb") as file:
        return json.loads(file.read(int.from_bytes(head))), list(streams)


def _tell(connection: socket.socket, message: Mapping[str, int]) -> None:
    with suppress(OSError):
        connection.sendall(json.dumps(message).encode() + b"\n")


def _kill(pid: int) -> None:
    """Kill a process and its group, which it leads."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def _run(request: Mapping[str, Any], streams: list[int], address: str, host: int) -> NoReturn:
    """Become what `python -m module arguments` would be."""
    code = 1
    try:
        os.setsid()
        _die_with(host)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        # The host's own buffer has read ahead of its input.
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        heed_interrupts()
        _enter(request["cwd"], {**request["env"], ADDRESS_VARIABLE: address})
        module, *arguments = [one.replace(PARENT_PID, str(host)) for one in request["argv"]]
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            sys.stderr.write(f"{error.code}\n")
    except BaseException:  # noqa: BLE001  (as the interpreter does at its top)
        traceback.print_exc()
    finally:
        with suppress(BaseException):
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        # Without tearing down what all forks share.
        os._exit(code)


def _die_with(host: int) -> None:
    """Let the system kill this process when the host is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != host:
        os._exit(1)


def _enter(cwd: str, env: Mapping[str, str]) -> None:
    """Take over the working folder, the environment and the module path that a new interpreter would have there."""
    before = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    own = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    rest = [path for path in sys.path[1:] if path not in before]
    sys.path[:] = [cwd, *own, *rest]
    importlib.invalidate_caches()
    # Looked up anew, by the variables of this process.
    tempfile.tempdir = None
    if "numpy" in sys.modules:
        # Python's own generator begins anew in a fork, NumPy's would go on where all others do.
        sys.modules["numpy"].random.seed()


if __name__ == "__main__":
    main()
