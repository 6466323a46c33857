"""What a store holds of an asset, by one listing, held against the versions that it should hold.

Light: the plan imports this. No content is read here but the manifests.
"""

import json
import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ml_assets.data.artifacts.store import MANIFEST, ArtifactStore, StoreError, check_manifest
from ml_assets.paths import AnyPath, name_below


class Version(NamedTuple):
    """A version of an asset: its partition, and the run that made it."""

    partition: str
    run: str


class Inventory:
    """The files that a store holds of an asset."""

    def __init__(self, store: ArtifactStore, asset: str) -> None:
        """List them. Raises: StoreError."""
        self._store, self._asset, self._root = store, asset, store.root / asset
        try:
            self._sizes = _listed(self._root)
        except Exception as error:
            # Stores raise errors of their own kinds.
            raise StoreError(f"the store {store.root} cannot be listed: {_words(error)}") from error
        #: Of the versions that are there as a whole, once they were asked for.
        self.manifests: dict[Version, Mapping[str, Any]] = {}

    def losses(self, versions: Iterable[Version]) -> dict[Version, str]:
        """The versions that are not there as they were published, and of each the file that is lost.

        Raises: StoreError.
        """
        wanted = {version: f"{self._folder(version)}/{MANIFEST}" for version in versions}
        there = {version: name for version, name in wanted.items() if self._sizes.get(name)}
        texts = self._read(there.values())
        lost: dict[Version, str] = {}
        for version, name in wanted.items():
            manifest = _manifest(texts.get(name))
            if manifest is None:
                lost[version] = f"{self._root / name}{' (damaged)' if name in self._sizes else ''}"
            elif what := self._missing(self._folder(version), manifest):
                lost[version] = what
            else:
                self.manifests[version] = manifest
        return lost

    def beside(self, known: Collection[Version]) -> list[str]:
        """The folders of versions that are not among those that are `known`, and the files that belong to none."""
        folders = {self._folder(version) for version in known}
        found = {"/".join(name.split("/")[:2]) if name.count("/") > 1 else name for name in self._sizes}
        return sorted(name for name in found if not _is_in(name, folders))

    def _folder(self, version: Version) -> str:
        return "/".join(filter(None, [name_below(self._root, version.partition), version.run]))

    def _missing(self, folder: str, manifest: Mapping[str, Any]) -> str | None:
        """The first file that is not there as it was published. What is named elsewhere is never read."""
        try:
            check_manifest(self._root / folder, manifest)
        except ValueError as error:
            return str(error)
        for file, size in manifest["files"].items():
            found = self._sizes.get(f"{folder}/{file}")
            if found != size:
                part = "" if found is None else f" ({found} of {size} bytes)"
                return f"{self._root / folder / file}{part}"
        return None

    def _read(self, names: Collection[str]) -> dict[str, bytes]:
        """Files by name, without those that have gone meanwhile."""
        try:
            if isinstance(self._root, Path):
                return {name: content for name in names if (content := _content(self._root / name)) is not None}
            paths = {(self._root / name).path: name for name in names}
            contents = self._root.fs.cat(list(paths), on_error="return") if paths else {}
            for content in contents.values():
                if isinstance(content, Exception) and not isinstance(content, FileNotFoundError):
                    raise content
        except Exception as error:
            raise StoreError(f"the store {self._store.root} cannot be read: {_words(error)}") from error
        return {paths[path]: content for path, content in contents.items() if isinstance(content, bytes)}


def _manifest(text: bytes | None) -> Mapping[str, Any] | None:
    """A manifest; None where it is none."""
    try:
        found = json.loads(text or b"")
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("files"), dict) else None


def _listed(root: AnyPath) -> dict[str, int]:
    """The sizes of all files below a folder, by their names there; none where there is no such folder."""
    if not isinstance(root, Path):
        # Of a folder that is missing it finds nothing, of a bucket it raises.
        found = root.fs.find(root.path, detail=True)
        return {name.removeprefix(root.path).lstrip("/"): entry["size"] for name, entry in found.items()}
    sizes: dict[str, int] = {}
    folders = [("", str(root))]
    while folders:
        below, folder = folders.pop()
        # What goes meanwhile is not there.
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    folders.append((f"{below}{entry.name}/", entry.path))
                else:
                    with suppress(FileNotFoundError):
                        sizes[f"{below}{entry.name}"] = entry.stat().st_size
    return sizes


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _is_in(name: str, folders: Collection[str]) -> bool:
    # What was recorded by hand, of no run, lies in the folder of its partition.
    return name in folders or name.split("/", maxsplit=1)[0] in folders


def _words(error: Exception) -> str:
    """An error on one line, such as `PermissionError: Forbidden`."""
    return " ".join(f"{type(error).__name__}: {error}".split())
