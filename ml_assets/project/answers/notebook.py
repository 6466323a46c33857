"""Finds the executed notebook of a run, and exports it as a page that needs no Jupyter."""

from contextlib import suppress
from pathlib import Path

from ml_assets.notebooks.running.executed import executed_path
from ml_assets.notebooks.running.page import standalone
from ml_assets.paths import AnyPath, OutsideError
from ml_assets.project.output import writing
from ml_assets.project.project import Project


class NoNotebookError(Exception):
    """There is no executed notebook as asked for. The message names what there is."""


def find_executed(project: Project, asset: str, partition: str, run_id: str | None) -> AnyPath:
    """The executed notebook of a partition by a run; the latest one where no run is named.

    Raises: NoAssetError; NoNotebookError.
    """
    model, _, _ = project.find(asset)
    root = project.executed_root
    left: list[AnyPath] = []
    # What is no name of a folder is no partition either.
    with suppress(OutsideError):
        left = list(executed_path(root, asset, partition, "*").parent.glob("*.ipynb"))
    newest_first = {path.stem: path for path in sorted(left, key=lambda path: -path.stat().st_mtime)}
    if not newest_first:
        try:
            model.partitions.index_of(partition)
        except ValueError as error:
            raise NoNotebookError(str(error)) from None
        raise NoNotebookError(f"no run of {asset} {partition} has left a notebook in {root}")
    if run_id is None:
        return next(iter(newest_first.values()))
    if run_id not in newest_first:
        raise NoNotebookError(
            f"run {run_id} has left no notebook of {asset} {partition}; {', '.join(newest_first)} did"
        )
    return newest_first[run_id]


def write_html(notebook: AnyPath, output: Path) -> None:
    """Export a notebook with its outputs and pictures into one HTML file, in which nothing of it can act.

    Raises: OutputError.
    """
    title = "/".join(notebook.parts[-5:-1])
    with writing(output) as write:
        write(standalone(notebook.read_bytes(), title=title))
