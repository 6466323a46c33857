"""Shows in a run's log what its notebook prints, and which cell it is at, while it runs."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Of a progress bar, which rewrites its line many times a second, one state in so many seconds is shown.
_SECONDS_BETWEEN_STATES = 10.0
#: A cell that prints more is cut: the executed notebook has all of it.
_CHARACTERS = 2000


@contextmanager
def showing(log: Callable[[str], None]) -> Iterator[None]:
    """Pass on what papermill says of cells, and what they print, meanwhile."""
    papermill = logging.getLogger("papermill")
    handler, level = _Forward(log), papermill.level
    papermill.addHandler(handler)
    papermill.setLevel(logging.INFO)
    try:
        yield
    finally:
        papermill.removeHandler(handler)
        papermill.setLevel(level)


class _Forward(logging.Handler):
    def __init__(self, log: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._log = log
        self._last_state = -_SECONDS_BETWEEN_STATES

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        text = _as_shown(message)
        if text and not ("\r" in message and self._is_too_soon()):
            self._log(text)

    def _is_too_soon(self) -> bool:
        now = time.monotonic()
        if now - self._last_state < _SECONDS_BETWEEN_STATES:
            return True
        self._last_state = now
        return False


def _as_shown(text: str) -> str:
    if text.startswith(("Input Notebook:", "Output Notebook:", "Ending Cell")):
        return ""
    if text.startswith("Executing Cell"):
        return "cell " + text.removeprefix("Executing Cell").strip(" -")
    # A progress bar rewrites its line; the last state is the one to see.
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return "\n".join(lines).strip()[:_CHARACTERS]
