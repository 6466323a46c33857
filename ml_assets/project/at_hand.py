"""The Dagster project that a person works in: the nearest one above the working folder, ours or another."""

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from ml_assets.declarations.reading import DefsFileError
from ml_assets.declarations.scaffold import Declared
from ml_assets.demo_services import CHECKOUT

PYPROJECT = "pyproject.toml"


class NoProjectError(ValueError):
    """The working folder is in no Dagster project, or in one whose package is not found."""


class UnreadProjectError(NoProjectError):
    """The working folder is in a Dagster project that is not declared as it is read here."""


def root_at_hand() -> Path:
    """The folder of the project that a person works in; ours outside of any, where this package is a checkout.

    Raises: as `DagsterProject.around`.
    """
    try:
        return DagsterProject.around(Path.cwd()).root
    except UnreadProjectError:
        raise
    except NoProjectError:
        if not (CHECKOUT / PYPROJECT).exists():
            raise
        return CHECKOUT


@dataclass(frozen=True)
class DagsterProject:
    """The Dagster project at hand: its folder, its configuration, and where its package's `defs` lie below it."""

    root: Path
    config: Mapping[str, Any]
    defs: Path
    imports: Path

    @classmethod
    def around(cls, folder: Path) -> "DagsterProject":
        """The nearest project above a folder. Raises: NoProjectError; DefsFileError of a file that cannot be read."""
        for root in (folder, *folder.parents):
            file = root / PYPROJECT
            try:
                config = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise DefsFileError(f"{file}: is no TOML: {error}") from error
            declared = config.get("tool", {}).get("dg", {}).get("project")
            if declared and "root_module" in declared:
                return cls._of(root, config, declared)
            if (root / "dg.toml").exists():
                right = f"declare the project in {PYPROJECT}, as tool.dg.project"
                raise UnreadProjectError(f"{root / 'dg.toml'}: is not read here; {right}")
        raise NoProjectError(
            f"{folder} is in no Dagster project: no pyproject.toml above has "
            "tool.dg.project.root_module; `ml-assets init FOLDER` makes one"
        )

    @classmethod
    def _of(cls, root: Path, config: Mapping[str, Any], declared: Mapping[str, str]) -> "DagsterProject":
        package = Path(*declared["root_module"].split("."))
        defs = Path(*declared.get("defs_module", f"{declared['root_module']}.defs").split("."))
        for base in (Path(), Path("src")):
            if (root / base / package).is_dir():
                return cls(root, config, base / defs, root / base)
        raise UnreadProjectError(f"{root / PYPROJECT}: tool.dg.project.root_module: there is no folder {package}")

    @property
    def definitions_module(self) -> str:
        """The module of the code location, as Dagster finds it."""
        declared = self.config["tool"]["dg"]["project"]
        module: str = declared.get("code_location_target_module", f"{declared['root_module']}.definitions")
        return module

    @property
    def has_slow_tests(self) -> bool:
        """Whether its tests have the marker `slow`."""
        options = self.config.get("tool", {}).get("pytest", {}).get("ini_options", {})
        return any(str(marker).startswith("slow") for marker in options.get("markers", ()))

    def declared(self) -> Declared:
        """What it declares so far."""
        # A command does not look for modules in the working folder.
        sys.path.insert(0, str(self.imports))
        return Declared.of(dg.ComponentTree.for_project(self.root))
