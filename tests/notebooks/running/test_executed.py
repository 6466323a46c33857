"""Which executed notebooks are removed, on real files with ages of their own."""

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_assets.notebooks.running.executed import executed_path, remove_old

ASSET = "ads/cvr/model"
BEFORE = datetime(2026, 3, 1, tzinfo=UTC)
PARTITIONS = ("2026-01-01", "2026-01-02")
RUNS = ("run-a", "run-b", "run-c")
#: Seconds from the instant on, so that 0 is the first moment that is not before it.
AGES = st.dictionaries(
    st.tuples(st.sampled_from(PARTITIONS), st.sampled_from(RUNS)), st.integers(-3, 3), min_size=1, max_size=6
)
CURRENT = st.dictionaries(st.sampled_from(PARTITIONS), st.sampled_from(RUNS))


def write(path: Path, seconds: int) -> Path:
    """A file that was written so many seconds after BEFORE."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    written = (BEFORE + timedelta(seconds=seconds)).timestamp()
    os.utime(path, (written, written))
    return path


@given(ages=AGES, current=CURRENT)
def test_exactly_the_old_notebooks_that_are_not_current_are_removed(
    ages: dict[tuple[str, str], int], current: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        paths = {key: write(executed_path(root, ASSET, *key), age) for key, age in ages.items()}
        old = {paths[key] for key, age in ages.items() if age < 0 and current.get(key[0]) != key[1]}
        removed = remove_old(root, ASSET, current, before=BEFORE)
        assert set(removed) == old
        assert len(removed) == len(old)
        assert {path for path in root.rglob("*") if path.is_file()} == set(paths.values()) - old


def test_nothing_else_in_the_folder_is_touched(tmp_path: Path) -> None:
    others = [
        write(tmp_path / ASSET / "2026-01-01" / "notes.txt", -9),
        write(tmp_path / ASSET / "beside-the-partitions.ipynb", -9),
        write(executed_path(tmp_path, "ads/cvr/model_b", "2026-01-01", "run-a"), -9),
        write(executed_path(tmp_path, "ads/cvr/model/metrics_1d", "2026-01-01", "run-a"), -9),
        write(executed_path(tmp_path, "ads/cvr", "model", "run-a"), -9),
    ]
    old = write(executed_path(tmp_path, ASSET, "2026-01-01", "run-a"), -9)
    assert remove_old(tmp_path, ASSET, {}, before=BEFORE) == [old]
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(others)


def test_a_current_run_of_one_partition_does_not_keep_that_run_s_notebooks_of_others(tmp_path: Path) -> None:
    kept, old = (write(executed_path(tmp_path, ASSET, partition, "run-a"), -9) for partition in PARTITIONS)
    assert remove_old(tmp_path, ASSET, {PARTITIONS[0]: "run-a"}, before=BEFORE) == [old]
    assert kept.exists()


def test_an_asset_that_never_ran_has_nothing_to_remove(tmp_path: Path) -> None:
    assert remove_old(tmp_path, ASSET, {}, before=BEFORE) == []


def test_a_notebook_that_another_run_removes_meanwhile_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, old = (write(executed_path(tmp_path, ASSET, partition, "run-a"), -9) for partition in PARTITIONS)
    unlink = Path.unlink

    def unlink_late(path: Path) -> None:
        if path == taken:
            unlink(path)
        unlink(path)

    monkeypatch.setattr(Path, "unlink", unlink_late)
    assert remove_old(tmp_path, ASSET, {}, before=BEFORE) == [old]
    assert not taken.exists()
    assert not old.exists()
