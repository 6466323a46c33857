"""When a host of forked processes ends, and which of them end with it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ml_assets.warm.host import ADDRESS_VARIABLE
from ml_assets.warm.process import Host, HostGoneError, Process
from tests.warm.children import SLEEP, is_gone, is_there

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")


def test_all_processes_end_when_the_host_is_stopped(
    other_host: Callable[..., Host], run: Callable[..., Process]
) -> None:
    host = other_host()
    processes = [run(SLEEP, of=host) for _ in range(3)]
    host.stop()
    assert not host.alive
    assert all(not psutil.pid_exists(process.pid) for process in processes)
    assert [process.poll() for process in processes] == [-signal.SIGKILL] * 3
    assert not host.folder.path.exists()


def test_host_and_processes_end_when_the_owner_is_killed(tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(SLEEP)
    source = """
import time
from ml_assets.warm.process import Host, Process
host = Host.start([])
process = Process(host.address, ["child"])
print(host.process.pid, process.pid, host.folder.path, flush=True)
"""
    command = [sys.executable, "-c", source + "time.sleep(60)"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        host, child, folder = owner.stdout.readline().split()
        assert psutil.pid_exists(int(host))
        assert psutil.pid_exists(int(child))
        owner.kill()
    assert is_gone(int(host))
    assert is_gone(int(child))
    shutil.rmtree(folder, ignore_errors=True)


def test_all_processes_end_when_the_host_is_killed(
    other_host: Callable[..., Host], run: Callable[..., Process]
) -> None:
    """A process that seems to have ended is launched again."""
    host = other_host()
    process = run(SLEEP, of=host)
    host.process.kill()
    assert process.wait(10) == -signal.SIGKILL
    try:
        assert is_gone(process.pid, within=2)
    finally:
        if psutil.pid_exists(process.pid):
            os.kill(process.pid, signal.SIGKILL)


def test_a_host_that_was_killed_is_gone(other_host: Callable[..., Host], run: Callable[..., Process]) -> None:
    host = other_host()
    host.process.kill()
    host.process.wait()
    assert not host.alive
    with pytest.raises(HostGoneError, match=f"the warm process at {host.address} is gone: .*Connection refused"):
        run("", of=host)
    host.retire()
    host.stop()
    with pytest.raises(HostGoneError, match="is gone: .*No such file"):
        run("", of=host)


def test_a_retired_host_ends_with_its_last_process(
    other_host: Callable[..., Host], run: Callable[..., Process]
) -> None:
    host = other_host()
    first, last = run(SLEEP, of=host), run(SLEEP, of=host)
    host.retire()
    first.kill()
    assert first.wait(10) == -signal.SIGKILL
    assert host.alive
    assert last.poll() is None
    last.kill()
    assert last.wait(10) == -signal.SIGKILL
    assert host.process.wait(10) == 0
    with pytest.raises(HostGoneError):
        run("", of=host)


def test_a_retired_host_without_a_process_ends(other_host: Callable[..., Host]) -> None:
    host = other_host()
    host.retire()
    assert host.process.wait(10) == 0


def test_the_processes_of_a_retired_host_may_fork_from_it(
    other_host: Callable[..., Host], run: Callable[..., Process], tmp_path: Path
) -> None:
    host = other_host()
    (tmp_path / "grandchild.py").write_text("import os\nprint(os.getppid(), flush=True)")
    process = run(
        f"""
import os, time
while not os.path.exists("retired"):
    time.sleep(0.01)
from ml_assets.warm.process import Process
assert Process(os.environ["{ADDRESS_VARIABLE}"], ["grandchild"]).wait() == 0
print(os.getppid())
""",
        of=host,
    )
    host.retire()
    (tmp_path / "retired").touch()
    assert process.wait(10) == 0, (tmp_path / "stderr").read_text()
    assert (tmp_path / "stdout").read_text() == f"{host.process.pid}\n" * 2
    assert host.process.wait(10) == 0


def test_a_process_that_is_killed_takes_those_with_it_that_it_has_forked(
    host: Host, run: Callable[..., Process], tmp_path: Path
) -> None:
    (tmp_path / "grandchild.py").write_text(
        f"import os\nopen('pid.tmp', 'w').write(str(os.getpid()))\nos.rename('pid.tmp', 'pid')\n{SLEEP}"
    )
    process = run(
        f"import os\nfrom ml_assets.warm.process import Process\n"
        f"Process(os.environ['{ADDRESS_VARIABLE}'], ['grandchild']).wait()"
    )
    assert is_there(tmp_path / "pid"), (tmp_path / "stderr").read_text()
    process.kill()
    assert is_gone(int((tmp_path / "pid").read_text()))
    assert host.alive
