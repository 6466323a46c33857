"""What a step reports is kept as it is, adds up, and is refused where it is no number, word or figure."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ml_assets.data.artifacts.content import hash_frame
from tests.notebooks.step.rows import FRAME, HOUR, NOON, Order


def test_what_is_reported_is_kept_beside_the_order(ordered: Order) -> None:
    given = ordered()
    given.step.report(rows=3, rate=0.25, note="few rows")
    assert given.result.numbers == {"rows": 3, "rate": 0.25, "note": "few rows"}
    assert given.result.data_version is None


def test_reports_add_up_and_the_last_of_a_name_counts(ordered: Order) -> None:
    given = ordered()
    given.step.report(rows=3, rate=0.5)
    given.step.save(FRAME)
    given.step.report(rows=4)
    assert given.result.numbers == {"rows": 4, "rate": 0.5}
    assert given.result.data_version == hash_frame(FRAME)


def test_a_name_is_a_number_or_a_figure_the_last_of_both(ordered: Order) -> None:
    given = ordered()
    given.step.report(curve=3, rate=Figure())
    given.step.report(curve=Figure(), rate=0.5)
    assert given.result.numbers == {"rate": 0.5}
    assert list(given.result.figures) == ["curve"]


def test_a_name_that_a_run_shows_itself_is_refused_and_leaves_what_was_reported(ordered: Order) -> None:
    given = ordered()
    given.step.report(rows=3)
    with pytest.raises(ValueError, match="'lineage' cannot be reported: each partition has a 'lineage' of its own"):
        given.step.report(more=1, lineage="mine")
    assert given.result.numbers == {"rows": 3}


@pytest.mark.parametrize("value", [True, False, "10", 10**30])
def test_what_is_reported_arrives_as_it_is(value: Any, ordered: Order) -> None:
    given = ordered()
    given.step.report(value=value)
    assert (given.result.numbers["value"], type(given.result.numbers["value"])) == (value, type(value))


@pytest.mark.parametrize(
    ("given_number", "kept"),
    [(np.int64(3), 3), (np.float32(0.5), 0.5), (np.float64(0.5), 0.5), (np.array(7), 7), (np.str_("few"), "few")],
)
def test_numpy_scalars_are_reported_as_plain_values(given_number: Any, kept: object, ordered: Order) -> None:
    given = ordered()
    given.step.report(number=given_number)
    assert given.result.numbers == {"number": kept}
    assert type(given.result.numbers["number"]) is type(kept)


@pytest.mark.parametrize("unknown", [float("nan"), float("inf"), -np.inf, np.float32("nan"), np.float64("nan")])
def test_a_number_that_is_not_known_is_refused(unknown: float, ordered: Order) -> None:
    given = ordered()
    given.step.report(rows=3)
    with pytest.raises(ValueError, match=r"^auc is (nan|inf|-inf): leave out what is not known"):
        given.step.report(auc=unknown, more=1)
    assert given.result.numbers == {"rows": 3}


@pytest.mark.parametrize("value", [None, pd.NA, [1], {"a": 1}, NOON, HOUR], ids=str)
def test_what_is_neither_number_nor_words_is_refused(value: Any, ordered: Order) -> None:
    given = ordered()
    with pytest.raises(TypeError, match="rows is a .*: report numbers, words and figures alone"):
        given.step.report(rows=value)
    assert given.result is None
