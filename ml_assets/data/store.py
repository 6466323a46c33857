"""Artifacts: immutable versions that exist only once their manifest does.

`<root>/<asset>/<partition>/<run id>/…`, with `manifest.json` written last: no folder is renamed, so that stores without
renames can hold artifacts too. Light: lineage and the sensor's process import this.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"


class ArtifactError(Exception):
    """An artifact that does not exist, or cannot be written."""


@dataclass(frozen=True)
class Artifact:
    """A published version of one partition of an asset."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def data_version(self) -> str:
        """The hash of the content."""
        return self.manifest["data_version"]

    @property
    def size(self) -> int:
        """Bytes of all files but the manifest."""
        return sum(self.manifest["files"].values())


@dataclass(frozen=True)
class ArtifactStore:
    """The folder that holds all artifacts."""

    root: Path

    def folder(self, asset: str, partition: str, run_id: str) -> Path:
        """Where a version lies, or would lie."""
        return self.root / asset / partition / run_id

    def prepare(self, asset: str, partition: str, run_id: str) -> Path:
        """An empty folder for a new version.

        Raises: ArtifactError when the version has been published: a published version is never overwritten.
        """
        folder = self.folder(asset, partition, run_id)
        if (folder / MANIFEST).exists():
            raise ArtifactError(
                f"{asset} {partition} has been published by run {run_id}; launch a new run to remake it"
            )
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        return folder

    @staticmethod
    def publish(folder: Path, manifest: Mapping[str, Any]) -> Artifact:
        """Write the manifest, after which the version exists."""
        sizes = {
            path.relative_to(folder).as_posix(): path.stat().st_size
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        full = {**manifest, "files": sizes}
        draft = folder / f".{MANIFEST}"
        draft.write_text(json.dumps(full, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        draft.rename(folder / MANIFEST)
        return Artifact(folder, full)

    def load(self, asset: str, partition: str, run_id: str) -> Artifact:
        """A published version.

        Raises: ArtifactError when it does not exist.
        """
        return load_artifact(self.folder(asset, partition, run_id))


def load_artifact(folder: Path) -> Artifact:
    """The published version in a folder.

    Raises: ArtifactError when there is none: the folder is missing, or its run did not end well.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise ArtifactError(f"there is no artifact in {folder}: its {MANIFEST} is missing")
    return Artifact(folder, json.loads(path.read_text(encoding="utf-8")))


def table_files(path: Path) -> list[Path]:
    """The Parquet files of a stored table, in the order of their rows; the path itself where there is none."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix == ".parquet" and not file.name.startswith(("_", ".")))
