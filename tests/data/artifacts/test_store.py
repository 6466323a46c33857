import json
from pathlib import Path
from threading import Barrier

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from ml_assets.data.artifacts.store import MANIFEST, ArtifactError, ArtifactStore, StrayFileError, load_artifact
from ml_assets.paths import path_of

MODEL = ("ads/cvr/model", "2026-01-01", "run-1")


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def published(store: ArtifactStore, run: str = "run-1", content: bytes = b"tree") -> Path:
    folder = store.prepare(*MODEL[:2], run)
    (folder / "trees.txt").write_bytes(content)
    store.publish(folder, {"data_version": f"version of {run}"})
    return folder


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_version_lies_below_its_asset_partition_and_run(store: ArtifactStore) -> None:
    assert store.prepare(*MODEL) == store.root / "ads/cvr/model/2026-01-01/run-1" == store.folder(*MODEL)
    assert store.folder(*MODEL).is_dir()


def test_what_an_earlier_attempt_has_published_and_nobody_was_told_of_is_made_again(store: ArtifactStore) -> None:
    published(store, content=b"first")
    with store.draft(*MODEL, unreported=True) as folder:
        assert files_below(folder) == {}


def test_a_published_version_is_read_back_as_it_was(store: ArtifactStore) -> None:
    folder = store.prepare(*MODEL)
    made = store.publish(
        folder, {"data_version": "abc", "partition": "2026-01-01", "numbers": {"rows": 3, "rate": 0.5}}
    )
    assert store.load(*MODEL) == load_artifact(folder) == made
    assert made.data_version == "abc"
    assert made.folder == folder
    assert made.manifest["numbers"] == {"rows": 3, "rate": 0.5}


def test_the_manifest_records_the_size_of_every_file(store: ArtifactStore) -> None:
    folder = store.prepare(*MODEL)
    (folder / "trees").mkdir()
    (folder / "trees" / "0.txt").write_bytes(b"tree")
    (folder / "empty").touch()
    artifact = store.publish(folder, {"data_version": "abc"})
    assert artifact.manifest["files"] == {"empty": 0, "trees/0.txt": 4}
    assert artifact.size == 4
    assert json.loads((folder / MANIFEST).read_text(encoding="utf-8")) == artifact.manifest


def test_a_published_version_has_its_files_and_the_manifest_alone(store: ArtifactStore) -> None:
    assert set(files_below(published(store))) == {"trees.txt", MANIFEST}


def test_a_published_version_is_never_overwritten(store: ArtifactStore) -> None:
    before = files_below(published(store))
    with pytest.raises(
        ArtifactError, match="ads/cvr/model 2026-01-01 has been published by run run-1; launch a new run"
    ):
        store.prepare(*MODEL)
    assert files_below(store.folder(*MODEL)) == before


def test_a_new_run_makes_a_version_beside_the_old_one(store: ArtifactStore) -> None:
    published(store, "run-1", b"old")
    published(store, "run-2", b"new")
    assert (store.load(*MODEL).folder / "trees.txt").read_bytes() == b"old"
    assert (store.load(*MODEL[:2], "run-2").folder / "trees.txt").read_bytes() == b"new"


def test_a_version_without_a_manifest_does_not_exist(store: ArtifactStore) -> None:
    (store.prepare(*MODEL) / "trees.txt").write_bytes(b"tree")
    with pytest.raises(ArtifactError, match=rf"no artifact in .*run-1: its {MANIFEST} is missing"):
        store.load(*MODEL)


def test_a_version_that_was_never_begun_does_not_exist(store: ArtifactStore) -> None:
    with pytest.raises(ArtifactError, match="no artifact in"):
        store.load(*MODEL)


def test_what_a_crashed_attempt_left_is_cleared(store: ArtifactStore) -> None:
    folder = store.prepare(*MODEL)
    (folder / "part").mkdir()
    (folder / "part" / "half.txt").write_bytes(b"tr")
    (folder / f".{MANIFEST}").write_bytes(b"{")
    assert store.prepare(*MODEL) == folder
    assert list(folder.iterdir()) == []


def test_a_manifest_that_cannot_be_written_leaves_no_version(store: ArtifactStore) -> None:
    folder = store.prepare(*MODEL)
    with pytest.raises(TypeError, match="not JSON serializable"):
        store.publish(folder, {"data_version": "abc", "numbers": {"rows": object()}})
    with pytest.raises(ArtifactError):
        store.load(*MODEL)
    assert store.prepare(*MODEL) == folder


def test_a_full_disk_leaves_no_version(store: ArtifactStore) -> None:
    """A folder in the way of the draft stands for every failure to write it."""
    folder = store.prepare(*MODEL)
    (folder / f".{MANIFEST}").mkdir()
    with pytest.raises(OSError, match="manifest"):
        store.publish(folder, {"data_version": "abc"})
    with pytest.raises(ArtifactError):
        store.load(*MODEL)


def test_equal_artifacts_have_equal_manifests_byte_by_byte(store: ArtifactStore) -> None:
    one, other = store.prepare(*MODEL), store.prepare(*MODEL[:2], "run-2")
    store.publish(one, {"data_version": "abc", "partition": "d"})
    store.publish(other, {"partition": "d", "data_version": "abc"})
    assert (one / MANIFEST).read_bytes() == (other / MANIFEST).read_bytes()


@pytest.mark.parametrize("text", ["", "{", "\ufffd"])
def test_a_manifest_that_was_damaged_is_no_version_and_says_so(text: str, store: ArtifactStore) -> None:
    folder = published(store)
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(ArtifactError, match=f"there is no artifact in {folder}: its manifest.json is damaged: "):
        store.load(*MODEL)


def test_files_are_put_elsewhere_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until one is closed, HDFS may take half a second: here each waits for the others."""
    together, put_file = Barrier(3), MemoryFileSystem.put_file

    def wait(self: MemoryFileSystem, here: str, there: str) -> None:
        together.wait(30)
        put_file(self, here, there)

    monkeypatch.setattr(MemoryFileSystem, "put_file", wait)
    store = ArtifactStore(path_of(f"memory://{tmp_path}"))
    with store.draft(*MODEL) as draft:
        for name in ("trees.txt", "encoders.json", "nested/a.json"):
            (draft / name).parent.mkdir(exist_ok=True)
            (draft / name).write_text(name, encoding="utf-8")
        store.publish(draft, {"data_version": "abc"}, to=store.folder(*MODEL))
    made = store.load(*MODEL)
    assert {name: (made.folder / name).read_text() for name in made.manifest["files"]} == {
        name: name for name in ("encoders.json", "nested/a.json", "trees.txt")
    }


@pytest.mark.parametrize("name", ["../../../../secret.txt", "/etc/hostname", "a/../b", ""])
def test_a_manifest_that_names_a_file_elsewhere_is_no_version(name: str, store: ArtifactStore) -> None:
    with store.draft(*MODEL) as folder:
        store.publish(folder, {})
    manifest = store.folder(*MODEL) / MANIFEST
    manifest.write_text(json.dumps({"files": {name: 6}}))
    with pytest.raises(ArtifactError, match="is damaged") as refused:
        store.load(*MODEL)
    assert repr(name) in str(refused.value)


@pytest.mark.parametrize(("partition", "run_id"), [("..", "run-1"), ("2026-01-01", "../../.."), ("/etc", "run-1")])
def test_no_partition_and_no_run_leads_out_of_the_store(partition: str, run_id: str, store: ArtifactStore) -> None:
    for asked in (store.folder, store.prepare, store.load):
        with pytest.raises(ArtifactError, match="might lead out of it"):
            asked(MODEL[0], partition, run_id)


def test_a_link_that_leads_out_of_the_version_is_not_published(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.txt").write_text("may change")
    with store.draft(*MODEL) as folder:
        (folder / "model.txt").write_text("model")
        (folder / "latest.txt").symlink_to("model.txt")
        (folder / "linked.txt").symlink_to(tmp_path / "elsewhere.txt")
        for to in (None, path_of("memory://store/version")):
            with pytest.raises(StrayFileError, match=r"linked\.txt leads out of its artifact, to .*elsewhere\.txt"):
                store.publish(folder, {}, to)
        (folder / "linked.txt").unlink()
        assert store.publish(folder, {}).manifest["files"] == {"latest.txt": 5, "model.txt": 5}
