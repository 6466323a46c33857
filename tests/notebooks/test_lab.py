"""What `make lab` opens: a real JupyterLab saves both halves of a notebook."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jupytext
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from ml_assets.notebooks.pairs import Pair, bring_into_step, find_problems
from tests.support.projects import REPOSITORY

pytestmark = pytest.mark.slow

TOKEN = "secret"


class Lab:
    """A running server, as its page in the browser talks to it."""

    def __init__(self, url: str, runtime: Path) -> None:
        self.url = url
        self.runtime = runtime

    def call(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api/{path}",
            method=method,
            headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def execute(self, kernel: str, code: str) -> dict[str, Any]:
        """Run code in a kernel of the server, and return the output that it prints."""
        client = BlockingKernelClient(connection_file=str(self.runtime / f"kernel-{kernel}.json"))
        client.load_connection_file()
        client.start_channels()
        printed: list[dict[str, Any]] = []
        try:
            client.wait_for_ready(timeout=60)
            client.execute_interactive(code, timeout=60, output_hook=lambda message: printed.append(message))
        finally:
            client.stop_channels()
        return next(message["content"] for message in printed if message["msg_type"] == "stream")


@contextmanager
def lab(root: Path, state: Path) -> Iterator[Lab]:
    """Start JupyterLab as `make lab` does, without a browser and without a person's own settings."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **{f"JUPYTER_{name}_DIR": str(state / name.lower()) for name in ("CONFIG", "RUNTIME", "DATA")},
        "IPYTHONDIR": str(state / "ipython"),
    }
    options = ["--no-browser", "--allow-root", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    command = [str(Path(sys.executable).with_name("jupyter")), "lab", f"--notebook-dir={root}", *options]
    state.mkdir()
    with (state / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, f"--IdentityProvider.token={TOKEN}"], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            found = Lab(f"http://127.0.0.1:{port}", state / "runtime")
            for _ in range(300):
                try:
                    found.call("GET", "status")
                    break
                except OSError:
                    assert server.poll() is None, (state / "log").read_text()
                    time.sleep(0.2)
            yield found
        finally:
            # On SIGTERM the server ends its kernels, too.
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_saving_in_lab_writes_both_halves_and_pair_takes_out_what_lab_stored(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "notebooks/standard").mkdir(parents=True)
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    pair = Pair(root / "notebooks/standard/model.py", root / "notebooks/standard/model.ipynb")
    for half in pair:
        shutil.copy(REPOSITORY / half.relative_to(root), half)
    ids = [cell["id"] for cell in json.loads(pair.ipynb.read_text())["cells"]]
    [place, *_] = [n for n, cell in enumerate(jupytext.read(pair.py).cells) if cell.cell_type == "code"]

    with lab(root, tmp_path / "state") as server:
        kernel = server.call("POST", "kernels", {"name": "python3"})["id"]
        output = server.execute(kernel, "import os, sys; print(sys.prefix, os.getpid())")
        prefix, process = output["text"].split()
        assert Path(prefix) == Path(sys.prefix)

        path = "contents/notebooks/standard/model.ipynb"
        content = server.call("GET", path)["content"]
        cell = content["cells"][place]
        cell["source"] += "\nsaved_in_lab = True"
        cell["execution_count"] = 1
        cell["outputs"] = [{"output_type": "stream", **output}]
        content["metadata"]["language_info"] = {"name": "python", "version": "3.11"}
        server.call("PUT", path, {"type": "notebook", "format": "json", "content": content})

    assert not is_running(int(process))
    assert re.search("^saved_in_lab = True$", pair.py.read_text(), re.MULTILINE)
    problems = find_problems(pair)
    assert [problem.rpartition(") ")[2] for problem in problems if f"cell {place + 1} " in problem] == [
        "holds outputs",
        "holds an execution count, 1",
    ]
    assert bring_into_step(pair) == [f"cleaned {pair.ipynb}"]
    assert find_problems(pair) == []
    written = json.loads(pair.ipynb.read_text())
    assert written["metadata"].keys() == {"kernelspec"}
    assert [cell["id"] for cell in written["cells"]] == ids
    assert "saved_in_lab = True" in pair.ipynb.read_text()
