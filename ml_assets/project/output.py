"""Files that a command is asked to write: that one cannot be written is said before the work is done."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ml_assets.project.remedies import described, remedy_of
from ml_assets.whole_files import replacing


class OutputError(Exception):
    """A file cannot be written. The message says which, and why."""


@contextmanager
def writing(path: Path) -> Iterator[Callable[[str], None]]:
    """What writes the text of a file, which appears as a whole in the end.

    Raises: OutputError, at once where nothing can be written there.
    """
    with ExitStack() as stack:
        with _refusing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = stack.enter_context(replacing(path))

        def write(text: str) -> None:
            with _refusing(path):
                unfinished.write_text(text, encoding="utf-8")

        yield write
        with _refusing(path):
            stack.close()


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.filename is None or Path(error.filename) not in path.parents:
            # The file that is written meanwhile tells nothing.
            error.filename = None
        right = "" if remedy_of(error.errno) else "; name another file"
        raise OutputError(f"{path}: cannot be written: {described(error)}{right}") from error
