"""What a run's log shows of a notebook, from messages as papermill logs them."""

import io
import logging
import time
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._loggers import colored_console_logger

from ml_assets.notebooks.running import progress
from ml_assets.notebooks.running.progress import showing

PAPERMILL = logging.getLogger("papermill")
KINDS = ["markdown", "code", "markdown", "code", "code"]


def begun(number: int) -> str:
    """What papermill's engine logs when the cell at a place begins."""
    return f"Executing Cell {number:-<40}"


def shown(*messages: str, kinds: list[str] = KINDS) -> list[str]:
    lines: list[str] = []
    with showing(lines.append, kinds):
        for message in messages:
            PAPERMILL.info(message)
    return lines


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The seconds of the clock, which a test sets."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_code_cells_are_counted_as_jupyter_counts_them() -> None:
    assert shown(*map(begun, range(1, 6))) == ["cell [1] of 3", "cell [2] of 3", "cell [3] of 3"]


def test_the_tenth_cell_is_not_taken_for_the_first() -> None:
    assert shown(begun(10), kinds=["code"] * 12) == ["cell [10] of 12"]


def test_what_papermill_says_of_files_and_ends_is_not_shown() -> None:
    said = ("Input Notebook:  given.ipynb", "Output Notebook: executed.ipynb", f"Ending Cell {2:-<43}")
    assert shown(*said) == []


def test_what_a_cell_prints_is_shown_without_empty_lines_around() -> None:
    assert shown("\n598 rows\n\n30 positives\n", "\n") == ["598 rows\n\n30 positives"]


def test_what_a_cell_prints_of_cells_is_not_taken_for_papermill_s() -> None:
    assert shown("Executing Cell 2 of the plan") == ["Executing Cell 2 of the plan"]


def test_percent_signs_are_printed_as_they_are() -> None:
    assert shown("100%d of %s") == ["100%d of %s"]


def test_a_warning_that_goes_to_stderr_is_shown() -> None:
    lines: list[str] = []
    with showing(lines.append, KINDS):
        PAPERMILL.warning("it diverged")
    assert lines == ["it diverged"]


def test_long_text_is_cut() -> None:
    assert shown("x" * 5000) == ["x" * 2000]


def test_of_a_progress_bar_one_state_in_ten_seconds_is_shown(clock: list[float]) -> None:
    lines: list[str] = []
    with showing(lines.append, KINDS):
        for second in range(25):
            clock[0] = 1000.0 + second
            PAPERMILL.info(f"\r{second - 1} of 25\r{second} of 25")
    assert lines == ["0 of 25", "10 of 25", "20 of 25"]


def test_a_progress_bar_that_ends_its_states_with_a_carriage_return_is_one_too(clock: list[float]) -> None:
    assert shown("1 of 9\r", "2 of 9\r", "3 of 9\r") == ["1 of 9"]


def test_a_progress_bar_that_wipes_itself_does_not_use_up_the_next_state(clock: list[float]) -> None:
    assert shown("\r          \r", "\r1 of 9") == ["1 of 9"]


def test_lines_below_a_progress_bar_are_shown_however_soon(clock: list[float]) -> None:
    assert shown("\r1 of 9", "\r2 of 9\nit diverged\n") == ["1 of 9", "it diverged"]


def test_lines_that_end_as_in_windows_are_no_progress_bar(clock: list[float]) -> None:
    assert shown("one\r\n", "two\r\n", "three\r\nfour\r\n") == ["one", "two", "three\nfour"]


def test_cells_are_shown_between_the_states_of_a_progress_bar(clock: list[float]) -> None:
    assert shown("\r1 of 9", begun(4), "\r2 of 9", "done") == ["1 of 9", "cell [2] of 3", "done"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("console", [io.StringIO, Terminal], ids=["plain", "in color"])
def test_lines_of_dagster_s_own_console_are_not_shown(
    console: type[io.StringIO], zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, logger = console(), logging.getLogger("dagster")
    with monkeypatch.context() as patch:
        for name, value in (("handlers", []), ("level", logging.INFO), ("propagate", False)):
            patch.setattr(logger, name, value)
        patch.setattr("sys.stderr", output)
        patch.setattr("sys.stdout", output)
        patch.setenv("TZ", zone)
        time.tzset()
        config = {"name": "dagster", "log_level": "INFO"}
        colored_console_logger.logger_fn(dg.build_init_logger_context(logger_config=config)).info("598 are mature")
    time.tzset()
    line = output.getvalue()
    assert "598 are mature" in line
    assert ("\x1b" in line) == (console is Terminal)
    assert shown(f"before\n{line}after\n", line) == ["before\nafter"]


def test_lines_that_only_speak_of_dagster_are_shown() -> None:
    assert shown("2026 was the year - dagster - of") == ["2026 was the year - dagster - of"]


def test_afterwards_the_logger_is_as_it_was_even_where_the_notebook_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers = list(PAPERMILL.handlers)
    lines: list[str] = []

    def fail() -> None:
        with showing(lines.append, KINDS):
            PAPERMILL.info("meanwhile")
            raise RuntimeError("the kernel died")

    monkeypatch.setattr(PAPERMILL, "level", logging.ERROR)
    with pytest.raises(RuntimeError, match="the kernel died"):
        fail()
    assert PAPERMILL.level == logging.ERROR
    assert PAPERMILL.handlers == handlers
    PAPERMILL.error("afterwards")
    assert lines == ["meanwhile"]
