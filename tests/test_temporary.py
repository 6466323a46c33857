"""Temporary folders: who removes them, when, and whose they leave alone."""

import gc
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ml_assets.temporary import PREFIX, TemporaryFolder, remove_abandoned
from tests.support import users

MAKES = "from ml_assets.temporary import TemporaryFolder\nfolder = TemporaryFolder()\n"
STAYS = f"{MAKES}(folder.path / 'file').touch()\nprint(folder.path, flush=True)\ninput()"


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, for this process and those that it starts."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    # It is looked through once a process.
    remove_abandoned.cache_clear()
    return tmp_path


@contextmanager
def owner(
    code: str = STAYS, command: Sequence[str] = (), **environment: str
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that has made a folder, and the folder. Args: `command`: what runs Python."""
    whole, pipe = [*command, sys.executable, "-c", code], subprocess.PIPE
    with subprocess.Popen(whole, stdin=pipe, stdout=pipe, text=True, env={**os.environ, **environment}) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_a_folder_is_for_this_user_alone_and_goes_with_the_block(temp: Path) -> None:
    before = os.umask(0)
    try:
        with TemporaryFolder() as folder:
            assert (folder.path.parent, folder.path.name[: len(PREFIX)]) == (temp, PREFIX)
            assert folder.path.stat().st_mode & 0o777 == 0o700
            (folder.path / "file").touch()
    finally:
        os.umask(before)
    assert not list(temp.iterdir())
    folder.remove()


def test_a_folder_goes_with_what_refers_to_it(temp: Path) -> None:
    folder = TemporaryFolder()
    assert list(temp.iterdir()) == [folder.path]
    del folder
    gc.collect()
    assert not list(temp.iterdir())


@pytest.mark.parametrize("end", ["", "raise KeyError", "raise SystemExit(3)", "raise KeyboardInterrupt"])
def test_a_folder_goes_with_its_process(end: str, temp: Path) -> None:
    subprocess.run([sys.executable, "-c", f"{MAKES}{end}"], capture_output=True, check=False)
    assert not list(temp.iterdir())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_process_leaves_is_removed_by_the_next_that_makes_a_folder(
    number: signal.Signals, temp: Path
) -> None:
    with owner() as (process, left):
        process.send_signal(number)
        process.wait()
        assert (left / "file").exists()
        with TemporaryFolder() as folder:
            assert list(temp.iterdir()) == [folder.path]


def test_the_folder_of_a_process_that_lives_is_left(temp: Path) -> None:
    with owner() as (_, left), TemporaryFolder():
        assert (left / "file").exists()


def test_a_fork_keeps_the_folder_of_its_parent(temp: Path) -> None:
    forks = "import os, time\nif not os.fork():\n    folder.remove()\n    raise SystemExit\nos.wait()\n"
    with owner(f"{MAKES}{forks}print(folder.path, flush=True)\ninput()") as (_, left):
        assert left.exists()


def test_what_is_not_ours_or_no_folder_is_left(temp: Path) -> None:
    # Of a user, of an older version, of another program.
    for name in ("mine", "ml_assets-abcdefgh", "kernel-abcdefgh"):
        (temp / name).mkdir()
    (temp / f"{PREFIX}file").touch()
    (temp / f"{PREFIX}link").symlink_to(temp / "mine")
    before = sorted(temp.iterdir())
    TemporaryFolder().remove()
    assert sorted(temp.iterdir()) == before


def test_many_that_begin_at_once_remove_what_is_left_and_not_one_anothers(temp: Path) -> None:
    with owner() as (process, _):
        process.kill()
        process.wait()
    checks = f"{MAKES}import time\ntime.sleep(0.2)\nassert folder.path.exists()"
    started = [subprocess.Popen([sys.executable, "-c", checks]) for _ in range(6)]
    assert [process.wait() for process in started] == [0] * 6
    assert not list(temp.iterdir())


@pytest.mark.skipif(not users.OTHER, reason=users.WHY_NOT)
def test_two_users_make_folders_beside_each_other_and_each_removes_their_own(temp: Path) -> None:
    with users.shared_folder() as shared:
        left = []
        for other in ([], users.OTHER, [], users.OTHER):
            with owner(command=other, TMPDIR=str(shared)) as (_, folder):
                left.append(folder)
                assert folder.stat().st_uid == (users.ID if other else os.geteuid())
        assert [path.exists() for path in left] == [False, False, True, True]
