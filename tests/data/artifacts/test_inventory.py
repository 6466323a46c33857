"""What a store holds, against what it should: on a disk, and in an object store."""

from collections.abc import Callable
from pathlib import Path

import pytest
from upath import UPath

from ml_assets.data.artifacts import inventory as module
from ml_assets.data.artifacts.inventory import Inventory, Version
from ml_assets.data.artifacts.store import MANIFEST, Artifact, ArtifactStore, StoreError
from ml_assets.paths import AnyPath

ASSET, DAY = "ads/cvr/model", "2026-01-01"
HERE = Version(DAY, "run-1")


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    root: AnyPath = tmp_path / "artifacts" if request.param == "disk" else UPath(f"memory://{tmp_path}/artifacts")
    return ArtifactStore(root)


def publish(store: ArtifactStore, version: Version = HERE) -> Artifact:
    with store.draft(ASSET, *version) as folder:
        (folder / "trees").mkdir()
        (folder / "trees/0.txt").write_bytes(b"tree")
        (folder / "schema.json").write_bytes(b"{}")
        return store.publish(folder, {"data_version": "abc"}, to=store.folder(ASSET, *version))


def loss(store: ArtifactStore, version: Version = HERE) -> str | None:
    """What is lost of a version, below the root of the store."""
    lost = Inventory(store, ASSET).losses([version]).get(version)
    return None if lost is None else lost.removeprefix(f"{store.root}/{ASSET}/")


def test_what_is_there_as_it_was_published_is_not_lost(store: ArtifactStore) -> None:
    made = publish(store)
    found = Inventory(store, ASSET)
    assert found.losses([HERE]) == {}
    assert found.manifests == {HERE: made.manifest}
    assert found.beside([HERE]) == []


def test_an_hour_is_found_by_the_name_that_the_store_gives_it(store: ArtifactStore) -> None:
    hour = Version("2026-01-01-05:00+0900", "run-1")
    publish(store, hour)
    assert loss(store, hour) is None
    assert Inventory(store, ASSET).beside([hour]) == []


def test_without_any_folder_all_is_lost(store: ArtifactStore) -> None:
    assert loss(store) == f"{DAY}/run-1/{MANIFEST}"


def cut(path: AnyPath) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("file", "harm", "lost"),
    [
        (MANIFEST, lambda path: path.unlink(), f"{DAY}/run-1/{MANIFEST}"),
        (MANIFEST, lambda path: path.write_bytes(b""), f"{DAY}/run-1/{MANIFEST} (damaged)"),
        (MANIFEST, lambda path: path.write_bytes(b"[]"), f"{DAY}/run-1/{MANIFEST} (damaged)"),
        (MANIFEST, lambda path: path.write_bytes(b'{"files": {'), f"{DAY}/run-1/{MANIFEST} (damaged)"),
        ("trees/0.txt", lambda path: path.unlink(), f"{DAY}/run-1/trees/0.txt"),
        ("trees/0.txt", cut, f"{DAY}/run-1/trees/0.txt (3 of 4 bytes)"),
    ],
)
def test_a_file_that_is_gone_or_cut_short_is_a_loss(
    file: str, harm: Callable[[AnyPath], object], lost: str, store: ArtifactStore
) -> None:
    publish(store)
    publish(store, Version("2026-01-02", "run-2"))
    harm(store.folder(ASSET, *HERE) / file)
    assert loss(store) == lost
    assert loss(store, Version("2026-01-02", "run-2")) is None


def test_a_manifest_that_names_a_file_elsewhere_is_a_loss_that_says_so(store: ArtifactStore) -> None:
    publish(store)
    (store.folder(ASSET, *HERE) / MANIFEST).write_text('{"files": {"../run-1/schema.json": 2}}')
    assert (
        loss(store)
        == f"{HERE.partition}/run-1: '../run-1/schema.json' is no name of a file in this folder, and might lead out of it"
    )


def test_what_is_beside_the_versions_that_are_known_is_told(store: ArtifactStore) -> None:
    other = Version(DAY, "run-2")
    publish(store)
    publish(store, other)
    (store.root / ASSET / "notes.txt").write_bytes(b"mine")
    assert Inventory(store, ASSET).beside([HERE]) == [f"{DAY}/run-2", "notes.txt"]


def test_a_version_of_no_run_lies_in_the_folder_of_its_partition(store: ArtifactStore) -> None:
    by_hand = Version(DAY, "")
    publish(store, by_hand)
    assert loss(store, by_hand) is None
    assert Inventory(store, ASSET).beside([by_hand]) == []


def test_what_lies_behind_a_link_is_there(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    publish(store)
    folder = store.folder(ASSET, DAY, "").parent
    folder.rename(tmp_path / "other_disk")
    folder.symlink_to(tmp_path / "other_disk")
    assert loss(store) is None


def test_a_store_that_cannot_be_listed_is_an_error_that_names_it(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk and elsewhere: no permission (which a superuser has everywhere), a disk that fails."""
    publish(store)

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    if isinstance(store.root, Path):
        monkeypatch.setattr(module.os, "scandir", refused)
    else:
        monkeypatch.setattr(type(store.root.fs), "find", refused)
    with pytest.raises(StoreError) as error:
        Inventory(store, ASSET)
    assert str(error.value).startswith(f"the store {store.root} cannot be listed: PermissionError: [Errno 13]")


def test_a_manifest_that_cannot_be_read_is_an_error_and_no_loss(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store)
    found = Inventory(store, ASSET)

    def refused(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", refused) if isinstance(store.root, Path) else monkeypatch.setattr(
        type(store.root.fs), "cat_file", refused
    )
    with pytest.raises(StoreError, match="cannot be read: OSError: .*Input/output error"):
        found.losses([HERE])


def test_a_file_in_the_place_of_the_store_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ads").write_text("no folder")
    with pytest.raises(StoreError, match="cannot be listed: NotADirectoryError"):
        Inventory(ArtifactStore(tmp_path), ASSET)


def test_what_goes_while_it_is_listed_is_lost(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    publish(store)
    found = Inventory(store, ASSET)
    (store.folder(ASSET, *HERE) / MANIFEST).unlink()
    assert list(found.losses([HERE])) == [HERE]
