"""The example notebook of delayed feedback, run for real: the table that it shows says what its text says."""

import io
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from ml_assets.notebooks.kernels.provisioner import warm_kernels
from tests.support import forks

pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "examples" / "delayed_feedback.ipynb"
UNBIASED = ["mature only", "gap", "importance weights"]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[nbformat.NotebookNode]:
    """What the cells show, after a run from top to bottom in an empty folder."""
    folder = tmp_path_factory.mktemp("run")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with warm_kernels(forks.address()):
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    assert not list(folder.iterdir())
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.data for output in shown if "data" in output]


@pytest.fixture(scope="module")
def table(outputs: list[nbformat.NotebookNode]) -> pd.DataFrame:
    (text,) = [data["text/plain"] for data in outputs if "predicted_over_true" in data.get("text/plain", "")]
    return pd.read_csv(io.StringIO(text), sep=r"\s{2,}", engine="python", index_col=0)


def test_it_compares_the_five_ways_with_the_truth(table: pd.DataFrame) -> None:
    assert table.index.tolist() == ["naive", "drop immature negatives", *UNBIASED, "the truth"]
    assert table.loc["the truth", "predicted_over_true"] == 1


def test_naive_training_is_biased_low_and_dropping_immature_negatives_high(table: pd.DataFrame) -> None:
    assert 0.8 < table.loc["naive", "predicted_over_true"] < 0.94
    assert table.loc["drop immature negatives", "predicted_over_true"] > 1.5


def test_mature_examples_a_gap_and_weights_cure_it(table: pd.DataFrame) -> None:
    # The days before the cutoff convert 2 % more often, and by chance the mature ones another percent.
    bias = (table["predicted_over_true"] - 1.02).abs()
    assert (bias[UNBIASED] < 0.015).all()
    assert bias["naive"] > 6 * bias[UNBIASED].max()


def test_the_weights_use_the_rows_that_mature_training_leaves_out(table: pd.DataFrame) -> None:
    rows = table["trained_on"]
    assert rows["mature only"] < 0.6 * rows["naive"]
    assert 0.999 * rows["naive"] < rows["importance weights"] <= rows["naive"]


def test_the_weights_lose_least_and_nothing_loses_less_than_the_truth(table: pd.DataFrame) -> None:
    loss = table["log_loss"].sort_values()
    assert loss.index[:2].tolist() == ["the truth", "importance weights"]
    assert loss.index[-1] == "drop immature negatives"
    assert loss["naive"] < loss["mature only"]


def test_it_shows_one_picture(outputs: list[nbformat.NotebookNode]) -> None:
    assert sum("image/png" in data for data in outputs) == 1
