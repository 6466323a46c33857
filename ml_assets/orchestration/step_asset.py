"""What the asset of one step runs: its notebook, and the version of its code."""

from dataclasses import dataclass
from pathlib import Path

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.errors import SpecError
from ml_assets.domain.versions import digest
from ml_assets.notebooks.code.harmless import HARMLESS_FILE, effective_version
from ml_assets.notebooks.code.standard import find_notebook
from ml_assets.notebooks.code.version import config_keys_of, notebook_version


class NotebookChangedError(Exception):
    """A notebook is not the one whose version would be recorded."""


@dataclass(frozen=True)
class StepAsset:
    """One step of one model: what its asset runs.

    `source_version`: the version of its code and declaration as they are; `code_version`: the one that it counts as,
    which differs after a change that was declared harmless. `config_keys`: the keys of the model's `config` that its
    notebook reads; None: all of them.
    """

    model: Model
    step: str
    horizon: Duration | None
    notebook: Path
    source_version: str
    code_version: str
    config_keys: frozenset[str] | None
    project_root: Path

    @classmethod
    def load(cls, model: Model, step: str, horizon: Duration | None, project_root: Path) -> "StepAsset":
        """Read the versions.

        Raises: SpecError when the notebook is missing, lies elsewhere or has no parameters cell, or the record of
        harmless changes cannot be accepted.
        """
        path = Path(getattr(model.notebooks, step))
        if path.is_absolute() or ".." in path.parts:
            raise SpecError(f"notebooks.{step}", str(path), "a path below the project's root")
        notebook = find_notebook(project_root, str(path))
        code = notebook_version(notebook, model.config, root=project_root, key=f"notebooks.{step}")
        source = digest(code, model.declaration_of(step, horizon))
        version = effective_version(project_root / HARMLESS_FILE, model.asset(step, horizon), source)
        return cls(model, step, horizon, notebook, source, version, config_keys_of(notebook), project_root)

    @property
    def declared_notebook(self) -> str:
        """The path of the notebook as it is declared, from the project's root."""
        return Path(getattr(self.model.notebooks, self.step)).as_posix()

    @property
    def name(self) -> str:
        """The asset key."""
        return self.model.asset(self.step, self.horizon)

    def check_loaded(self) -> None:
        """Refuse code that was edited after it was loaded: what runs is what is recorded.

        Raises: NotebookChangedError.
        """
        if self.load(self.model, self.step, self.horizon, self.project_root) != self:
            raise NotebookChangedError(
                f"{self.notebook.name}, a module of the project that it imports, or the record of harmless changes "
                "changed after it was loaded; reload the code location"
            )
