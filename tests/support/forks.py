"""Programs of the tests, forked from one process a worker that has imported what they need: cold, each pays for it anew.

They end with the worker, whatever ends it. What a program costs cold, and how it ends, is tried where that is the test.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ml_assets.notebooks.kernels.warm import kernels_of
from ml_assets.warm.process import Process

Program = Process | subprocess.Popen[bytes]


def address() -> Path | None:
    """Where the warm process of this worker is asked, which forks the kernels of this process, too; None: all start cold."""
    return kernels_of(100)


def start(
    arguments: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: IO[bytes] | None = None,
    stderr: IO[bytes] | None = None,
) -> Program:
    """Start what `python -m` would with some arguments, in a session of its own. It ends when the result is dropped."""
    given = {"cwd": cwd, "env": os.environ if env is None else env, "stdout": stdout, "stderr": stderr}
    warm = address()
    if warm is None:
        command = [sys.executable, "-m", *arguments]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **given)  # type: ignore[call-overload]
    return Process(warm, arguments, stdin=subprocess.DEVNULL, **given)  # type: ignore[arg-type]


@contextmanager
def running(
    arguments: Sequence[str], *, cwd: Path, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """The program meanwhile, whose output goes to a file; ended by SIGTERM, which must be enough."""
    with log.open("ab") as output:
        process = start(arguments, cwd=cwd, env=env, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def run(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run what `python -m` would with some arguments, to its end."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start(arguments, cwd=cwd, env=env, stdout=out, stderr=err)
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
