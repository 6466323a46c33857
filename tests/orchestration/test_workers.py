"""The process of a run is told by node, id and start: whether it lives, and how it is ended."""

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from ml_assets.orchestration.launcher import end_worker, is_alive, worker_of


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def test_a_worker_is_told_by_node_process_id_and_start(sleeper: subprocess.Popen[bytes]) -> None:
    node, pid, start = worker_of(sleeper.pid).split()
    assert (node, pid) == (platform.node(), str(sleeper.pid))
    assert start.endswith("ticks") or abs(float(start) - time.time()) < 60
    assert worker_of(sleeper.pid) == worker_of(sleeper.pid)
    assert worker_of(os.getpid()) != worker_of(sleeper.pid)


def test_a_live_worker_is_alive_until_it_is_ended(sleeper: subprocess.Popen[bytes]) -> None:
    worker = worker_of(sleeper.pid)
    assert is_alive(worker)
    assert end_worker(worker)
    assert sleeper.wait(10) == -signal.SIGTERM
    assert not is_alive(worker)
    assert not end_worker(worker)


def test_a_worker_that_had_ended_before_it_was_told_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait(10)
    worker = worker_of(sleeper.pid)
    assert worker == f"{platform.node()} {sleeper.pid} ended"
    assert not is_alive(worker)
    assert not end_worker(worker)


def test_a_worker_is_alive_whatever_becomes_of_the_clock_and_whoever_named_it(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, began = worker_of(sleeper.pid), psutil.Process(sleeper.pid).create_time()
    assert is_alive(f"{platform.node()} {sleeper.pid} {began:.2f}"), "as older runs have it"
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: began + 300)
    assert is_alive(worker) or sys.platform != "linux"


def test_another_process_with_its_id_is_neither_taken_for_it_nor_ended(sleeper: subprocess.Popen[bytes]) -> None:
    earlier = f"{platform.node()} {sleeper.pid} {psutil.Process(sleeper.pid).create_time() - 5:.2f}"
    for one in (earlier, f"{platform.node()} {sleeper.pid} 1ticks"):
        assert not is_alive(one)
        assert not end_worker(one)
    time.sleep(0.2)
    assert sleeper.poll() is None


def test_of_another_node_a_worker_counts_as_alive_and_is_not_ended(sleeper: subprocess.Popen[bytes]) -> None:
    elsewhere = worker_of(sleeper.pid).replace(platform.node(), "another-node")
    assert is_alive(elsewhere)
    assert is_alive("another-node 1 ended")
    assert not end_worker(elsewhere)
    time.sleep(0.2)
    assert sleeper.poll() is None
