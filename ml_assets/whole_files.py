"""Files that are written as a whole, or not at all: what breaks off, or finds the disk full, leaves what was there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write into, which takes its place in the end. After an error nothing is left of it.

    A link is followed. What is no regular file, such as /dev/stdout, and what lies in a folder that takes no other
    file, is written itself.
    Raises: OSError at once where nothing can be written.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve()
    if path.exists():
        # The right to replace it is not the right to write it, nor the other way round.
        path.open("ab").close()
        if not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True):
            yield path
            return
    # Threads of one process, and processes of several machines, may write the same.
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}")
    unfinished.touch()
    try:
        yield unfinished
        if path.exists():
            shutil.copymode(path, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text, with the ends of lines that it has."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")
