"""Real notebooks in kernels that are forked from a warm process with all that it imports."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import papermill
import psutil
import pytest
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from ml_assets.notebooks.kernels.provisioner import PROVISIONER, WarmProvisioner, warm_kernels
from ml_assets.notebooks.kernels.warm import PRELOAD
from ml_assets.warm.process import Host

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone"),
]

PARENT = "import os\nprint(os.getppid())"
APP = "app = get_ipython().kernel.parent\nprint(type(app).__name__, app.transport)"
TRAINING = """
import lightgbm, numpy
draw = numpy.random.default_rng(7)
features = draw.normal(size=(3000, 6))
labels = (features[:, 0] + draw.normal(size=3000) > 0.5).astype(int)
parameters = {"objective": "binary", "num_threads": 2, "verbose": -1, "seed": 3, "bagging_fraction": 0.7, "bagging_freq": 1}
booster = lightgbm.train(parameters, lightgbm.Dataset(features, labels), num_boost_round=25)
print(booster.model_to_string())
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    host = Host.start(PRELOAD)
    yield host
    host.stop()


@pytest.fixture
def execute(host: Host, tmp_path: Path) -> Callable[..., list[nbformat.NotebookNode]]:
    """Executes cells in a kernel of their own. Returns: the outputs of all."""

    def run(*sources: str, address: Path | None = host.address) -> list[nbformat.NotebookNode]:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
        with warm_kernels(address):
            NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
        return [output for cell in notebook.cells for output in cell.outputs]

    return run


def _text(outputs: list[nbformat.NotebookNode]) -> str:
    return "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")


def _soon(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + 10
    while not true() and time.monotonic() < until:
        time.sleep(0.02)
    return true()


def test_all_that_is_to_be_imported_before_can_be(host: Host) -> None:
    assert host.skipped == {}


def test_a_kernel_is_forked_from_the_warm_process_in_the_folder_that_is_asked_for(
    execute: Callable[..., list[nbformat.NotebookNode]], host: Host, tmp_path: Path
) -> None:
    (tmp_path / "beside.py").write_text("VALUE = 3")
    outputs = execute(PARENT, "print(os.getcwd())", "import beside\nprint(beside.VALUE, __name__)", "!echo a shell")
    assert _text(outputs).split("\n")[:3] == [str(host.process.pid), str(tmp_path), "3 __main__"]
    assert "a shell" in _text(outputs)


def test_papermill_executes_a_notebook_in_a_fork(host: Host, tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PARENT)])
    notebook.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(notebook, tmp_path / "given.ipynb")
    with warm_kernels(host.address):
        papermill.execute_notebook(str(tmp_path / "given.ipynb"), str(tmp_path / "out.ipynb"), progress_bar=False)
    (cell,) = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    assert cell.outputs[0].text == f"{host.process.pid}\n"


def test_a_kernel_has_the_environment_of_who_asks_and_not_of_the_warm_process(
    execute: Callable[..., list[nbformat.NotebookNode]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATER_THAN_THE_HOST", "yes")
    assert _text(execute("import os\nprint(os.environ['LATER_THAN_THE_HOST'])")) == "yes\n"


@pytest.mark.parametrize("named", ["short", "long-" * 30])
def test_temporary_files_of_a_kernel_go_with_it_however_long_the_name_of_their_folder_is(
    named: str, execute: Callable[..., list[nbformat.NotebookNode]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temp = tmp_path / named
    temp.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temp))
    made = "import tempfile\nprint(tempfile.mkdtemp(), tempfile.mkstemp()[1], sep='\\n')"
    for path in _text(execute(made)).splitlines():
        assert Path(path).parent.parent == temp
    assert not list(temp.iterdir())


@pytest.mark.parametrize("source", ["plt.plot([1, 2, 4])\nplt.show()", "_ = plt.plot([1, 2, 4])"])
def test_a_figure_is_shown_as_an_image_whether_it_is_asked_for_or_left_open(
    source: str, execute: Callable[..., list[nbformat.NotebookNode]]
) -> None:
    (figure,) = execute("import matplotlib.pyplot as plt", source)
    assert figure.output_type == "display_data"
    assert figure.data["image/png"]


def test_a_frame_is_shown_as_a_table(execute: Callable[..., list[nbformat.NotebookNode]]) -> None:
    (frame,) = execute("import pandas as pd\npd.DataFrame({'clicks': [1, 2]})")
    assert "<th>clicks</th>" in frame.data["text/html"]


def test_two_kernels_draw_other_random_numbers(execute: Callable[..., list[nbformat.NotebookNode]]) -> None:
    source = "import random, numpy\nprint(random.random(), numpy.random.rand(), numpy.random.default_rng().random())"
    drawn = [_text(execute(source)).split() for _ in range(2)]
    assert len({*drawn[0], *drawn[1]}) == 6


def test_duckdb_and_ibis_query_with_several_threads(
    execute: Callable[..., list[nbformat.NotebookNode]], tmp_path: Path
) -> None:
    outputs = execute(
        "import duckdb\nduckdb.sql('SET threads = 4')\n"
        "print(duckdb.sql('SELECT sum(i % 7) FROM range(3000000) t(i)').fetchone()[0])",
        "frame = duckdb.sql('SELECT i, i % 3 AS k FROM range(500000) t(i)').df()\n"
        "print(duckdb.sql('SELECT count(DISTINCT k) FROM frame').fetchone()[0])",
        "frame.to_parquet('rows.parquet')\nimport ibis\n"
        "events = ibis.duckdb.connect(threads=4).read_parquet('rows.parquet')\n"
        "print(events.group_by('k').agg(n=events.count()).order_by('k').execute()['n'].tolist())",
        "import pyarrow.parquet\nprint(pyarrow.parquet.read_table('rows.parquet', use_threads=True).num_rows)",
    )
    expected = sum(i % 7 for i in range(3_000_000))
    assert _text(outputs).split("\n")[:4] == [str(expected), "3", "[166667, 166667, 166666]", "500000"]


def test_lightgbm_trains_the_very_same_model_as_in_a_cold_interpreter(
    execute: Callable[..., list[nbformat.NotebookNode]],
) -> None:
    cold = subprocess.run([sys.executable, "-c", TRAINING], capture_output=True, text=True, check=True, timeout=120)
    warm = _text(execute(TRAINING))
    assert "Tree=24" in warm
    assert warm.strip() == cold.stdout.strip()


def test_numpy_multiplies_matrices_with_threads(execute: Callable[..., list[nbformat.NotebookNode]]) -> None:
    source = "import numpy\nprint(int((numpy.ones((700, 700)) @ numpy.ones((700, 700))).sum()))"
    assert _text(execute(source)) == f"{700**3}\n"


def test_an_error_in_a_cell_is_raised_as_ever_and_the_next_notebook_has_a_new_kernel(
    execute: Callable[..., list[nbformat.NotebookNode]], host: Host
) -> None:
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execute("1 / 0")
    assert _text(execute(PARENT)) == f"{host.process.pid}\n"


def test_a_kernel_that_dies_is_reported_and_the_next_notebook_has_a_new_one(
    execute: Callable[..., list[nbformat.NotebookNode]], host: Host
) -> None:
    with pytest.raises(DeadKernelError):
        execute("import os\nos.kill(os.getpid(), 9)")
    assert _text(execute(PARENT)) == f"{host.process.pid}\n"


def test_no_kernel_is_left_when_its_notebook_is_done(
    execute: Callable[..., list[nbformat.NotebookNode]], host: Host
) -> None:
    pid = int(_text(execute("import os\nprint(os.getpid())")))
    assert not Path(f"/proc/{pid}").exists()
    assert host.alive


def test_a_kernel_ends_when_the_warm_process_is_killed(
    execute: Callable[..., list[nbformat.NotebookNode]], tmp_path: Path
) -> None:
    killed = Host.start(["ipykernel.kernelapp"])
    sleep = "import os, time\nopen('pid.tmp', 'w').write(str(os.getpid()))\nos.rename('pid.tmp', 'pid')\ntime.sleep(60)"
    with ThreadPoolExecutor(1) as pool:
        executed = pool.submit(execute, sleep, address=killed.address)
        assert _soon((tmp_path / "pid").exists)
        pid = int((tmp_path / "pid").read_text())
        killed.process.kill()
        with pytest.raises(DeadKernelError):
            executed.result(60)
    killed.stop()
    try:
        assert _soon(lambda: not psutil.pid_exists(pid))
    finally:
        if psutil.pid_exists(pid):
            os.kill(pid, 9)


def test_a_kernel_prints_nothing_where_the_run_prints(
    execute: Callable[..., list[nbformat.NotebookNode]], capfd: pytest.CaptureFixture[str]
) -> None:
    execute("print('in the notebook')")
    assert capfd.readouterr().out == ""


def test_without_an_address_a_kernel_starts_cold(execute: Callable[..., list[nbformat.NotebookNode]]) -> None:
    assert _text(execute(PARENT, APP, address=None)) == f"{os.getpid()}\nKernelApp ipc\n"


def test_a_forked_kernel_ends_as_a_cold_one_does(execute: Callable[..., list[nbformat.NotebookNode]]) -> None:
    assert _text(execute(APP)) == "KernelApp ipc\n"


def test_when_the_warm_process_was_killed_the_kernel_starts_cold(
    execute: Callable[..., list[nbformat.NotebookNode]],
) -> None:
    killed = Host.start([])
    killed.process.kill()
    killed.process.wait()
    assert _text(execute(PARENT, address=killed.address)) == f"{os.getpid()}\n"
    killed.stop()


def test_the_kernels_of_others_are_started_as_before_and_after(host: Host) -> None:
    factory = KernelProvisionerFactory.instance()
    before = factory.default_provisioner_name
    assert before != PROVISIONER
    with warm_kernels(host.address):
        assert (factory.default_provisioner_name, WarmProvisioner.address) == (PROVISIONER, host.address)
    assert (factory.default_provisioner_name, WarmProvisioner.address) == (before, None)
