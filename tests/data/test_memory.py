"""Examples within little memory: spilled, or refused."""

import gc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from ml_assets.data.engines.engine import EventLogError
from ml_assets.data.examples import ExampleReader
from ml_assets.data.logs.log_files import LogFiles
from ml_assets.temporary import PREFIX
from tests.data.parquet_logs import NOON, instants, log_files, query, written


@pytest.fixture
def many(tmp_path: Path) -> LogFiles:
    """Some 50 MB of rows, which are sorted in memory or on disk."""
    rows = 400_000
    order = np.random.default_rng(0).permutation(rows)
    words = pa.array([f"{number:0100d}" for number in order])
    return log_files(
        "ads/shown", written(tmp_path / "many.parquet", id=order, time=instants(NOON).take([0] * rows), word=words)
    )


def test_what_does_not_fit_into_memory_is_spilled_and_comes_out_the_same(
    many: LogFiles, outcomes: LogFiles, tmp_path: Path
) -> None:
    little, much = ExampleReader(memory="100MB"), ExampleReader()
    assert_frame_equal(little.examples(query(many, outcomes)), much.examples(query(many, outcomes)))
    little.write_examples(tmp_path / "written.parquet", query(many, outcomes))
    assert pq.read_metadata(tmp_path / "written.parquet").num_rows == 400_000


def test_too_little_memory_is_refused_by_the_name_of_its_setting(
    many: LogFiles, outcomes: LogFiles, tmp_path: Path
) -> None:
    refused = pytest.raises(EventLogError, match=r"memory is '1MB', too little .* a larger `memory`")
    with refused:
        ExampleReader(memory="1MB").examples(query(many, outcomes))
    with refused:
        ExampleReader(memory="1MB").write_examples(tmp_path / "written.parquet", query(many, outcomes))
    assert not list(tmp_path.glob("written*"))


@pytest.mark.parametrize("memory", ["lots", "2", "80%"])
def test_memory_that_is_no_size_is_refused(memory: str) -> None:
    with pytest.raises(ValueError, match=f"memory is '{memory}'; write a size such as '2GB'"):
        ExampleReader(memory=memory)


def test_the_reader_takes_what_it_spilled_with_it(
    many: LogFiles, outcomes: LogFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    reader = ExampleReader(memory="100MB")
    reader.examples(query(many, outcomes))
    assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 1
    del reader
    gc.collect()
    assert not list(tmp_path.glob(f"{PREFIX}*"))
