"""Shows executed notebooks in the Dagster UI from where they are kept.

Dagster's code server reads them from files below its own working folder alone, which another process may not have
written, and an object store is not.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from ml_assets import variables
from ml_assets.orchestration.resources import NoStorageError, Storage
from ml_assets.paths import AnyPath, path_of

#: The modules of Dagster that look the function up by its name, if this process has loaded them.
_READERS = ("dagster._grpc.server", "dagster._core.remote_representation.code_location")
_NAME = "get_notebook_data"


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
        try:
            path = path_of(notebook_path)
        except (ValueError, ImportError):
            # No place that this project knows.
            return self.otherwise(notebook_path)
        if path.suffix == ".ipynb" and ".." not in path.parts and self._holds(path):
            return path.read_bytes()
        return self.otherwise(notebook_path)

    def _holds(self, path: AnyPath) -> bool:
        try:
            root = self._storage.below(variables.get(variables.HOME) or str(Path.cwd()))
        except NoStorageError:
            return False
        if isinstance(path, Path) or isinstance(root, Path):
            return isinstance(path, Path) and isinstance(root, Path) and path.resolve().is_relative_to(root.resolve())
        return str(path).startswith(f"{str(root).rstrip('/')}/")
