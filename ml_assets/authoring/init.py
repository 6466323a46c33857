"""Writes a project for models of one's own: an ordinary `dg` project, whose loop is declared and needs no Python."""

import re
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from ml_assets.declarations.new_defs import LOOP
from ml_assets.whole_files import write_whole

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_.][A-Za-z0-9]+)*")
#: What is written, by its template.
_FILES = {
    "pyproject.toml": "pyproject.toml",
    "Makefile": "Makefile",
    "README.md": "README.md",
    "Dockerfile": "Dockerfile",
    ".gitignore": "gitignore",
    ".dockerignore": "dockerignore",
    ".github/workflows/tests.yml": "ci.yml",
    "notebooks/README.md": "notebooks.md",
    "src/{package}/definitions.py": "definitions.py",
    "tests/test_project.py": "test_project.py",
}
_EMPTY = ("src/{package}/__init__.py", "src/{package}/defs/__init__.py")


class InitError(ValueError):
    """A project cannot be written. The message says what stands in the way; nothing was written."""


def write_project(folder: Path) -> list[Path]:
    """Write a project into a folder that has none, named after it.

    Returns: the files, from the folder.
    Raises: InitError when the folder's name can be no package's, or a file is there already.
    """
    name = folder.absolute().name
    if not _NAME.fullmatch(name):
        raise InitError(f"{name!r} names no package: name the folder by letters, digits, `-` and `_`, a letter first")
    package = re.sub(r"[-.]", "_", name).lower()
    if iskeyword(package):
        raise InitError(f"{name!r} names no package of Python, {package!r}")
    texts = {target: _template(source, name, package) for target, source in _FILES.items()}
    texts |= dict.fromkeys(_EMPTY, "") | {"src/{package}/defs/loop/defs.yaml": LOOP}
    written = {Path(target.format(package=package)): text for target, text in texts.items()}
    if there := [path for path in written if (folder / path).exists()]:
        raise InitError(f"{folder / there[0]} is there already, and would be overwritten; name a new folder")
    if find_spec(package):
        raise InitError(f"{name!r} names a package that is there already, {package!r}; name the folder otherwise")
    for path, text in written.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / path, text)
    return list(written)


def _template(source: str, name: str, package: str) -> str:
    text = files("ml_assets.authoring").joinpath("template", f"{source}.jinja").read_text(encoding="utf-8")
    # No HTML is made.
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    return environment.from_string(text).render(name=name, package=package, version=version("ml-assets"))
