"""What a cell meant that asked for a column which its tables do not have."""

from pathlib import Path

import pandas as pd
import pytest

from ml_assets.notebooks.order import TABLE
from ml_assets.notebooks.running.missing_columns import meant_columns


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    """Training data, and a model, which has no table."""
    folders = [tmp_path / "training_data", tmp_path / "model"]
    for folder in folders:
        folder.mkdir()
    pd.DataFrame({"device": ["phone"], "hour": [7]}).to_parquet(folders[0] / TABLE)
    return folders


@pytest.mark.parametrize("names", [["devise"], ["devise", "hour"]])
def test_what_pandas_does_not_find_is_compared_with_the_columns_that_there_are(
    inputs: list[Path], names: list[str]
) -> None:
    with pytest.raises(KeyError) as raised:
        pd.read_parquet(inputs[0] / TABLE)[names]
    assert meant_columns("KeyError", str(raised.value), inputs) == " (did you mean 'device'?)"


def test_nothing_is_added_to_another_error_or_to_what_is_near_to_no_column(inputs: list[Path]) -> None:
    assert meant_columns("ValueError", "'devise'", inputs) == ""
    assert meant_columns("KeyError", "'zzz'", inputs) == ""
    assert meant_columns("KeyError", "'device'", inputs) == "", "it is a column, so that something else lacks it"
