"""Forked processes beside real ones: what they see, and how they end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from ml_assets.warm.host import ADDRESS_VARIABLE
from ml_assets.warm.process import Host, NotSafeError, Process
from tests.warm.children import SLEEP, is_gone, is_there

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
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
    assert is_gone(process.pid)
    process.kill()
    process.terminate()
    assert process.wait() == -signal.SIGKILL


def test_an_interrupt_reaches_a_forked_process(run: Callable[..., Process], tmp_path: Path) -> None:
    process = run(
        f"open('up', 'w').close()\ntry:\n    {SLEEP.replace(chr(10), '; ')}\nexcept KeyboardInterrupt:\n    print('heard')"
    )
    assert is_there(tmp_path / "up")
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
    assert is_there(tmp_path / "pids")
    process._connection.close()
    process._answers.close()
    process.returncode = -signal.SIGKILL
    assert is_gone(process.pid)
    assert is_gone(int((tmp_path / "pids").read_text()))
    assert host.alive
    assert run("").wait(10) == 0


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
        assert is_gone(process.pid)
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
