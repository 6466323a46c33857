"""An error on one line: nothing twice, and no list cut within a name."""

from collections.abc import Callable

import pytest

from ml_assets.notebooks.running.run import NotebookError
from ml_assets.orchestration.running.one_line import LONGEST, cause_on_one_line, on_one_line
from tests.support.outages import REFUSED, of_a_sensor, refused_by_a_database, unreachable

RAISED = (
    "ValueError: column 'devise' is missing (did you mean 'device'?); the columns present are ['visit_id', 'device']"
)
TRACEBACK = f"""model.ipynb failed for shop/order/model 2026-03-03 in cell [3]: {RAISED}
    train(examples, config)

---------------------------------------------------------------------------
Exception encountered at "In [3]":
{RAISED}"""


def test_what_a_notebook_raised_is_said_once() -> None:
    assert on_one_line(NotebookError(TRACEBACK)) == f"NotebookError: {TRACEBACK.splitlines()[0]}"


def test_the_last_line_is_kept_where_it_says_something_else() -> None:
    error = NotebookError("model.ipynb failed in cell [3]: PySparkRuntimeError\n  a cell\nSpark: no memory is left")
    assert on_one_line(error) == (
        "NotebookError: model.ipynb failed in cell [3]: PySparkRuntimeError ... Spark: no memory is left"
    )


def test_an_error_without_words_is_its_type() -> None:
    assert on_one_line(KeyError()) == "KeyError:"


def test_a_long_list_ends_after_a_whole_name() -> None:
    names = [f"column_{number}" for number in range(200)]
    shown = on_one_line(ValueError(f"column 'x' is missing; the columns present are {names}"))
    listed, _, rest = shown.partition(" ... ")
    assert rest == "and more"
    assert len(shown) < LONGEST + 20
    assert listed.endswith("'")
    assert listed.rpartition(", ")[2].strip("'") in names


def test_of_two_long_lines_both_are_shown() -> None:
    shown = on_one_line(ValueError(f"first {'a ' * 900}\nlast {'b ' * 900}"))
    assert shown.startswith("ValueError: first a")
    assert " ... and more ... last b" in shown
    assert shown.endswith("b ... and more")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (refused_by_a_database, REFUSED),
        (of_a_sensor, "FileNotFoundError: event log shop/visits: there is no folder /events"),
        (unreachable, "DagsterUserCodeUnreachableError: Unable to reach the user code server"),
        (lambda: ValueError("wrong\nbecause"), "ValueError: wrong"),
    ],
)
def test_the_cause_of_what_another_process_answered_is_one_line(error: Callable[[], Exception], line: str) -> None:
    assert cause_on_one_line(error()) == line
