"""Shows executed notebooks in the Dagster UI from where they are kept, where nothing that they hold can act.

Dagster's code server reads them from files below its own working folder alone, which another process may not have
written, and an object store is not.
"""

import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlencode

import dagster as dg

from ml_assets import variables
from ml_assets.dagster_names import ModuleCodePointer
from ml_assets.notebooks.running.page import sandboxed
from ml_assets.orchestration.launching.runs import NoLocationError, find_location
from ml_assets.orchestration.recorded.shown import in_markdown
from ml_assets.orchestration.resources import NoStorageError, Storage
from ml_assets.paths import AnyPath, AwayError, path_of

#: The modules of Dagster that look the function up by its name, if this process has loaded them.
_READERS = ("dagster._grpc.server", "dagster._core.remote_representation.code_location")
_NAME = "get_notebook_data"


def link_to(executed: AnyPath, run: dg.DagsterRun, project_root: Path) -> dg.MetadataValue:
    """What opens an executed notebook in the UI by one click; its path alone, where the code location has no name.

    Args: `run`: that which leaves the notebook; `project_root`: the folder of the project that it runs.
    """
    location = _location_of(run, project_root)
    if location is None:
        return dg.MetadataValue.notebook(str(executed))
    # Of whatever host the UI is opened at.
    query = urlencode({"path": str(executed), "repoLocName": location}, safe="/:", quote_via=quote)
    return dg.MetadataValue.url(f"/notebook?{query}")


def _location_of(run: dg.DagsterRun, project_root: Path) -> str | None:
    if run.remote_job_origin is not None:
        return run.remote_job_origin.location_name
    # Launched without a workspace, as by `dagster asset materialize -m`.
    code = run.job_code_origin.repository_origin.code_pointer if run.job_code_origin else None
    if not isinstance(code, ModuleCodePointer):
        return None
    try:
        return find_location(project_root, code.module).location_name
    except NoLocationError:
        return None


def serve_executed(storage: Storage) -> None:
    """Let this process's code server read the executed notebooks below the root of `storage`, beside its own."""
    for name in _READERS:
        module = sys.modules.get(name)
        if module is not None:
            dagsters = getattr(module, _NAME)
            setattr(module, _NAME, _Reader(storage, getattr(dagsters, "otherwise", dagsters)))


class _Reader:
    """Reads a notebook; `otherwise` is Dagster's own way."""

    def __init__(self, storage: Storage, otherwise: Callable[[str], bytes]) -> None:
        self._storage = storage
        self.otherwise = otherwise

    def __call__(self, notebook_path: str) -> bytes:
        # Of an executed notebook: asset and partition.
        title = "/".join(PurePosixPath(notebook_path).parts[-5:-1])
        return sandboxed(self._read(notebook_path), title=title)

    def _read(self, notebook_path: str) -> bytes:
        try:
            path = path_of(notebook_path)
        except (ValueError, ImportError):
            # No place that this project knows.
            return self.otherwise(notebook_path)
        if path.suffix == ".ipynb" and ".." not in path.parts and "\0" not in notebook_path and self._holds(path):
            try:
                return path.read_bytes()
            except AwayError as error:
                return _note(str(error))
        return self.otherwise(notebook_path)

    def _holds(self, path: AnyPath) -> bool:
        try:
            root = self._storage.below(variables.get(variables.HOME) or str(Path.cwd()))
        except NoStorageError:
            return False
        if isinstance(path, Path) or isinstance(root, Path):
            return isinstance(path, Path) and isinstance(root, Path) and path.resolve().is_relative_to(root.resolve())
        return str(path).startswith(f"{str(root).rstrip('/')}/")


def _note(words: str) -> bytes:
    """A notebook that says why there is none to show."""
    from nbformat import v4, writes

    return str(writes(v4.new_notebook(cells=[v4.new_markdown_cell(in_markdown(words))]))).encode()
