"""A kernel of ours ends as soon as it is asked to."""

import sys
import time
from collections.abc import Iterator

import pytest
import zmq
from ipykernel.control import ControlThread
from ipykernel.iostream import IOPubThread, OutStream
from ipykernel.kernelapp import IPKernelApp
from jupyter_client.session import Session

from benchmarks.kernel_end import BUSY, busy, run_empty
from ml_assets.notebooks.kernel import KernelApp
from ml_assets.notebooks.warm import PRELOAD
from ml_assets.warm.process import Host

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")


class SlowThread(IOPubThread):
    """Takes its time when it is told to stop, and has nothing else to do."""

    def stop(self) -> None:
        self.io_loop.add_callback(lambda: (self.io_loop.stop(), time.sleep(0.6)))
        self.thread.join()

    async def _run_event_pipe_gc(self) -> None: ...


@pytest.mark.parametrize(("kind", "timed_out"), [(KernelApp, False), (IPKernelApp, True)])
def test_what_the_control_thread_flushes_at_the_end_is_not_waited_for_in_vain(
    kind: type[IPKernelApp], timed_out: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # It is told to end at once.
    monkeypatch.setattr(IPKernelApp, "start", lambda app: None)
    monkeypatch.setattr(sys, "__stderr__", sys.stderr)
    with zmq.Context() as context:
        app = kind()
        app.control_thread = ControlThread(daemon=True)
        app.iopub_thread = SlowThread(context.socket(zmq.PUB), pipe=True)
        app.iopub_thread.start()
        app.control_thread.start()
        printed = OutStream(Session(key=b"a key"), app.iopub_thread, "stdout", watchfd=False)
        printed.flush_timeout = 1
        app.control_thread.io_loop.add_callback(lambda: (time.sleep(0.3), printed.flush()))
        app.start()
        # What the interpreter does at its exit.
        app.iopub_thread.stop()
        app.control_thread.stop()
        app.control_thread.join()
        app.iopub_thread.close()
    assert ("flush timed out" in capsys.readouterr().err) is timed_out


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    host = Host.start(PRELOAD)
    yield host
    host.stop()


@pytest.mark.slow
@on_linux
@pytest.mark.parametrize("beside", [0, BUSY])
def test_of_many_empty_notebooks_no_kernel_is_killed_and_no_flush_times_out(beside: int, host: Host) -> None:
    with busy(beside):
        ends = run_empty(100, host)
    assert (ends.signaled, ends.timed_out) == (0, 0), ends
