"""Artifacts: immutable versions that exist only once their manifest does.

`<root>/<asset>/<partition>/<run id>/…`, with `manifest.json` written last: no folder is renamed, so that stores without
renames hold artifacts too; the manifest is where a file is seen while it is written, as in HDFS. Light: lineage and the
sensor's process import this.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from upath import UPath

from ml_assets.paths import RENAMING, AnyPath, OutsideError, check_inside, listed_below, name_below
from ml_assets.temporary import TemporaryFolder
from ml_assets.written_by import STORE_FORMAT, NewerFormatError, check_format, stamp

MANIFEST = "manifest.json"
_AT_ONCE = 8


class ArtifactError(Exception):
    """An artifact that does not exist, or cannot be written."""


class StrayFileError(ArtifactError):
    """A file that is to be published, and lies elsewhere than in its artifact."""


class StoreError(Exception):
    """The store does not say what it holds: it is out of reach, or may not be read. Nothing is known to be lost."""


@dataclass(frozen=True)
class Artifact:
    """A published version of one partition of an asset."""

    folder: AnyPath
    manifest: Mapping[str, Any]

    @property
    def data_version(self) -> str:
        """The hash of the content."""
        return self.manifest["data_version"]

    @property
    def size(self) -> int:
        """Bytes of all files but the manifest."""
        return sum(self.manifest["files"].values())

    def holds(self, name: str) -> bool:
        """Whether a file of this name was published, or files in a folder of this name."""
        return any(file.split("/", maxsplit=1)[0] == name for file in self.manifest["files"])


@dataclass(frozen=True)
class ArtifactStore:
    """The folder that holds all artifacts, on this machine or elsewhere."""

    root: AnyPath

    def folder(self, asset: str, partition: str, run_id: str) -> AnyPath:
        """Where a version lies, or would lie. Raises: ArtifactError for names that lead elsewhere."""
        try:
            # What was recorded by hand is of no run.
            check_inside(self.root / asset, f"{partition}/{run_id}".removesuffix("/"))
        except OutsideError as error:
            raise ArtifactError(str(error)) from None
        return self.root / asset / name_below(self.root, partition) / run_id

    @contextmanager
    def draft(self, asset: str, partition: str, run_id: str, *, unreported: bool = False) -> Iterator[Path]:
        """An empty folder on this machine for the files of a new version, which `publish` puts in place.

        Args: `unreported`: what an earlier attempt of the run has published is taken back, since nothing names it.
        Raises: ArtifactError when the version has been published: a published version is never overwritten.
        """
        target = self.prepare(asset, partition, run_id, unreported=unreported)
        if isinstance(target, Path):
            yield target
            return
        with TemporaryFolder() as folder:
            yield folder.path

    def prepare(self, asset: str, partition: str, run_id: str, *, unreported: bool = False) -> AnyPath:
        """Where a new version goes, with nothing in it of an attempt that was not published.

        Args: `unreported`: as of `draft`. Raises: ArtifactError as `draft`.
        """
        folder = self.folder(asset, partition, run_id)
        if unreported:
            (folder / MANIFEST).unlink(missing_ok=True)
        if (folder / MANIFEST).exists():
            raise ArtifactError(
                f"{asset} {partition} has been published by run {run_id}; launch a new run to remake it"
            )
        if not isinstance(folder, Path):
            if folder.exists():
                folder.fs.rm(folder.path, recursive=True)
            return folder
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        return folder

    @staticmethod
    def publish(folder: Path, manifest: Mapping[str, Any], to: AnyPath | None = None) -> Artifact:
        """Put the files of a draft in place, and write the manifest, after which the version exists.

        Args: `to`: the version's folder, which may hold files already; None: the draft's.
        Raises: ArtifactError when another attempt of its run has published it; StrayFileError.
        """
        files = _files(folder)
        target = folder if to is None else to
        if isinstance(target, Path):
            return _publish_here(target, files, manifest)
        if (target / MANIFEST).exists():
            raise _published(target)
        drafts = {path.relative_to(folder).as_posix(): path for path in files}
        if drafts:
            _put(target.fs, [str(path) for path in drafts.values()], [(target / name).path for name in drafts])
        sizes = {name: entry["size"] for name, entry in sorted(listed_below(target).items())}
        full = {**manifest, **stamp(), "files": sizes}
        _write_manifest(target, full)
        return Artifact(target, full)

    def load(self, asset: str, partition: str, run_id: str) -> Artifact:
        """A published version.

        Raises: ArtifactError when it does not exist.
        """
        return load_artifact(self.folder(asset, partition, run_id))


def load_artifact(folder: AnyPath) -> Artifact:
    """The published version in a folder.

    Raises: ArtifactError when there is none: the folder is missing, or its run did not end well; StoreError when there
    is no store.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        check_manifest(folder, manifest)
        return Artifact(folder, manifest)
    except FileNotFoundError:
        _check_bucket(folder)
        raise ArtifactError(f"there is no artifact in {folder}: its {MANIFEST} is missing") from None
    except ValueError as error:
        raise ArtifactError(f"there is no artifact in {folder}: its {MANIFEST} is damaged: {error}") from None


def check_manifest(folder: AnyPath, manifest: Mapping[str, Any]) -> None:
    """Refuse a manifest of a newer version, or whose files are not in its folder.

    Raises: StoreError, as nothing is lost; OutsideError.
    """
    try:
        check_format(folder, manifest, STORE_FORMAT)
    except NewerFormatError as error:
        raise StoreError(str(error)) from None
    for name in manifest.get("files", {}):
        check_inside(folder, name)


def _check_bucket(folder: AnyPath) -> None:
    """Raise StoreError when not the folder is missing, but the bucket that it would lie in."""
    if isinstance(folder, Path):
        return
    try:
        # Of a folder that is missing, it finds nothing.
        folder.fs.find(folder.path)
    except FileNotFoundError:
        raise StoreError(f"{folder}: there is no bucket {folder.drive}") from None


def _write_manifest(folder: UPath, manifest: Mapping[str, Any]) -> None:
    """Write a manifest that is there as a whole, or not at all. Raises: ArtifactError as `publish`."""
    if folder.protocol not in RENAMING:
        # An object is there once all of it is.
        (folder / MANIFEST).write_text(_text(manifest), encoding="utf-8")
        return
    unfinished = folder / f".{MANIFEST}-{uuid4().hex}"
    unfinished.write_text(_text(manifest), encoding="utf-8")
    try:
        folder.fs.mv(unfinished.path, (folder / MANIFEST).path)
    except FileExistsError:
        unfinished.unlink()
        raise _published(folder) from None


def _published(folder: AnyPath) -> ArtifactError:
    return ArtifactError(f"{folder} has been published by another attempt of its run; launch a new run")


def _put(store: Any, here: Sequence[str], there: Sequence[str]) -> None:
    """Put files of this machine into a store, several at once: until one is closed, HDFS may take half a second."""
    if store.async_impl:
        # It does so itself.
        store.put(here, there)
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(store.put_file, here, there):
            pass


def _files(folder: Path) -> list[Path]:
    """The files of a draft. Raises: StrayFileError."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        # What it leads to may change, or be nobody's to show.
        if not path.resolve().is_relative_to(folder.resolve()):
            raise StrayFileError(f"{path} leads out of its artifact, to {path.resolve()}: save the file itself")
    return files


def _publish_here(folder: Path, files: Sequence[Path], manifest: Mapping[str, Any]) -> Artifact:
    full = {
        **manifest,
        **stamp(),
        "files": {path.relative_to(folder).as_posix(): path.stat().st_size for path in files},
    }
    unfinished = folder / f".{MANIFEST}"
    unfinished.write_text(_text(full), encoding="utf-8")
    unfinished.rename(folder / MANIFEST)
    return Artifact(folder, full)


def _text(manifest: Mapping[str, Any]) -> str:
    return json.dumps(manifest, indent=1, sort_keys=True) + "\n"


def table_files(path: AnyPath) -> list[AnyPath]:
    """The Parquet files of a stored table, in the order of their rows; the path itself where there is none."""
    if not path.is_dir():
        return [path]
    return sorted(
        (file for file in path.iterdir() if file.suffix == ".parquet" and not file.name.startswith(("_", "."))), key=str
    )
