"""A kernel of ours ends as soon as it is asked to."""

import sys
import threading
from collections.abc import Iterator

import pytest
from ipykernel.control import ControlThread
from ipykernel.kernelapp import IPKernelApp

from benchmarks.kernel_end import BUSY, busy, run_empty
from ml_assets.notebooks.kernels.kernel import KernelApp
from ml_assets.notebooks.kernels.warm import PRELOAD
from ml_assets.warm.process import Host

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")


@pytest.mark.parametrize(("kind", "ended"), [(KernelApp, True), (IPKernelApp, False)])
def test_what_the_control_thread_flushes_at_the_end_is_flushed_before_the_interpreter_exits(
    kind: type[IPKernelApp], ended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is told to end at once.
    monkeypatch.setattr(IPKernelApp, "start", lambda app: None)
    app, told, flushed = kind(), threading.Event(), threading.Event()
    app.control_thread = ControlThread(daemon=True)
    app.control_thread.start()
    app.control_thread.io_loop.add_callback(lambda: (told.wait(60), flushed.set()))
    if ended:
        threading.Timer(0.2, told.set).start()
    app.start()
    assert (flushed.is_set(), app.control_thread.is_alive()) == (ended, not ended)
    told.set()
    app.control_thread.stop()
    app.control_thread.join()


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    host = Host.start(PRELOAD)
    yield host
    host.stop()


@pytest.mark.slow
@on_linux
@pytest.mark.parametrize(("notebooks", "beside"), [(60, 0), (20, BUSY)])
def test_of_80_empty_notebooks_no_kernel_is_killed_and_no_flush_times_out(
    notebooks: int, beside: int, host: Host
) -> None:
    """Of 40, the defect killed 12. The benchmark `kernel_end` runs 200 of each."""
    with busy(beside):
        # A machine under load is no defect: a flush in vain takes ten seconds, and says so.
        ends = run_empty(notebooks, host, patience=60)
    assert (ends.signaled, ends.timed_out) == (0, 0), ends
