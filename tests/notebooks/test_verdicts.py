"""The same notebooks under Dagster, in a test and in JupyterLab: each gets one verdict, and no other."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import nbformat
import pytest
from click.testing import CliRunner
from dagster._core.definitions.reconstruct import ReconstructableRepository
from nbformat import v4
from playwright.sync_api import sync_playwright

from ml_assets.cli.main import main
from ml_assets.domain.errors import SpecError
from ml_assets.notebooks.code.version import notebook_version
from ml_assets.notebooks.order import StepOrder
from ml_assets.notebooks.running.client import EXIT
from ml_assets.notebooks.running.run import Notebook, run_on_order
from ml_assets.paths import AwayError
from tests.browser.screen import NO_BROWSER, browser_here
from tests.support import forks
from tests.support.lab import TOKEN, lab
from tests.support.projects import REPOSITORY
from tests.support.verdicts import MAY_RAISE, REFUSED, ROWS, SAVED, has_saved, in_a_test, opening, order


def assert_same(found: dict[str, str]) -> None:
    wrong = {name: said for name, said in found.items() if ROWS[name].verdict not in said}
    assert wrong == {}
    assert found.keys() == ROWS.keys()


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_never_be_run_is_refused_where_it_is_declared(name: str, tmp_path: Path) -> None:
    notebook = REFUSED[name].write(tmp_path / "notebooks", "context = None")
    with pytest.raises(SpecError) as raised:
        notebook_version(notebook, {}, root=tmp_path)
    assert REFUSED[name].verdict in str(raised.value)
    assert str(notebook) in str(raised.value)


@pytest.mark.parametrize("name", ROWS)
def test_what_can_be_run_is_not_refused(name: str, tmp_path: Path) -> None:
    notebook_version(ROWS[name].write(tmp_path / "notebooks", "context = None"), {}, root=tmp_path)


def test_the_check_of_pairs_warns_of_what_fails_wherever_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    warned = {name: row.warned for name, row in ROWS.items() if row.warned}
    warned |= {name: row.verdict for name, row in REFUSED.items()}
    rows = ROWS | REFUSED
    for name in rows.keys() - warned.keys():
        rows[name].write(tmp_path / name, "context = None")
    paired = CliRunner().invoke(main, ["pair", "."])
    assert paired.exit_code == 0, paired.output
    assert CliRunner().invoke(main, ["pair", "--check", "."]).output == ""
    for name in warned:
        rows[name].write(tmp_path / name, "context = None").with_suffix(".py").write_text("# %%\n")
    checked = CliRunner().invoke(main, ["pair", "--check", "."]).output.split("\n")
    for name, why in warned.items():
        assert [line for line in checked if line.startswith(f"{name}/model.ipynb: ") and why in line], name


@pytest.fixture
def another_python3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that another Python has installed under the name of ours, and that cannot be started."""
    folder = tmp_path / "jupyter" / "kernels" / "python3"
    folder.mkdir(parents=True)
    spec = {"argv": ["/nowhere/python", "-f", "{connection_file}"], "display_name": "3", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))


@pytest.mark.slow
@pytest.mark.usefixtures("another_python3")
def test_a_test_says_what_became_of_each(tmp_path: Path) -> None:
    found = {}
    for name, row in ROWS.items():
        file = order(tmp_path / name / "order")
        found[name] = in_a_test(row.write(tmp_path / name / "notebook", "context = None"), file, forks.address())
    assert_same(found)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@pytest.mark.slow
def test_dagster_says_the_same(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    for name, row in ROWS.items():
        row.write(tmp_path / name, "context = None")
    repository = ReconstructableRepository.for_module("tests.support.verdicts", "defs", str(REPOSITORY))
    with patch.dict(os.environ, VERDICTS=str(tmp_path), KERNELS=str(forks.address() or "")):
        job = repository.get_reconstructable_job("__ASSET_JOB")
        result = dg.execute_job(job, instance, run_config={"execution": {"config": {"in_process": {}}}})
    assert result.success
    assert_same(json.loads((tmp_path / "verdicts.json").read_text()))
    assert SAVED in {row.verdict for row in ROWS.values()}


#: The kernels of the server are JupyterLab's own, forked where all that they import is imported.
WARM = """
from pathlib import Path

from ml_assets.notebooks.kernels import provisioner as kernels

kernels.OURS = kernels.THEIRS
kernels.WarmProvisioner.address = Path({address!r})
c.KernelProvisionerFactory.default_provisioner_name = kernels.PROVISIONER
"""
#: Opens a notebook, runs all of its cells, and tells what the kernel has answered: to which cell, and how.
RUN_ALL = """async ([path, exit]) => {
    const app = window.jupyterapp;
    const widget = await app.commands.execute('docmanager:open', {path});
    await widget.context.ready;
    // Where a notebook names no kernel that is here, a person is asked, and takes the one that is offered.
    const asks = setInterval(() => document.querySelector('.jp-Dialog .jp-mod-accept')?.click(), 100);
    await widget.sessionContext.ready;
    clearInterval(asks);
    const kernel = widget.sessionContext.session.kernel;
    await kernel.info;
    const cells = {}, replies = [];
    const died = new Promise(resolve => kernel.statusChanged.connect((_, status) => {
        if (status === 'autorestarting' || status === 'restarting' || status === 'dead') resolve('died');
    }));
    kernel.anyMessage.connect((_, {msg, direction}) => {
        if (direction === 'send' && msg.header.msg_type === 'execute_request')
            cells[msg.header.msg_id] = msg.metadata.cellId;
        if (direction === 'recv' && msg.header.msg_type === 'execute_reply')
            replies.push({...msg.content, cell: cells[msg.parent_header.msg_id]});
    });
    const ended = await Promise.race([app.commands.execute('notebook:run-all-cells'), died]);
    let exited = '';
    if (ended !== 'died') {
        const asked = kernel.requestExecute({code: '', silent: true, user_expressions: {exit}});
        const found = (await asked.done).content.user_expressions.exit;
        exited = found.data ? found.data['text/plain'].slice(1, -1) : '';
    }
    const shown = widget.content.model.toJSON().cells.map(cell => ({
        id: cell.id, tags: cell.metadata.tags || [], errors: cell.outputs.filter(one => one.output_type === 'error'),
    }));
    await widget.context.save();
    await widget.sessionContext.shutdown();
    widget.dispose();
    return {died: ended === 'died', exited, replies, shown};
}"""


def verdict(found: dict[str, Any], file: Path) -> str:
    """What a person sees in JupyterLab, in the words of a run."""
    if found["died"]:
        return "in cell [3], where its kernel died"
    replies = {reply["cell"]: reply for reply in found["replies"] if reply["status"] == "error"}
    ended = ""
    for number, cell in enumerate(found["shown"], 1):
        raised = replies.get(cell["id"])
        if MAY_RAISE in cell["tags"]:
            continue
        if raised and raised["ename"] == found["exited"]:
            ended = f"ended in cell [{number}], before it saved"
        elif error := raised or next(iter(cell["errors"]), None):
            return f"in cell [{number}]: {error['ename']}: {error['evalue']}"
    return SAVED if has_saved(file) else ended or "saved nothing"


@pytest.mark.slow
@pytest.mark.skipif(browser_here() is None, reason=NO_BROWSER)
def test_run_all_in_jupyterlab_comes_to_the_same(tmp_path: Path) -> None:
    files = {}
    for name, row in ROWS.items():
        files[name] = order(tmp_path / "orders" / name)
        row.write(tmp_path / "notebooks" / name, opening(files[name]))
    found = {}
    config = WARM.format(address=str(forks.address()))
    with (
        lab(tmp_path / "notebooks", tmp_path / "state", "--LabApp.expose_app_in_browser=True", config=config) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=browser_here(), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{server.url}/lab?token={TOKEN}&reset")
        page.wait_for_function("window.jupyterapp && window.jupyterapp.restored", timeout=300_000)
        page.evaluate("window.jupyterapp.restored.then(() => null)")
        for name in ROWS:
            ran = page.evaluate(RUN_ALL, [f"{name}/model.ipynb", EXIT])
            found[name] = verdict(ran, files[name])
        browser.close()
    assert_same(found)


RAISES_AWAY = """\
from ml_assets.paths import AwayError

raise AwayError("hdfs://name:8020: the NameNode is in safe mode")
"""
#: DuckDB keeps the text of an error alone. Nobody listens there.
READS_AWAY = """\
import os

os.environ |= {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1"}
import ibis

from ml_assets.data.engines.parquet import read_parquet
from ml_assets.paths import path_of

read_parquet(ibis.duckdb.connect(), [path_of("s3://models/a.parquet")])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "said"),
    [
        (RAISES_AWAY, "hdfs://name:8020: the NameNode is in safe mode"),
        (READS_AWAY, "s3://models: the store does not answer; see that it runs, .*127.0.0.1:9/.*"),
    ],
)
def test_a_store_that_is_away_is_no_fault_of_the_notebook_that_reads_it(tmp_path: Path, source: str, said: str) -> None:
    notebook = tmp_path / "model.ipynb"
    opened = v4.new_code_cell("context = None", metadata={"tags": ["parameters"]})
    nbformat.write(v4.new_notebook(cells=[opened, v4.new_code_cell(source)]), notebook)
    file = order(tmp_path)
    ordered = StepOrder.model_validate_json(file.read_bytes())
    with pytest.raises(AwayError, match=rf"^{said}$"):
        run_on_order(Notebook.read(notebook, opening(file)), ordered, file)
