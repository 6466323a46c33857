"""Event logs and artifacts in an object store, over a real S3 API, and in a real HDFS: the same as on a disk."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest
from upath import UPath

from ml_assets.data.artifacts.inventory import Inventory, Version
from ml_assets.data.artifacts.store import MANIFEST, ArtifactError, ArtifactStore, load_artifact
from ml_assets.data.engines.parquet import read_parquet
from ml_assets.data.logs.event_files import EventFilesError, EventFolder, partition_folder
from ml_assets.paths import OutsideError, local_copy
from tests.support.s3 import BUCKET, s3_server, variables
from tests.support.stores import HOURS, KEY, LOG, clicks, remote, write


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    with s3_server() as environment, variables(environment):
        yield


@pytest.fixture(scope="module", params=["s3", pytest.param("hdfs", marks=pytest.mark.slow)])
def store_url(request: pytest.FixtureRequest) -> str:
    if request.param == "hdfs":
        return str(request.getfixturevalue("hdfs").url)
    request.getfixturevalue("server")
    return f"s3://{BUCKET}"


@pytest.fixture
def root(store_url: str, request: pytest.FixtureRequest) -> UPath:
    # fsspec takes brackets for a pattern.
    return remote(f"{store_url}/{re.sub(r'[^a-z0-9]+', '-', request.node.name)}")


@pytest.mark.parametrize("whole", [True, False])
def test_a_listing_tells_the_partitions_and_their_files(root: UPath, whole: bool) -> None:
    expected = [write(root, HOURS[0], name, clicks(1)) for name in ("a.parquet", "b.parquet")]
    for name in (".a.parquet", "_metadata.parquet", "notes.txt"):
        write(root, HOURS[0], name)
    write(root, HOURS[2], "_SUCCESS")
    write(root, HOURS[2], "nested/a.parquet", clicks(1))
    folder = EventFolder(root, LOG, whole=whole)
    assert list(folder.folders) == [HOURS[0], HOURS[2]]
    assert folder.data_files(HOURS[0]) == expected
    assert folder.data_files(HOURS[1]) == folder.data_files(HOURS[2]) == []


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_written_by_another_is_seen_at_the_next_look(root: UPath, whole: bool) -> None:
    write(root, HOURS[0], "a.parquet", clicks(1))
    assert EventFolder(root, LOG, whole=whole).marked_fingerprint(HOURS[0], "_SUCCESS") is None
    write(root, HOURS[0], "_SUCCESS")
    first = EventFolder(root, LOG, whole=whole).marked_fingerprint(HOURS[0], "_SUCCESS")
    assert first is not None
    write(root, HOURS[0], "b.parquet", clicks(2))
    assert EventFolder(root, LOG, whole=whole).marked_fingerprint(HOURS[0], "_SUCCESS") not in {None, first}


def test_both_ways_of_listing_give_one_fingerprint(root: UPath) -> None:
    write(root, HOURS[0], "a.parquet", clicks(1, 2))
    one, other = (EventFolder(root, LOG, whole=whole).fingerprint(HOURS[0]) for whole in (True, False))
    assert one == other


def test_files_are_settled_once_the_newest_is_old_enough(root: UPath) -> None:
    write(root, HOURS[0], "a.parquet", clicks(1))
    folder, now = EventFolder(root, LOG), datetime.now(UTC)
    assert folder.settled_fingerprint(HOURS[0], (now - timedelta(hours=1)).timestamp()) is None
    assert folder.settled_fingerprint(HOURS[0], (now + timedelta(hours=1)).timestamp()) is not None


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("name", ["20260302_00012_abcde", "part=1/a.parquet"])
def test_files_of_another_name_are_a_problem(name: str, whole: bool, root: UPath) -> None:
    path = partition_folder(root, LOG, HOURS[0])
    for file in (name, "_SUCCESS", "_temporary/a.parquet"):
        (path / file).write_bytes(b"rows")
    folder = EventFolder(root, LOG, whole=whole)
    folder.marked_fingerprint(HOURS[0], "_SUCCESS")
    assert folder.problems[HOURS[0]].startswith(f"{path.name}: the rows of {name.removesuffix('a.parquet')} would be")
    write(root, HOURS[1], "a.parquet", clicks(1))
    assert EventFolder(root, LOG, whole=whole).data_files(HOURS[0]) == []


@pytest.mark.parametrize("whole", [True, False])
def test_an_empty_object_in_place_of_a_folder_is_none_of_its_files(
    whole: bool, server: None, request: pytest.FixtureRequest
) -> None:
    root = remote(f"s3://{BUCKET}/{request.node.name}")
    path = write(root, HOURS[0], "a.parquet", clicks(1)).parent
    (path / "_SUCCESS").touch()
    bucket, _, key = path.path.partition("/")
    path.fs.call_s3("put_object", Bucket=bucket, Key=f"{key}/", Body=b"")
    folder = EventFolder(root, LOG, whole=whole)
    assert folder.marked_fingerprint(HOURS[0], "_SUCCESS") is not None
    assert folder.problems == {}


@pytest.mark.parametrize("whole", [True, False])
def test_a_log_that_nobody_has_written_is_refused_by_name(root: UPath, whole: bool) -> None:
    with pytest.raises(
        FileNotFoundError, match=rf"event log ads/clicks: there is no folder {re.escape(str(root))}/raw/ads clicks"
    ):
        EventFolder(root, LOG, whole=whole)


def test_two_folders_of_one_hour_are_refused(server: None) -> None:
    # HDFS allows no colon.
    root = remote(f"s3://{BUCKET}/two")
    folder = partition_folder(root, LOG, HOURS[0])
    for name in (folder.name, folder.name.replace("%3A", ":")):
        (folder.parent / name / "a.parquet").write_bytes(b"")
    with pytest.raises(EventFilesError, match="are the same partition; keep one of them"):
        EventFolder(root, LOG)


def test_rows_are_read_with_their_file(root: UPath) -> None:
    paths = [write(root, hour, "it's.parquet", clicks(number)) for number, hour in enumerate(HOURS)]
    connection = ibis.duckdb.connect()
    read_parquet(connection, paths[:1])
    table = read_parquet(connection, paths, file_column="file")
    found = table.order_by("click_id").to_pandas()
    assert list(found["click_id"]) == [0, 1, 2]
    assert list(found["file"]) == [str(path) for path in paths]


def test_of_a_column_little_more_is_read_than_its_bytes(server: None, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.random.default_rng(7).random((50_000, 20))
    path = write(remote(f"s3://{BUCKET}/columns"), HOURS[0], "a.parquet", pd.DataFrame(numbers).rename(columns=str))
    ranges: list[str] = []
    ask = type(path.fs)._call_s3

    async def listening(store: object, method: str, *arguments: object, **options: object) -> object:
        ranges.extend(str(options["Range"]) for _ in range(method == "get_object"))
        return await ask(store, method, *arguments, **options)

    monkeypatch.setattr(type(path.fs), "_call_s3", listening)
    table = read_parquet(ibis.duckdb.connect(), [path])
    assert table["7"].sum().to_pandas() == pytest.approx(numbers[:, 7].sum())
    bounds = [re.findall(r"\d+", one) for one in ranges]
    assert 0 < sum(int(last) - int(first) for first, last in bounds) < path.stat().st_size / 5


def test_rows_on_this_machine_and_in_a_store_are_read_together(root: UPath, tmp_path: Path) -> None:
    clicks(1).to_parquet(tmp_path / "a.parquet")
    table = read_parquet(ibis.duckdb.connect(), [tmp_path / "a.parquet", write(root, HOURS[0], "b.parquet", clicks(2))])
    assert sorted(table.to_pandas()["click_id"]) == [1, 2]


def test_a_version_exists_once_its_manifest_does_and_is_read_back_as_it_was(root: UPath, tmp_path: Path) -> None:
    store = ArtifactStore(root)
    with store.draft(*KEY) as draft:
        (draft / "trees").mkdir()
        (draft / "trees/1.txt").write_text("tree", encoding="utf-8")
        (draft / "model.json").write_text("{}", encoding="utf-8")
        with pytest.raises(ArtifactError, match="is missing"):
            store.load(*KEY)
        made = store.publish(draft, {"data_version": "abc"}, to=store.folder(*KEY))
    assert not draft.exists()
    assert store.load(*KEY) == load_artifact(store.folder(*KEY)) == made
    assert made.manifest["files"] == {"model.json": 2, "trees/1.txt": 4}
    copy = local_copy(made.folder, tmp_path / "here")
    assert (copy / "trees/1.txt").read_text(encoding="utf-8") == "tree"


@pytest.mark.parametrize("name", ["../../escaped.txt", "trees/../../../../escaped.txt"])
def test_an_object_whose_key_leads_out_of_its_version_is_written_nowhere(
    server: None, tmp_path: Path, name: str
) -> None:
    # HDFS has no such names.
    store = ArtifactStore(remote(f"s3://{BUCKET}/leads-out/{len(name)}"))
    folder = store.folder(*KEY)
    with store.draft(*KEY) as draft:
        (draft / "model.json").write_text("{}", encoding="utf-8")
        made = store.publish(draft, {"data_version": "abc"}, to=folder)
    folder.fs.pipe_file(f"{folder.path}/{name}", b"written by somebody else")
    with pytest.raises(OutsideError, match=r"escaped\.txt"):
        local_copy(made.folder, tmp_path / "a" / "b" / "here")
    assert list(tmp_path.rglob("*")) == []


def test_a_published_version_is_not_overwritten(root: UPath) -> None:
    store = ArtifactStore(root)
    with store.draft(*KEY) as draft:
        store.publish(draft, {"data_version": "abc"}, to=store.folder(*KEY))
    with pytest.raises(ArtifactError, match="has been published by run run-1"), store.draft(*KEY):
        pass


def test_of_two_attempts_of_one_run_the_first_to_publish_wins(root: UPath) -> None:
    store = ArtifactStore(root)
    with store.draft(*KEY) as late, store.draft(*KEY) as early:
        (early / "old.txt").write_text("old", encoding="utf-8")
        (late / "new.txt").write_text("new", encoding="utf-8")
        made = store.publish(early, {"data_version": "old"}, to=store.folder(*KEY))
        with pytest.raises(ArtifactError, match="has been published by another attempt"):
            store.publish(late, {"data_version": "new"}, to=store.folder(*KEY))
    assert store.load(*KEY) == made
    assert made.manifest["files"] == {"old.txt": 3}


def test_what_an_attempt_without_a_manifest_has_left_is_not_part_of_the_next(root: UPath) -> None:
    store = ArtifactStore(root)
    (store.folder(*KEY) / "half.parquet").write_bytes(b"half")
    with store.draft(*KEY) as draft:
        (draft / "whole.parquet").write_bytes(b"whole")
        made = store.publish(draft, {"data_version": "abc"}, to=store.folder(*KEY))
    assert made.manifest["files"] == {"whole.parquet": 5}
    assert sorted(path.name for path in made.folder.iterdir()) == [MANIFEST, "whole.parquet"]


def test_versions_in_a_store_are_found_as_on_a_disk(root: UPath) -> None:
    store, asset = ArtifactStore(root), KEY[0]
    versions = [Version(f"2026-01-0{day}", "run-1") for day in (1, 2, 3)]
    for version in versions:
        with store.draft(asset, *version) as folder:
            (folder / "trees.txt").write_bytes(b"tree")
            store.publish(folder, {"data_version": "abc"}, to=store.folder(asset, *version))
    assert Inventory(store, asset).losses(versions) == {}
    (store.folder(asset, *versions[0]) / "trees.txt").unlink()
    (store.folder(asset, *versions[1]) / MANIFEST).write_bytes(b"")
    found = Inventory(store, asset)
    assert found.losses(versions) == {
        versions[0]: f"{root}/{asset}/2026-01-01/run-1/trees.txt",
        versions[1]: f"{root}/{asset}/2026-01-02/run-1/{MANIFEST} (damaged)",
    }
    assert found.beside(versions[1:]) == ["2026-01-01/run-1"]
    assert list(Inventory(store, "ads/cvr/nothing").losses(versions)) == versions, (
        "a folder that is missing has nothing"
    )
