"""A real JupyterLab, as `make lab` starts it, and as its page in the browser talks to it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

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
        # By its heartbeat, a kernel that needs more than a second to answer, as on a busy machine, would count as dead.
        client.start_channels(hb=False)
        printed: list[dict[str, Any]] = []
        try:
            client.wait_for_ready(timeout=60)
            client.execute_interactive(code, timeout=60, output_hook=lambda message: printed.append(message))
        finally:
            client.stop_channels()
        return next(message["content"] for message in printed if message["msg_type"] == "stream")


@contextmanager
def lab(root: Path, state: Path, *options: str, config: str = "") -> Iterator[Lab]:
    """Start JupyterLab as `make lab` does, without a browser and without a person's own settings.

    `config`: the text of its configuration, which is Python.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **{f"JUPYTER_{name}_DIR": str(state / name.lower()) for name in ("CONFIG", "RUNTIME", "DATA")},
        "IPYTHONDIR": str(state / "ipython"),
    }
    options = (*options, "--no-browser", "--allow-root", f"--ServerApp.port={port}", "--ServerApp.port_retries=0")
    command = [str(Path(sys.executable).with_name("jupyter")), "lab", f"--notebook-dir={root}", *options]
    (state / "config").mkdir(parents=True)
    (state / "config" / "jupyter_server_config.py").write_text(config, encoding="utf-8")
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
