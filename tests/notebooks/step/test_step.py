"""A step knows its order, reads what is upstream and saves once.

The context alone is a stand-in: for dagstermill's, which needs a kernel and a run.
"""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

from ml_assets.data.artifacts.content import hash_files, hash_frame
from ml_assets.data.artifacts.store import ArtifactError, ArtifactStore
from ml_assets.notebooks.code.config_reads import UnseenConfigError
from ml_assets.notebooks.order import TABLE
from ml_assets.notebooks.step import Step, StepError
from tests.notebooks.step.rows import FRAME, Order


def test_a_step_knows_what_it_was_ordered_to_do(ordered: Order) -> None:
    given = ordered(horizon=timedelta(days=1))
    step = given.step
    assert (step.asset, step.partition) == ("ads/cvr/model", "2026-01-01")
    assert step.cutoff == datetime(2026, 1, 2, tzinfo=UTC)
    assert (step.attribution, step.horizon) == (timedelta(days=7), timedelta(days=1))
    assert step.config == {"features": ["device"], "trees": 50}
    assert step.log is given.log


def test_a_step_finds_the_configuration_that_it_is_known_to_read(ordered: Order) -> None:
    config = ordered(config={"features": ["device"]}, unseen=["trees"]).step.config
    assert config["features"] == ["device"]
    with pytest.raises(
        UnseenConfigError, match="ads/cvr/model does not see the key 'trees' of `config`: by its notebo"
    ):
        config["trees"]


def test_a_step_without_a_horizon_has_none(ordered: Order) -> None:
    assert ordered().step.horizon is None


def test_a_context_without_a_partition_is_told_what_to_write() -> None:
    by_hand = SimpleNamespace(run=SimpleNamespace(tags={}), log=None)
    with pytest.raises(StepError, match="no partition; let the cell tagged `parameters` say"):
        Step.of(by_hand)


@pytest.fixture
def training_data(store: ArtifactStore) -> Path:
    """Training data that has been published."""
    folder = store.prepare("ads/cvr/training_data", "2026-01-01", "run-0")
    FRAME.to_parquet(folder / TABLE, index=False)
    store.publish(folder, {"data_version": hash_frame(FRAME)})
    return folder


def test_the_table_of_an_upstream_step_is_read_as_it_was_saved(ordered: Order, training_data: Path) -> None:
    step = ordered(inputs={"training_data": training_data}).step
    assert_frame_equal(step.read("training_data"), FRAME)
    assert step.files_of("training_data") == training_data


@pytest.mark.parametrize("ask", [Step.read, Step.files_of])
def test_what_is_not_upstream_is_refused(ask: Callable[[Step, str], Any], ordered: Order, training_data: Path) -> None:
    step = ordered(inputs={"training_data": training_data}).step
    with pytest.raises(StepError, match=r"ads/cvr/model has no input 'metrics'; it has \['training_data'\]"):
        ask(step, "metrics")


def test_an_upstream_version_that_was_not_published_is_refused(ordered: Order, store: ArtifactStore) -> None:
    half = store.prepare("ads/cvr/training_data", "2026-01-01", "run-0")
    FRAME.to_parquet(half / TABLE)
    with pytest.raises(ArtifactError, match="manifest.json is missing"):
        ordered(inputs={"training_data": half}).step.read("training_data")


def test_a_saved_table_lies_in_the_folder_of_the_version_without_its_index(ordered: Order) -> None:
    given = ordered()
    given.step.save(FRAME.set_axis(["x", "y"]))
    assert [path.name for path in given.folder.iterdir()] == [TABLE]
    assert_frame_equal(pd.read_parquet(given.folder / TABLE), FRAME)
    assert given.result.data_version == hash_frame(FRAME)


def test_equal_rows_in_another_order_are_the_same_version(ordered: Order) -> None:
    given = ordered()
    given.step.save(FRAME.iloc[::-1])
    assert given.result.data_version == hash_frame(FRAME)


def test_saved_files_are_known_by_their_names_and_bytes(ordered: Order, tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "trees").mkdir()
        (folder / "trees" / "0.txt").write_text("tree", encoding="utf-8")
        (folder / "schema.json").write_text("{}", encoding="utf-8")

    given = ordered()
    given.step.save_files(write)
    copy = shutil.copytree(given.folder, tmp_path / "copy")
    assert given.result.data_version == hash_files([copy / "schema.json", copy / "trees" / "0.txt"], relative_to=copy)


def test_a_writer_that_writes_nothing_is_refused(ordered: Order) -> None:
    given = ordered()
    with pytest.raises(StepError, match="ads/cvr/model: nothing was written into the folder given"):
        given.step.save_files(lambda folder: (folder / "empty").mkdir())
    assert given.result is None


SAVES: dict[str, Callable[[Step], None]] = {
    "a table": lambda step: step.save(FRAME),
    "files": lambda step: step.save_files(lambda folder: (folder / "a.txt").write_bytes(b"a")),
}


@pytest.mark.parametrize("first", SAVES)
@pytest.mark.parametrize("second", SAVES)
def test_a_step_saves_once(first: str, second: str, ordered: Order) -> None:
    given = ordered()
    SAVES[first](given.step)
    before = given.result, sorted(given.folder.iterdir())
    with pytest.raises(StepError, match="a step saves once"):
        SAVES[second](given.step)
    assert (given.result, sorted(given.folder.iterdir())) == before


def test_a_table_that_cannot_be_saved_leaves_no_result(ordered: Order) -> None:
    given = ordered()
    with pytest.raises(pa.ArrowInvalid, match="column tags"):
        given.step.save(pd.DataFrame({"tags": [object(), object()]}))
    assert given.result is None


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["id", 5], r"the columns \[5\] have names that are no text, .* frame.rename\(columns={5: '5'}\)"),
        ([("a", "b"), None], r"the columns \[\('a', 'b'\), None\] have names"),
        (["id", "id"], r"the columns \['id'\] are there more than once"),
    ],
)
def test_columns_that_a_stored_table_cannot_have_are_refused(columns: list[Any], words: str, ordered: Order) -> None:
    given = ordered()
    frame = pd.DataFrame([[1, 2]])
    frame.columns = pd.Index(columns, dtype=object, tupleize_cols=False)
    with pytest.raises(ValueError, match=words):
        given.step.save(frame)
    assert given.result is None


def test_a_column_that_is_called_5_keeps_its_name(ordered: Order) -> None:
    given = ordered()
    given.step.save(pd.DataFrame({"5": [1]}))
    assert list(pd.read_parquet(given.folder / TABLE).columns) == ["5"]


def test_a_step_that_is_taken_twice_goes_on_with_what_it_has_left_behind(ordered: Order) -> None:
    given = ordered()
    given.step.report(rows=1)
    given.step.save(FRAME)
    again = Step.of(given.context)
    again.report(more=2)
    assert given.result is not None
    assert given.result.numbers == {"rows": 1, "more": 2}
    assert given.result.data_version == hash_frame(FRAME)
    with pytest.raises(StepError, match="a step saves once"):
        again.save(FRAME)


def test_a_trial_is_saved_anew_as_often_as_one_likes(ordered: Order) -> None:
    given = ordered(scratch=True)
    given.step.save_files(lambda folder: (folder / "model.txt").write_text("trees"))
    again = Step.of(given.context)
    again.save(FRAME)
    once = given.result
    again.save(FRAME)
    assert sorted(path.name for path in given.folder.iterdir()) == ["data.parquet", "manifest.json"]
    assert given.result == once
