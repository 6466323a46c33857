"""What DuckDB asks of a file system, and how many threads read one file of it."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from fsspec.implementations.local import LocalFileSystem
from upath import UPath

from ml_assets.data.engines.read_once import OpenedFile, ReadOnce
from ml_assets.paths import path_of


class Counted(LocalFileSystem):
    """Files of this machine under another scheme, with the number of requests that they would be elsewhere."""

    protocol = "counted"
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def info(self, path: str, **options: Any) -> Any:
        self.asked["info"] += 1
        return super().info(path, **options)

    def open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        self.asked["open"] += 1
        return super().open(path, mode, **options)

    def unstrip_protocol(self, name: str) -> str:
        return f"counted://{self._strip_protocol(name)}"


@pytest.fixture
def remote() -> Counted:
    return Counted()


@pytest.fixture
def connection(remote: Counted) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.register_filesystem(ReadOnce(remote))
    return connection


def test_a_file_is_asked_for_once_however_often_duckdb_asks(
    tmp_path: Path, remote: Counted, connection: duckdb.DuckDBPyConnection
) -> None:
    for day in range(3):
        pd.DataFrame({"day": [day] * 1000}).to_parquet(tmp_path / f"it's {day}.parquet")
    names = [f"counted://{tmp_path}/it's {day}.parquet" for day in range(3)]
    for asked in (names, names, [f"counted://{tmp_path}/*.parquet"]):
        rows = connection.execute("SELECT sum(day), count(*) FROM read_parquet(?, union_by_name = true)", [asked])
        assert rows.fetchone() == (3000, 3000)
    # Its size, and when it was written; its footer, and its rows.
    assert remote.asked["info"] <= 3 * 4
    assert remote.asked["open"] <= 3 * 3 * 2


def test_a_file_that_is_missing_is_said_so_and_what_cannot_be_asked_is_an_error(
    tmp_path: Path, remote: Counted, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(duckdb.IOException, match="No files found"):
        connection.execute(f"FROM read_parquet('counted://{tmp_path}/none.parquet')")

    def down(_path: str, **_: Any) -> None:
        raise ConnectionError("the store is down")

    monkeypatch.setattr(remote, "info", down)
    with pytest.raises(Exception, match="the store is down"):
        ReadOnce(remote).glob(f"counted://{tmp_path}/a.parquet")


def test_a_file_of_another_name_node_is_not_taken_for_that_of_this_one() -> None:
    path = path_of("hdfs://one:8020/a b?/*.parquet")
    assert isinstance(path, UPath)
    files = ReadOnce(path.fs)
    assert files.unstrip_protocol(str(path)) == str(path)
    with pytest.raises(
        ValueError, match=r"^hdfs://other:8020/a\.parquet is not in the store .* hdfs://one:8020/: read it by another"
    ):
        files.glob("hdfs://other:8020/a.parquet")


def test_each_thread_of_an_open_file_reads_its_own_place(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(b"".join(number.to_bytes(8, "big") for number in range(100_000)))
    file = OpenedFile(lambda: path.open("rb", buffering=0))

    def read(seed: int) -> list[tuple[int, int]]:
        found = []
        for number in random.Random(seed).choices(range(100_000), k=2_000):
            file.seek(number * 8)
            # What is read next is what comes next.
            parts = [file.read(size) for size in (3, 5)]
            found.append((number, int.from_bytes(b"".join(parts), "big")))
        return found

    with ThreadPoolExecutor(4) as pool:
        assert all(number == found for pairs in pool.map(read, range(4)) for number, found in pairs)
