"""Forked processes beside real ones: what they see, how they end, and when their host does."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ml_assets.warm.host import ADDRESS_VARIABLE
from ml_assets.warm.process import Host, HostGoneError, NotSafeError, Process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")

SLEEP = "import time\ntime.sleep(60)"
SEEN = """
import json, os, sys
json.dump(
    {
        "cwd": os.getcwd(), "env": dict(os.environ), "argv": sys.argv, "path": sys.path, "name": __name__,
        "file": __file__, "main": sys.modules["__main__"].__dict__ is globals(), "stdin": sys.stdin.read(),
    },
    sys.stdout,
)
print("said aside", file=sys.stderr)
sys.exit(7)
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    host = Host.start([])
    yield host
    host.stop()


@pytest.fixture
def other_host() -> Iterator[Callable[..., Host]]:
    """Starts hosts that a test may end."""
    hosts: list[Host] = []

    def start(*preload: str) -> Host:
        hosts.append(Host.start(preload))
        return hosts[-1]

    yield start
    for host in hosts:
        host.stop()


@pytest.fixture
def run(host: Host, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts a process of some source, with its streams in files of the same names."""
    started: list[Process] = []

    def start(source: str, *arguments: str, of: Host | None = None, **options: Any) -> Process:
        # A module of its own, which no other process is reading.
        name = f"child_{len(started)}"
        (tmp_path / f"{name}.py").write_text(source)
        with (tmp_path / "stdout").open("wb") as stdout, (tmp_path / "stderr").open("wb") as stderr:
            streams = {"stdin": subprocess.DEVNULL, "stdout": stdout, "stderr": stderr}
            address = (of or host).address
            process = Process(address, [name, *arguments], **{"cwd": tmp_path, **streams, **options})
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Writes a module that a host can import."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))

    def write(name: str, source: str) -> Path:
        path = folder / f"{name}.py"
        path.write_text(source)
        return path

    return write


def _is_gone(pid: int, *, within: float = 5) -> bool:
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


def _is_there(path: Path, *, within: float = 5) -> bool:
    """Whether a process has written a file, or soon does."""
    until = time.monotonic() + within
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)
    return path.exists()


def test_a_forked_process_sees_what_python_m_would_see(host: Host, tmp_path: Path) -> None:
    work, modules = tmp_path / "work", tmp_path / "modules"
    work.mkdir()
    modules.mkdir()
    (modules / "child.py").write_text(SEEN)
    (tmp_path / "in").write_text("some input\n")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{modules}{os.pathsep}{tmp_path}", "OWN": "ä"}
    seen = {}
    for kind in ("cold", "warm"):
        out, err = tmp_path / f"{kind}.out", tmp_path / f"{kind}.err"
        with (tmp_path / "in").open("rb") as stdin, out.open("wb") as stdout, err.open("wb") as stderr:
            options: dict[str, Any] = {"cwd": work, "env": env, "stdin": stdin, "stdout": stdout, "stderr": stderr}
            arguments = ["child", "one", "--two=ä", ""]
            process: Any
            if kind == "warm":
                process = Process(host.address, arguments, **options)
            else:
                process = subprocess.Popen([sys.executable, "-m", *arguments], **options)
            assert process.wait(timeout=10) == 7
        assert err.read_text() == "said aside\n"
        seen[kind] = json.loads(out.read_text())
    assert seen["cold"]["stdin"] == "some input\n"
    assert seen["warm"]["env"].pop(ADDRESS_VARIABLE) == str(host.address)
    for volatile in ("LC_CTYPE", "PYTHONHASHSEED"):
        seen["cold"]["env"].pop(volatile, None)
        seen["warm"]["env"].pop(volatile, None)
    assert seen["warm"] == seen["cold"]


def test_the_variables_of_the_owner_are_not_passed_on(
    run: Callable[..., Process], other_host: Callable[..., Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_OWNER", "1")
    host = other_host()
    monkeypatch.delenv("SECRET_OF_THE_OWNER")
    source = "import os\nprint(os.environ.get('SECRET_OF_THE_OWNER'), os.getenv('OWN'), os.system('echo $OWN'))"
    run(source, of=host, env={"PATH": os.environ["PATH"], "OWN": "mine"}).wait(10)
    assert (tmp_path / "stdout").read_text() == "mine\nNone mine 0\n"


def test_without_an_environment_and_a_folder_those_of_the_requester_are_taken(
    run: Callable[..., Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATER_THAN_THE_HOST", "1")
    monkeypatch.chdir(tmp_path)
    run("import os\nprint(os.getcwd(), os.environ['LATER_THAN_THE_HOST'])", cwd=None).wait(10)
    assert (tmp_path / "stdout").read_text() == f"{tmp_path} 1\n"


def test_the_module_path_of_the_host_is_not_passed_on(
    module: Callable[[str, str], Path], other_host: Callable[..., Host], run: Callable[..., Process], tmp_path: Path
) -> None:
    folder = module("of_the_host", "").parent
    host = other_host()
    run("import sys\nprint(sys.path)", of=host, env={"PYTHONPATH": "/somewhere"}).wait(10)
    path = (tmp_path / "stdout").read_text()
    assert path.startswith(f"['{tmp_path}', '/somewhere', ")
    assert str(folder) not in path


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("", 0, ""),
        ("import sys\nsys.exit()", 0, ""),
        ("import sys\nsys.exit(3)", 3, ""),
        ("raise SystemExit('no such shop')", 1, "no such shop\n"),
        ("import os\nos._exit(5)", 5, ""),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV, ""),
    ],
)
def test_a_forked_process_ends_as_python_m_does(
    source: str, code: int, said: str, run: Callable[..., Process], tmp_path: Path
) -> None:
    process = run(source)
    assert (process.wait(10), process.poll(), process.returncode) == (code, code, code)
    assert (tmp_path / "stderr").read_text() == said


@pytest.mark.parametrize("source", ["1 / 0", "import there_is_none", "def ("])
def test_what_a_process_raises_is_printed_and_it_ends_with_1(
    source: str, run: Callable[..., Process], tmp_path: Path
) -> None:
    assert run(source).wait(10) == 1
    said = (tmp_path / "stderr").read_text()
    assert said.startswith("Traceback (most recent call last):")
    assert said.splitlines()[-1].split(":")[0] in {"ZeroDivisionError", "ModuleNotFoundError", "SyntaxError"}


def test_a_module_that_does_not_exist_ends_with_1(host: Host, tmp_path: Path) -> None:
    with (tmp_path / "stderr").open("wb") as stderr:
        assert Process(host.address, ["there_is_none"], stderr=stderr).wait(10) == 1
    assert "No module named there_is_none" in (tmp_path / "stderr").read_text()


def test_a_folder_that_does_not_exist_ends_with_1_and_not_the_host(host: Host, tmp_path: Path) -> None:
    with (tmp_path / "stderr").open("wb") as stderr:
        assert Process(host.address, ["child"], cwd=tmp_path / "none", stderr=stderr).wait(10) == 1
    assert "FileNotFoundError" in (tmp_path / "stderr").read_text()
    assert host.alive


def test_exit_functions_and_threads_are_waited_for(run: Callable[..., Process], tmp_path: Path) -> None:
    source = """
import atexit, threading, time
atexit.register(print, "at exit")
threading.Thread(target=lambda: (time.sleep(0.1), print("in a thread"))).start()
print("at the end")
"""
    assert run(source).wait(10) == 0
    assert (tmp_path / "stdout").read_text() == "at the end\nin a thread\nat exit\n"


def test_poll_and_wait_are_as_of_a_popen(run: Callable[..., Process]) -> None:
    process = run(SLEEP)
    assert process.poll() is None
    assert process.returncode is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.05)
    process.terminate()
    assert process.wait(timeout=10) == -signal.SIGTERM
    assert process.poll() == -signal.SIGTERM


def test_a_process_that_is_killed_is_gone_and_may_be_killed_again(run: Callable[..., Process]) -> None:
    process = run(SLEEP)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    assert _is_gone(process.pid)
    process.kill()
    process.terminate()
    assert process.wait() == -signal.SIGKILL


def test_an_interrupt_reaches_a_forked_process(run: Callable[..., Process], tmp_path: Path) -> None:
    process = run(
        f"open('up', 'w').close()\ntry:\n    {SLEEP.replace(chr(10), '; ')}\nexcept KeyboardInterrupt:\n    print('heard')"
    )
    assert _is_there(tmp_path / "up")
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert (tmp_path / "stdout").read_text() == "heard\n"


def test_processes_run_at_the_same_time_and_each_has_its_own_end(run: Callable[..., Process]) -> None:
    source = "import sys, time\ntime.sleep(float(sys.argv[1]))\nsys.exit(int(sys.argv[2]))"
    processes = [run(source, str(0.2 - 0.05 * number), str(number)) for number in range(4)]
    assert len({process.pid for process in processes}) == 4
    assert [process.wait(10) for process in processes] == [0, 1, 2, 3]


def test_a_process_whose_requester_is_gone_is_killed_with_what_it_has_started(
    host: Host, tmp_path: Path, run: Callable[..., Process]
) -> None:
    source = f"""
import subprocess, sys
other = subprocess.Popen(["sleep", "60"])
open("pids.tmp", "w").write(str(other.pid))
__import__("os").rename("pids.tmp", "pids")
{SLEEP}
"""
    process = run(source)
    assert _is_there(tmp_path / "pids")
    process._connection.close()
    process._answers.close()
    process.returncode = -signal.SIGKILL
    assert _is_gone(process.pid)
    assert _is_gone(int((tmp_path / "pids").read_text()))
    assert host.alive
    assert run("").wait(10) == 0


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
    assert _is_gone(int(host))
    assert _is_gone(int(child))
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
        assert _is_gone(process.pid, within=2)
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
    assert _is_there(tmp_path / "pid"), (tmp_path / "stderr").read_text()
    process.kill()
    assert _is_gone(int((tmp_path / "pid").read_text()))
    assert host.alive


def test_an_edited_source_makes_a_host_outdated(
    module: Callable[[str, str], Path], other_host: Callable[..., Host]
) -> None:
    path = module("edited", "VALUE = 1")
    host = other_host("edited")
    assert str(path) in host.sources
    assert not any("site-packages" in source or "/json/" in source for source in host.sources)
    assert host.is_current
    path.write_text("VALUE = 23")
    assert not host.is_current
    path.unlink()
    assert not host.is_current


def test_what_is_not_imported_may_be_edited(
    module: Callable[[str, str], Path], other_host: Callable[..., Host]
) -> None:
    path = module("beside", "VALUE = 1")
    host = other_host()
    path.write_text("VALUE = 23")
    assert host.is_current


def test_what_is_imported_before_is_there_in_each_process(
    module: Callable[[str, str], Path], other_host: Callable[..., Host], run: Callable[..., Process], tmp_path: Path
) -> None:
    module("counted", "import os\nBY = os.getpid()\nopen(__file__ + '.imports', 'a').write('1')")
    host = other_host("counted")
    for _ in range(2):
        run("import counted\nprint(counted.BY)", of=host, env={"PYTHONPATH": os.environ["PYTHONPATH"]}).wait(10)
        assert (tmp_path / "stdout").read_text() == f"{host.process.pid}\n"
    assert (tmp_path / "modules" / "counted.py.imports").read_text() == "1"


def test_a_module_that_starts_a_thread_is_refused_with_its_name(module: Callable[[str, str], Path]) -> None:
    source = (
        "import threading\nthreading.Thread(target=threading.Event().wait, name='the-watcher', daemon=True).start()"
    )
    module("threaded", source)
    with pytest.raises(NotSafeError, match="^importing threaded started threads: the-watcher$"):
        Host.start(["threaded"])


def test_a_module_whose_thread_does_not_end_is_refused_at_once(module: Callable[[str, str], Path]) -> None:
    module("lasting", "import threading\nthreading.Thread(target=threading.Event().wait, name='lasting').start()")
    began = time.monotonic()
    with pytest.raises(NotSafeError, match="lasting"):
        Host.start(["lasting"])
    assert time.monotonic() - began < 5


def test_a_module_that_starts_a_native_thread_is_refused(module: Callable[[str, str], Path]) -> None:
    module("native", "import _thread, threading\n_thread.start_new_thread(threading.Event().wait, ())")
    with pytest.raises(NotSafeError, match="^importing native started threads: a thread of a library$"):
        Host.start(["native"])


def test_a_module_that_cannot_be_imported_is_left_out_with_its_reason(
    module: Callable[[str, str], Path], other_host: Callable[..., Host], run: Callable[..., Process]
) -> None:
    module("broken", "raise RuntimeError('no licence')")
    host = other_host("broken", "there_is_none", "colorsys")
    assert host.skipped == {
        "broken": "RuntimeError: no licence",
        "there_is_none": "ModuleNotFoundError: No module named 'there_is_none'",
    }
    assert run("import sys\nassert 'colorsys' in sys.modules", of=host).wait(10) == 0


def test_a_module_that_ends_the_process_is_refused(module: Callable[[str, str], Path]) -> None:
    module("ending", "import os\nos._exit(4)")
    with pytest.raises(NotSafeError, match="ended with exit code 4"):
        Host.start(["ending"])


def test_a_module_that_prints_when_it_is_imported_does_no_harm(module: Callable[[str, str], Path]) -> None:
    module("printing", "print('welcome')")
    source = "from ml_assets.warm.process import Host\nHost.start(['printing']).stop()"
    subprocess.run([sys.executable, "-c", source], check=True, timeout=5)


def test_a_process_that_a_module_has_started_may_end(
    module: Callable[[str, str], Path], other_host: Callable[..., Host], run: Callable[..., Process]
) -> None:
    module("starting", "import subprocess\nCHILD = subprocess.Popen(['sleep', '60'])\nPID = CHILD.pid")
    host = other_host("starting")
    process = run(SLEEP, of=host)
    (foreign,) = (child for child in psutil.Process(host.process.pid).children() if child.pid != process.pid)
    foreign.kill()
    time.sleep(0.1)
    assert process.poll() is None
    assert host.alive


def test_process_and_requester_may_end_at_the_same_time(
    other_host: Callable[..., Host], run: Callable[..., Process]
) -> None:
    host = other_host()
    process = run(SLEEP, of=host)
    with socket.socket(socket.AF_UNIX) as busy:
        # The host waits for what is asked here, as it does while it forks, and sees both ends afterwards.
        busy.connect(str(host.address))
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGKILL)
        assert _is_gone(process.pid)
        time.sleep(0.05)
        process._answers.close()
        process._connection.close()
        process.returncode = -signal.SIGKILL
        time.sleep(0.05)
    assert run("", of=host).wait(10) == 0
    assert host.alive


def test_who_asks_for_nothing_does_not_keep_others_waiting(host: Host, run: Callable[..., Process]) -> None:
    with socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(host.address))
    assert run("").wait(10) == 0


def test_the_memory_of_the_host_stays_flat(host: Host, run: Callable[..., Process]) -> None:
    held = psutil.Process(host.process.pid)
    assert run("").wait(10) == 0
    before, files = held.memory_info().rss, held.num_fds()
    for _ in range(30):
        assert run("").wait(10) == 0
    assert held.memory_info().rss < 1.03 * before
    # It tells of an end before it closes the connection.
    assert held.num_fds() <= files + 1
    assert held.children() == []


def test_two_forks_do_not_share_random_numbers(
    other_host: Callable[..., Host], run: Callable[..., Process], tmp_path: Path
) -> None:
    host = other_host("numpy.random", "random")
    source = "import random, sys\nassert 'numpy.random' in sys.modules\nimport numpy\nprint(random.random())\nprint(*numpy.random.rand(3))"
    drawn = set()
    for _ in range(2):
        assert run(source, of=host).wait(10) == 0
        drawn |= set((tmp_path / "stdout").read_text().split())
    assert len(drawn) == 8


def test_what_a_process_changes_in_a_module_stays_its_own(
    other_host: Callable[..., Host], run: Callable[..., Process]
) -> None:
    host = other_host("colorsys")
    source = "import colorsys\nassert not hasattr(colorsys, 'mark')\ncolorsys.mark = 1"
    assert [run(source, of=host).wait(10) for _ in range(2)] == [0, 0]


def test_on_another_system_nothing_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(NotSafeError, match="on Linux alone, and this is darwin"):
        Host.start([])
