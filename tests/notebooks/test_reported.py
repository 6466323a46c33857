"""What a notebook reports keeps its name and its kind, or is refused."""

from typing import Any

import pytest
from matplotlib.figure import Figure

from ml_assets.notebooks.reported import RESERVED, read_report


@pytest.mark.parametrize(
    "name",
    [
        *("seconds", "bytes", "lineage", "took", "size", "reads", "git_commit", "git commit", "executed_notebook"),
        *("model_run", "evaluation_data_version", "window, exposures", "training_data_window, outcomes", "supersedes"),
    ],
)
@pytest.mark.parametrize("value", [3, "words", Figure()], ids=["number", "words", "figure"])
def test_a_name_of_what_a_run_shows_itself_is_refused_with_the_names_that_are_taken(name: str, value: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"^'{name}' cannot be reported: .* give it another name than artifact, .*took"
    ):
        read_report({"rows": 3, name: value}, [])


def test_two_names_that_are_shown_alike_are_refused() -> None:
    right = "'positive rate' cannot be reported beside 'positive_rate': both are shown as 'positive rate'"
    with pytest.raises(ValueError, match=right):
        read_report({"positive_rate": 0.5, "positive rate": 0.6}, [])
    with pytest.raises(ValueError, match=right):
        read_report({"positive rate": Figure()}, ["rows", "positive_rate"])


@pytest.mark.parametrize("name", ["rows", "seconds_per_row", "Lineage", "model", "runs", "dagster/row_count", "note"])
def test_any_other_name_is_free(name: str) -> None:
    assert name not in RESERVED
    assert read_report({name: 3}, [name]) == ({name: 3}, {})


@pytest.mark.parametrize("value", [True, False, 0, 1.0, "10", "True", 10**30])
def test_a_value_keeps_its_kind(value: Any) -> None:
    numbers, _ = read_report({"value": value}, [])
    assert (numbers["value"], type(numbers["value"])) == (value, type(value))
