from pathlib import Path

import pandas as pd
from pandas.testing import assert_frame_equal

from ml_assets.data.artifacts.store import table_files
from ml_assets.data.artifacts.tables import read_table

ROWS = pd.DataFrame({"id": pd.array([1, None, 3, 4], dtype="Int64"), "seen": [True, False, True, True]})


def test_a_table_of_part_files_is_read_as_the_file_that_it_stands_for(tmp_path: Path) -> None:
    folder = tmp_path / "data.parquet"
    folder.mkdir()
    for number in (1, 0):
        # As executors write them: without what pandas adds.
        part = ROWS.iloc[2 * number : 2 * number + 2].astype({"id": object})
        part.to_parquet(folder / f"part-{number}.parquet", index=False)
    (folder / "_SUCCESS").touch()
    (folder / ".part-0.parquet.crc").touch()
    assert [file.name for file in table_files(folder)] == ["part-0.parquet", "part-1.parquet"]
    assert_frame_equal(read_table(folder), ROWS)


def test_a_file_is_read_as_pandas_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    ROWS.to_parquet(path, index=False)
    assert table_files(path) == [path]
    assert_frame_equal(read_table(path), ROWS)
