"""Programs of the tests, forked from one process a worker that has imported what they need: cold, each pays for it anew.

They end with the worker, whatever ends it. What a program costs cold, and how it ends, is tried where that is the test.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ml_assets.notebooks.warm import kernels_of
from ml_assets.warm.process import Process


def address() -> Path:
    """Where the warm process of this worker is asked, which forks the kernels of this process, too."""
    found = kernels_of(100)
    assert found is not None
    return found


def start(arguments: Sequence[str], *, cwd: Path, log: Path, env: Mapping[str, str] | None = None) -> Process:
    """Start what `python -m` would with some arguments, whose output goes to a file."""
    with log.open("ab") as output:
        return Process(
            address(),
            arguments,
            cwd=cwd,
            env=os.environ if env is None else env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


@contextmanager
def running(
    arguments: Sequence[str], *, cwd: Path, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """The program meanwhile, ended by SIGTERM."""
    process = start(arguments, cwd=cwd, log=log, env=env)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run what `python -m` would with some arguments, to its end."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = Process(
            address(),
            arguments,
            cwd=cwd,
            env=os.environ if env is None else env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(list(arguments), code, *texts)
