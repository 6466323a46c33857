"""Compares the artifact store with what is recorded: what is lost, and what is there and was never recorded."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ml_assets.dagster_names import NOT_FINISHED_STATUSES
from ml_assets.data.artifacts.content import hash_files, hash_frame
from ml_assets.data.artifacts.inventory import Inventory, Version
from ml_assets.data.artifacts.store import Artifact, StoreError
from ml_assets.data.artifacts.tables import read_table
from ml_assets.domain.owed.lost import describe_lost
from ml_assets.notebooks.order import TABLE
from ml_assets.orchestration.recorded.lineage import recorded_versions
from ml_assets.paths import local_copy
from ml_assets.project.answers.plan import models_of
from ml_assets.project.project import Project
from ml_assets.temporary import TemporaryFolder


@dataclass
class Verified:
    """What was found, a line each: `lost`, with what is there by another content, and `extra`."""

    versions: int = 0
    lost: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)


def verify(project: Project, selection: str, *, hashes: bool, console: Console) -> Verified:
    """Look for the current versions of the selected assets, and for older ones that a current version was made of.

    Args: `hashes`: read their content, too, and compare it with the recorded data versions.
    Raises: NoAssetError; StoreError when the store does not say what it holds.
    """
    selected = project.select(selection)
    # Of what a model was made is told by all that the model has.
    needed = [asset for model in models_of(project, selected) for asset in model.assets]
    # Before the store is listed: what they have made by then is recorded.
    runs = project.instance.get_runs(dg.RunsFilter(statuses=[*NOT_FINISHED_STATUSES]))
    under_way = {run.run_id for run in runs}
    with _progress(console) as progress:
        task = progress.add_task("listing", total=len(needed))
        assets: dict[str, _Asset] = {}
        for name in needed:
            assets[name] = _Asset(project, name)
            progress.advance(task)
        for one in [*assets.values()]:
            for asset, version, of in one.made_of():
                if asset in assets:
                    assets[asset].readers.setdefault(version, of)
        found = Verified()
        progress.update(task, completed=0, total=sum(len(assets[name].wanted) for name in selected))
        progress.update(task, description="reading" if hashes else "comparing")
        for name in selected:
            for lines in assets[name].compare(hashes=hashes):
                found.lost += lines
                progress.advance(task)
            found.versions += len(assets[name].wanted)
            found.extra += assets[name].extra(under_way=under_way)
    return found


def render(found: Verified) -> Iterator[str]:
    """The lines, and their numbers."""
    yield from (f"lost: {line}" for line in found.lost)
    yield from (f"extra: {line}" for line in found.extra)
    lost = f"{len(found.lost)} of them lost" if found.lost else "all of them there"
    yield f"{found.versions} versions are recorded and needed, {lost}; {len(found.extra)} folders or files are extra"


class _Asset:
    """One asset: what is recorded of it, and what the store holds. `readers`: what older versions are needed for."""

    def __init__(self, project: Project, name: str) -> None:
        self.name, self._store = name, project.store
        by_partition = recorded_versions(project.instance, name)
        self._recorded = {Version(one, run): found for one, runs in by_partition.items() for run, found in runs.items()}
        self._current = {Version(partition, next(iter(runs))) for partition, runs in by_partition.items()}
        self._inventory = Inventory(project.store, name)
        self._losses = self._inventory.losses(self._current)
        self.readers: dict[Version, str] = {}

    @property
    def wanted(self) -> list[Version]:
        """The versions that should be there, in the order of their partitions."""
        return sorted(self._current | self.readers.keys())

    def made_of(self) -> Iterator[tuple[str, Version, str]]:
        """What its current versions were made of: asset and version, and by what it is read."""
        for version, manifest in self._inventory.manifests.items():
            for asset, of in _inputs(manifest):
                yield asset, of, f"{self.name} {version.partition}"

    def compare(self, *, hashes: bool) -> Iterator[list[str]]:
        """A step for each version: what is wrong with it, if anything."""
        self._losses |= self._inventory.losses(set(self.wanted) - self._current)
        for version in self.wanted:
            words = f"{self.name} {version.partition}"
            if version not in self._current:
                words += f" of run {version.run}, which {self.readers[version]} was made of,"
            if version in self._losses:
                yield [f"{words} is {describe_lost(self._losses[version])}"]
                continue
            manifest = self._inventory.manifests[version]
            recorded = self._recorded.get(version, manifest.get("data_version"))
            found = manifest.get("data_version")
            if hashes and recorded == found:
                found = self._content(version, manifest)
            folder = self._store.folder(self.name, version.partition, version.run)
            other = f"{words} has another content in {folder}: data version {found}, recorded is {recorded}"
            yield [] if recorded == found else [other]

    def extra(self, *, under_way: Collection[str]) -> list[str]:
        """What is there of no version that was ever recorded. Args: `under_way`: runs that may still record theirs."""
        names = self._inventory.beside(self._recorded)
        root = self._store.root / self.name
        return [f"{root / name} is recorded by nobody" for name in names if name.rpartition("/")[2] not in under_way]

    def _content(self, version: Version, manifest: Mapping[str, Any]) -> str:
        """The data version of what the files hold, as it is reckoned when they are saved."""
        artifact = Artifact(self._store.folder(self.name, version.partition, version.run), manifest)
        with TemporaryFolder() as copy:
            try:
                here = local_copy(artifact.folder, copy.path)
                as_files = hash_files([here / name for name in manifest["files"]], relative_to=here)
            except Exception as error:
                # Stores raise errors of their own kinds.
                raise StoreError(f"{artifact.folder} cannot be read: {type(error).__name__}: {error}") from error
            if not artifact.holds(TABLE):
                return as_files
            try:
                return hash_frame(read_table(here / TABLE))
            except (OSError, ValueError):
                # Its bytes were read, and are no table.
                return as_files


def _inputs(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Version]]:
    """What a version was made of, and what that was made of, as its manifest repeats it."""
    inputs: Iterable[tuple[str, Mapping[str, Any]]] = manifest.get("inputs", {}).items()
    for asset, of in inputs:
        yield asset, Version(of["partition"], of["run_id"])
        yield from _inputs(of)


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield progress
