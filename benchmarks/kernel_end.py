"""What empty notebooks cost, whose kernels do nothing but begin and end: ours and ipykernel's own, alone and pressed.

`python -m benchmarks kernel_end` prints the table. All kernels are forked from one warm process, so that what differs
is how they end. A client waits some seconds for a kernel to end, then terminates it.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

import nbformat
import psutil
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from nbclient import NotebookClient
from rich.console import Console
from rich.table import Table
from traitlets.config import Config

from ml_assets.notebooks.kernels import provisioner as kernels
from ml_assets.notebooks.kernels.warm import PRELOAD
from ml_assets.warm.process import Host

NOTEBOOKS = 200
#: Half of the peer's wait for seconds.
PEER_NOTEBOOKS = 40
BUSY = 4
_CASES = {"ours": (kernels.OURS, NOTEBOOKS), "ipykernel's own": (kernels.THEIRS, PEER_NOTEBOOKS)}


@dataclass(frozen=True)
class Ends:
    """How many empty notebooks were run, their seconds, and how their kernels ended.

    `cpu`, `wall`: seconds a notebook, `cpu` of client and kernels; `slowest`: wall seconds of the slowest one.
    `signaled`: how many kernels were alive when their client terminated or killed them; `timed_out`: how many flushes.
    """

    notebooks: int
    cpu: float
    wall: float
    slowest: float
    signaled: int
    timed_out: int


def run_empty(notebooks: int, host: Host, kernel: str = kernels.OURS, *, patience: float | None = None) -> Ends:
    """Run empty notebooks one after another, in kernels of a module that are forked from a warm process.

    Args: `patience`: how many seconds a client waits for a kernel to end, instead of its own.
    """
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("pass")])
    config = Config() if patience is None else Config(KernelManager={"shutdown_wait_time": patience})
    signaled: set[int] = set()
    seconds = []
    with ExitStack() as stack:
        for name in ("terminate", "kill"):
            stack.enter_context(patch.object(LocalProvisioner, name, _noting(name, signaled)))
        stack.enter_context(patch.object(kernels, "OURS", kernel))
        stack.enter_context(kernels.warm_kernels(host.address))
        said = stack.enter_context(_standard_error())
        before = _cpu(host)
        for _ in range(notebooks):
            started = time.monotonic()
            NotebookClient(nbformat.from_dict(notebook), timeout=120, config=config).execute()
            seconds.append(time.monotonic() - started)
        cpu = _cpu(host) - before
        said.seek(0)
        timed_out = said.read().count(b"flush timed out")
    return Ends(notebooks, cpu / notebooks, statistics.fmean(seconds), max(seconds), len(signaled), timed_out)


def _noting(name: str, signaled: set[int]) -> Any:
    original = getattr(LocalProvisioner, name)

    async def noting(provisioner: LocalProvisioner, *arguments: Any, **options: Any) -> None:
        if provisioner.has_process and await provisioner.poll() is None:
            signaled.add(provisioner.pid)
        await original(provisioner, *arguments, **options)

    return noting


def _cpu(host: Host) -> float:
    """CPU seconds of this process, and of all that the warm process has forked and reaped."""
    own, forked = psutil.Process().cpu_times(), psutil.Process(host.process.pid).cpu_times()
    return own.user + own.system + forked.children_user + forked.children_system


@contextmanager
def _standard_error() -> Iterator[IO[bytes]]:
    """What this process and its kernels print there meanwhile: kernels inherit the descriptor."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield file
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Processes that use all that they get, meanwhile."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for one in started:
            one.kill()
            one.wait()


def measure() -> dict[str, dict[str, Ends]]:
    """What each case took, by how many busy processes were beside it."""
    found: dict[str, dict[str, Ends]] = {}
    host = Host.start(PRELOAD)
    try:
        for beside in (0, BUSY):
            with busy(beside):
                found[str(beside)] = {
                    name: run_empty(notebooks, host, kernel) for name, (kernel, notebooks) in _CASES.items()
                }
    finally:
        host.stop()
    return found


def main(path: Path | None = None) -> None:
    """Print the table, and write it as JSON."""
    found = measure()
    table = Table(title="Empty notebooks in a row")
    for heading in (
        "beside",
        "kernel",
        "notebooks",
        "CPU s",
        "wall s",
        "slowest",
        "ended by a signal",
        "flushes timed out",
    ):
        table.add_column(heading)
    for beside, cases in found.items():
        for name, of in cases.items():
            seconds = (f"{value:.2f}" for value in (of.cpu, of.wall, of.slowest))
            counts = (str(of.signaled), str(of.timed_out))
            table.add_row(f"{beside} busy processes", name, str(of.notebooks), *seconds, *counts)
    Console().print(table)
    ours = [cases["ours"] for cases in found.values()]
    if any(of.signaled or of.timed_out for of in ours):
        raise AssertionError(f"kernels of ours did not end by themselves: {ours}")
    if path is not None:
        text = json.dumps({beside: {name: asdict(of) for name, of in cases.items()} for beside, cases in found.items()})
        path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
