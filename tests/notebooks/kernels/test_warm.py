"""When a warm process is started, replaced and done without; with modules that import fast."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_assets.notebooks.kernels import warm
from ml_assets.notebooks.kernels.warm import WarmHosts, kernels_of
from ml_assets.warm.host import ADDRESS_VARIABLE
from ml_assets.warm.process import Process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one module that a warm process imports."""
    path = tmp_path / "preloaded_by_test.py"
    path.write_text("VALUE = 1\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(warm, "PRELOAD", (path.stem,))
    return path


@pytest.fixture
def hosts(source: Path) -> Iterator[WarmHosts]:
    hosts = WarmHosts()
    yield hosts
    hosts.stop()


@pytest.fixture
def own(source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process has no warm process yet, and was not forked from one."""
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    warm._own.cache_clear()
    yield
    warm._own().stop()
    warm._own.cache_clear()


def _start(address: Path, folder: Path, source: str) -> Process:
    (folder / "child.py").write_text(source)
    return Process(address, ["child"], cwd=folder, stdin=subprocess.DEVNULL)


def test_one_warm_process_is_started_and_given_again(hosts: WarmHosts, source: Path) -> None:
    host = hosts.current()
    assert host is not None
    assert host.alive
    assert str(source) in host.sources
    assert hosts.current() is host


def test_a_warm_process_that_was_killed_is_replaced(hosts: WarmHosts, tmp_path: Path) -> None:
    killed = hosts.current()
    assert killed is not None
    killed.process.kill()
    killed.process.wait()
    host = hosts.current()
    assert host is not None
    assert host is not killed
    assert _start(host.address, tmp_path, "").wait(10) == 0


def test_a_warm_process_that_was_replaced_leaves_no_folder_behind(hosts: WarmHosts) -> None:
    killed = hosts.current()
    assert killed is not None
    killed.process.kill()
    killed.process.wait()
    host = hosts.current()
    assert host is not None
    hosts.stop()
    assert not host.folder.path.exists()
    assert not killed.folder.path.exists()


def test_an_edited_source_leads_to_a_new_one_while_what_the_old_one_has_forked_goes_on(
    hosts: WarmHosts, source: Path, tmp_path: Path
) -> None:
    old = hosts.current()
    assert old is not None
    process = _start(
        old.address,
        tmp_path,
        "import os, sys, time, preloaded_by_test\n"
        "while not os.path.exists('edited'):\n    time.sleep(0.01)\n"
        "sys.exit(preloaded_by_test.VALUE)",
    )
    source.write_text("VALUE = 23\n")
    new = hosts.current()
    assert new is not None
    assert new is not old
    assert hosts.current() is new
    assert (
        _start(new.address, tmp_path, "import sys, preloaded_by_test\nsys.exit(preloaded_by_test.VALUE)").wait(10) == 23
    )
    assert process.poll() is None
    (tmp_path / "edited").touch()
    assert process.wait(10) == 1, "the code as it was when it began"
    assert old.process.wait(10) == 0
    assert hosts.current() is new


def test_stopping_ends_the_present_and_the_replaced_with_all_that_they_have_forked(
    hosts: WarmHosts, source: Path, tmp_path: Path
) -> None:
    old = hosts.current()
    assert old is not None
    processes = [_start(old.address, tmp_path, "import time\ntime.sleep(60)")]
    source.write_text("VALUE = 23\n")
    new = hosts.current()
    assert new is not None
    processes.append(_start(new.address, tmp_path, "import time\ntime.sleep(60)"))
    hosts.stop()
    assert [process.wait(10) for process in processes] == [-9, -9]
    assert not old.alive
    assert not new.alive


def test_after_a_stop_another_is_started(hosts: WarmHosts) -> None:
    hosts.stop()
    host = hosts.current()
    assert host is not None
    hosts.stop()
    again = hosts.current()
    assert again is not None
    assert again is not host


def test_what_is_not_safe_is_refused_once_and_said_once(
    hosts: WarmHosts, source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source.write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, name='the-watcher', daemon=True).start()"
    )
    with caplog.at_level(logging.INFO, "ml_assets"):
        assert [hosts.current() for _ in range(3)] == [None] * 3
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "Processes start cold, each with imports of its own: importing preloaded_by_test started threads: the-watcher"
    )


def test_a_module_that_cannot_be_imported_is_said_once(
    hosts: WarmHosts, source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source.write_text("raise RuntimeError('no licence')")
    with caplog.at_level(logging.INFO, "ml_assets"):
        host = hosts.current()
        assert host is not None
        assert hosts.current() is host
    assert [record.getMessage() for record in caplog.records] == [
        "preloaded_by_test is not imported before it is needed, which takes longer: RuntimeError: no licence"
    ]


@pytest.mark.usefixtures("own")
def test_an_inherited_warm_process_gives_the_kernels_however_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, "/somewhere/host")
    assert kernels_of(1) == kernels_of(100) == Path("/somewhere/host")


def test_a_process_that_was_forked_forks_from_what_it_was_forked_from(
    hosts: WarmHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    host = hosts.current()
    assert host is not None
    assert hosts.address() == host.address
    monkeypatch.setenv(ADDRESS_VARIABLE, "/somewhere/host")
    assert hosts.address() == Path("/somewhere/host")
    assert WarmHosts().address() == Path("/somewhere/host")


@pytest.mark.usefixtures("own")
def test_one_notebook_starts_cold_and_two_start_one_warm_process(tmp_path: Path) -> None:
    assert kernels_of(1) is None
    assert warm._own()._host is None
    address = kernels_of(2)
    assert address is not None
    assert _start(address, tmp_path, "").wait(10) == 0
    assert kernels_of(50) == address


@pytest.mark.usefixtures("own")
def test_where_the_environment_has_no_warm_processes_kernels_start_cold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, "/somewhere/host")
    assert kernels_of(100, warm=False) is None
    assert warm._own()._host is None


@pytest.mark.usefixtures("own")
def test_where_forking_is_not_safe_kernels_start_cold(source: Path) -> None:
    source.write_text("import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()")
    assert kernels_of(2) is None


def test_the_warm_process_of_an_interpreter_ends_with_it(source: Path, tmp_path: Path) -> None:
    code = (
        "from ml_assets.notebooks.kernels import warm\n"
        f"warm.PRELOAD = ({source.stem!r},)\n"
        "host = warm._own().current() if warm.kernels_of(2) else None\n"
        "print(host.process.pid, host.folder.path)"
    )
    env = {name: value for name, value in os.environ.items() if name != ADDRESS_VARIABLE}
    found = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=30
    )
    pid, folder = found.stdout.split()
    assert not Path(f"/proc/{pid}").exists()
    assert not Path(folder).exists()
