"""Shows in a run's log what its notebook prints, and which cell it is at, while it runs."""

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

#: Of a progress bar, which rewrites its line many times a second, one state in so many seconds is shown.
_SECONDS_BETWEEN_STATES = 10.0
#: What is printed at once and is longer is cut: the executed notebook has all of it.
_CHARACTERS = 2000


#: What the kernel's copy of Dagster's logger prints has its own way into the run's log.
_DAGSTER = re.compile(r"(\x1b\[\d+m)?[\d-]+ [\d:]+ [-+]\d+(\x1b\[0m)? - dagster - ")


@contextmanager
def showing(log: Callable[[str], None], kinds: Sequence[str]) -> Iterator[None]:
    """Pass on at which cell papermill is, and what the cells print, meanwhile.

    Args: `kinds`: the kind of each cell (`code`, `markdown`); code cells are counted as Jupyter counts them.
    """
    papermill = logging.getLogger("papermill")
    handler, level = _Forward(log, kinds), papermill.level
    papermill.addHandler(handler)
    papermill.setLevel(logging.INFO)
    try:
        yield
    finally:
        papermill.removeHandler(handler)
        papermill.setLevel(level)


class _Forward(logging.Handler):
    def __init__(self, log: Callable[[str], None], kinds: Sequence[str]) -> None:
        super().__init__(logging.INFO)
        self._log = log
        self._kinds = kinds
        self._last_state = -_SECONDS_BETWEEN_STATES

    def emit(self, record: logging.LogRecord) -> None:
        if text := self._as_shown(record.getMessage()):
            self._log(text[:_CHARACTERS])

    def _is_too_soon(self) -> bool:
        now = time.monotonic()
        if now - self._last_state < _SECONDS_BETWEEN_STATES:
            return True
        self._last_state = now
        return False

    def _as_shown(self, text: str) -> str:
        if text.startswith(("Input Notebook:", "Output Notebook:", "Ending Cell")):
            return ""
        if begun := re.match(r"Executing Cell (\d+)-*$", text):
            cells = self._kinds[: int(begun[1])]
            return f"cell [{cells.count('code')}] of {self._kinds.count('code')}" if cells[-1] == "code" else ""
        lines = [self._line_as_shown(line) for line in re.split(r"\r*\n", text)]
        return "\n".join(line for line in lines if line is not None).strip()

    def _line_as_shown(self, line: str) -> str | None:
        if _DAGSTER.match(line):
            return None
        # A progress bar rewrites its line; the last state is the one to see.
        state = line.rstrip("\r").rpartition("\r")[2]
        return None if "\r" in line and state.strip() and self._is_too_soon() else state
