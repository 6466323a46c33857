"""Hosts of forked processes, and processes that they fork."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ml_assets.warm.process import Host, Process


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
