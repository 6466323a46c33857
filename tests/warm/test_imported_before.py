"""What a host imports before it forks: there in each process, outdated by an edit, refused where it is not safe."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ml_assets.warm.process import Host, NotSafeError, Process
from tests.warm.children import SLEEP

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")


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
