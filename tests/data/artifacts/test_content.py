import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml_assets.data.artifacts.content import hash_files, hash_frame

TIMES = pd.to_datetime(["2026-01-01T00:00Z", None], format="ISO8601")
COLUMNS: dict[str, Any] = {
    "integers": [1, 2],
    "small integers": np.array([1, 0], dtype=np.int8),
    "floats": [1.5, np.nan],
    "small floats": np.array([1.5, np.nan], dtype=np.float32),
    "infinite": [np.inf, -np.inf],
    "NaN with a sign": [-np.nan, 1.0],
    "zeros": [0.0, -0.0],
    "truths": [True, False],
    "words": ["ä", None],
    "words with NaN": ["a", np.nan],
    "strings": pd.array(["a", None], dtype="string"),
    "arrow strings": pd.array(["a", None], dtype="string[pyarrow]"),
    "categories": pd.Categorical(["b", None], categories=["unused", "b"]),
    "nullable integers": pd.array([2**60 + 1, None], dtype="Int64"),
    "nullable truths": pd.array([True, None], dtype="boolean"),
    "nullable floats": pd.array([1.5, None], dtype="Float64"),
    "times": TIMES,
    "microseconds": TIMES.as_unit("us"),
    "Tokyo times": TIMES.tz_convert("Asia/Tokyo"),
    "naive times": TIMES.tz_localize(None),
    "durations": pd.to_timedelta(["1h", None]),
    "dates": [date(2026, 1, 1), None],
    "decimals": [Decimal("1.10"), Decimal("2.00")],
    "bytes": [b"\0", None],
    "nothing": [None, None],
    "lists": [[1, 2], None],
    "lists with gaps": [[1, None], [2]],
    "lists of words": [["a", None, "-"], []],
    "lists of numbers": [[0.5, np.nan, np.inf], [-0.0]],
    "lists of truths": [[True, None], [False]],
    "lists of lists": [[[1], None], [[]]],
    "lists of times": [[TIMES[0], None], []],
    "lists of dates": [[date(2026, 1, 1)], None],
    "lists of durations": [[pd.Timedelta("1h")], None],
    "lists of decimals": [[Decimal("1.10"), None], []],
    "lists of bytes": [[b"\0", None], []],
    "arrays": [np.array([1, 2]), np.array([3])],
    "tuples": [(1, 2), (3,)],
    "records": [{"a": 1, "b": "x"}, None],
    "records with gaps": [{"a": 1}, {"b": {"c": [1.5]}}],
}


def frame(**changes: Any) -> pd.DataFrame:
    return pd.DataFrame({"number": [1, 2, 3], "word": ["a", "b", None], "value": [0.5, np.nan, -1.0]} | changes)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_table_read_back_from_parquet_has_the_same_hash(name: str, tmp_path: Path) -> None:
    saved = pd.DataFrame({"x": COLUMNS[name]})
    saved.to_parquet(tmp_path / "data.parquet", index=False)
    assert hash_frame(pd.read_parquet(tmp_path / "data.parquet")) == hash_frame(saved)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_does_not_count(seed: int) -> None:
    shuffled = frame().sample(frac=1, random_state=seed)
    assert hash_frame(shuffled) == hash_frame(frame())


def test_the_index_does_not_count() -> None:
    assert hash_frame(frame().set_axis(["x", "y", "z"])) == hash_frame(frame())


@pytest.mark.parametrize(
    "other",
    [
        frame(number=[1, 2, 4]),
        frame(word=["a", "b", ""]),
        frame(word=["a", "b", "None"]),
        frame(value=[0.5, 0.0, -1.0]),
        frame(value=[0.5, np.nan, -1.0000000000000002]),
        frame(number=[2, 1, 3]),
        frame(number=np.array([1, 2, 3], dtype=np.int32)),
        frame(word=pd.array(["a", "b", None], dtype="string")),
        frame().rename(columns={"value": "score"}),
        frame()[["word", "number", "value"]],
        frame().drop(columns="value"),
        frame().assign(more=1),
        frame().iloc[:2],
        frame().iloc[[0, 1, 2, 2]],
        frame().iloc[:0],
    ],
    ids=[
        "a number",
        "a word",
        "a word like a null",
        "a null",
        "a last digit",
        "values between rows",
        "a type",
        "a type of words",
        "a name",
        "the order of columns",
        "a column less",
        "a column more",
        "a row less",
        "a row twice",
        "no rows",
    ],
)
def test_any_change_of_content_changes_the_hash(other: pd.DataFrame) -> None:
    assert hash_frame(other) != hash_frame(frame())


def test_how_often_a_row_is_repeated_counts() -> None:
    twice, thrice = frame().iloc[[0, 0, 1]], frame().iloc[[0, 1, 1]]
    assert hash_frame(twice) != hash_frame(thrice)


def test_columns_do_not_swap_their_values() -> None:
    table = pd.DataFrame({"a": [1], "b": [2]})
    assert hash_frame(table) != hash_frame(pd.DataFrame({"a": [2], "b": [1]}))


def test_one_null_is_like_another() -> None:
    words = [["a", None, None], ["a", np.nan, None], ["a", np.nan, np.nan]]
    assert len({hash_frame(pd.DataFrame({"word": pd.Series(one, dtype=object)})) for one in words}) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_bits_of_nan_do_not_count(dtype: type) -> None:
    """Arithmetic leaves a NaN with its sign set on some processors."""
    plain, signed = (pd.DataFrame({"x": np.array([1.0, one], dtype=dtype)}) for one in (np.nan, -np.nan))
    assert np.signbit(signed["x"])[1] != np.signbit(plain["x"])[1]
    assert hash_frame(signed) == hash_frame(plain)


def test_hashing_leaves_the_table_as_it_is() -> None:
    table = pd.DataFrame({"x": [-np.nan]})
    hash_frame(table)
    assert np.signbit(table["x"])[0]


def test_an_empty_table_is_known_by_its_schema() -> None:
    integers, floats = pd.DataFrame({"x": pd.Series(dtype=int)}), pd.DataFrame({"x": pd.Series(dtype=float)})
    assert hash_frame(integers) == hash_frame(integers.copy())
    assert len({hash_frame(integers), hash_frame(floats), hash_frame(pd.DataFrame())}) == 3


def test_the_hash_is_the_same_in_every_process_and_release() -> None:
    """Data versions are compared with those recorded long ago."""
    assert hash_frame(frame()) == "09e0affccf1751f6"


def test_values_that_have_no_hash_are_refused() -> None:
    with pytest.raises(TypeError, match=r"column 'odd' holds values without a hash, such as \{1\} \(set\)"):
        hash_frame(pd.DataFrame({"x": [[1], [2]], "odd": [{1}, None]}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([[1, 2]], [[2, 1]]),
        ([[1]], [[[1]]]),
        ([["1"]], [[1]]),
        ([["a", "b"]], [["a,b"]]),
        ([["a', 'b"]], [["a", "b"]]),
        ([[None]], [[]]),
        ([[]], [None]),
        ([["-"]], [[None]]),
        ([[True]], [[1]]),
        ([{"a": 1}], [{"b": 1}]),
        ([{"a": 1, "b": 2}], [{"a": 2, "b": 1}]),
        ([[1]], ["[1]"]),
        ([list(range(2000))], [[*range(1000), 0, *range(1001, 2000)]]),
        ([[0.1]], [[0.1 + 1e-16]]),
    ],
)
def test_nested_values_that_differ_have_two_hashes(one: list[Any], other: list[Any]) -> None:
    assert hash_frame(pd.DataFrame({"x": pd.Series(one)})) != hash_frame(pd.DataFrame({"x": pd.Series(other)}))


def test_the_hash_of_nested_values_is_the_same_in_every_process_and_release() -> None:
    table = frame(tags=[[1, None], [], None], record=[{"a": 0.5, "b": ["x"]}, {"b": None}, None])
    assert hash_frame(table) == "bc6f95cc60261833"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "artifact"
    (root / "model").mkdir(parents=True)
    (root / "model" / "trees.txt").write_bytes(b"tree")
    (root / "schema.json").write_bytes(b"{}")
    return root


def hash_of(folder: Path) -> str:
    return hash_files([path for path in folder.rglob("*") if path.is_file()], relative_to=folder)


def test_files_are_known_by_their_names_below_the_folder_and_their_bytes(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert hash_of(copy) == hash_of(folder)


def test_the_order_of_files_does_not_count(folder: Path) -> None:
    files = [folder / "schema.json", folder / "model" / "trees.txt"]
    assert hash_files(files, relative_to=folder) == hash_files(iter(files[::-1]), relative_to=folder)


def test_a_changed_byte_changes_the_hash(folder: Path) -> None:
    before = hash_of(folder)
    (folder / "schema.json").write_bytes(b"[]")
    assert hash_of(folder) != before


def test_a_renamed_file_changes_the_hash(folder: Path) -> None:
    before = hash_of(folder)
    (folder / "schema.json").rename(folder / "scheme.json")
    assert hash_of(folder) != before


def test_a_file_in_another_folder_changes_the_hash(folder: Path) -> None:
    before = hash_of(folder)
    (folder / "model").rename(folder / "models")
    assert hash_of(folder) != before


def test_files_do_not_swap_their_bytes(folder: Path) -> None:
    before = hash_of(folder)
    (folder / "schema.json").write_bytes(b"tree")
    (folder / "model" / "trees.txt").write_bytes(b"{}")
    assert hash_of(folder) != before


def test_names_and_bytes_do_not_run_into_each_other(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for root, name, content in ((one, "a", b"bc"), (other, "ab", b"c")):
        root.mkdir()
        (root / name).write_bytes(content)
    assert hash_of(one) != hash_of(other)


def test_an_empty_file_counts(folder: Path) -> None:
    before = hash_of(folder)
    (folder / "empty").touch()
    assert hash_of(folder) != before
