"""Source as a code version sees it: without comments and blank lines, with the modules that it imports.

Works on the text itself, so that the version is equal under every version of Python. What is imported by a name made
at run time is not seen. Light: the code location imports this.
"""

import ast
import io
import os
import re
import tokenize
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.util import decode_source
from pathlib import Path
from typing import NamedTuple

from ml_assets.domain.versions import digest


class Source(NamedTuple):
    """Python source without comments and blank lines, and the dotted names in its imports that may be modules."""

    text: str
    names: frozenset[str]


class Read(NamedTuple):
    """A module that was read, and the version of its text."""

    source: Source
    version: str


#: This package.
PACKAGE = "ml_assets"
#: Of two states of a file that differ here, the contents may differ: time of modification, size.
FileState = tuple[int, int]

#: Lines that IPython alone understands: `%magic`, `!command`, `?help`, `help?`, `x = %magic`, `x = !command`; and the
#: head of a cell that holds Python nevertheless. Of another `%%head`, the cell is in another language.
_MAGIC = re.compile(
    r"^([ \t]*)(?:%%(?:time|timeit|capture|prun)\b.*|%[^%].*|[!?].*|[^#\s][^#]*\?|[\w., \t\[\]'\"]+=[ \t]*[%!].*)$"
)
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
# From Python 3.12 on, an f-string is many tokens between these two.
_STRING_START, _STRING_END = (
    {getattr(tokenize, f"{kind}STRING_{end}", None) for kind in "FT"} - {None} for end in ("START", "END")
)
_NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError)


def state_of(path: str | Path) -> FileState | None:
    """The state of a file; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116  (asked thousands of times while definitions load)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size


def read_source(text: str, package: str = "") -> Source:
    """Read a module or the code of a cell. What is not Python is kept as it is, and imports nothing.

    Args: `package`: the dotted name of the package that the module lies in, from which relative imports count.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return (
        _read_python(text, text, package)
        or _read_python(text, _without_magics(text), package)
        or Source(text.strip(), frozenset())
    )


def python_of(cell: str) -> tuple[ast.Module | None, list[str]]:
    """The syntax tree of a cell's Python, None where it is in another language; and its lines that are no Python."""
    text = cell.replace("\r\n", "\n").replace("\r", "\n")
    python = _without_magics(text)
    for source in (text, python):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(source)
        except _NOT_PYTHON:
            continue
        pairs = zip(text.split("\n"), source.split("\n"), strict=True)
        return tree, [line for line, read in pairs if line != read]
    return None, text.split("\n")


def imported_modules(sources: Iterable[Source], *, root: Path, beside: Path) -> tuple[dict[str, str], frozenset[str]]:
    """The project's modules that some sources import, also by way of one another: their versions by dotted name.

    Args: `root`: the project's folder, whose packages may lie in `src`; `beside`: the folder of the notebook, which
    comes first. What lies in neither is a library, and so is this package.
    Returns: the versions, and all names that are imported.
    """
    project = Modules([os.fspath(beside), os.fspath(root / "src"), os.fspath(root)])
    names = frozenset(name for source in sources for name in source.names)
    own = project.closure(names, lambda name: name.partition(".")[0] != PACKAGE)
    read = [found for name in own if (found := project.read(name))]
    return own, names.union(*(found.source.names for found in read))


class _Module(NamedTuple):
    """Where a module lies; a package has folders, and one without an `__init__.py` has no file."""

    file: str | None
    state: FileState | None
    folders: tuple[str, ...]


class Modules:
    """Finds modules by dotted names, as Python does."""

    def __init__(self, folders: Iterable[str]) -> None:
        """Args: `folders`: where they lie, the first of which comes first."""
        self._top = _Module(None, None, tuple(dict.fromkeys(folders)))
        self._found: dict[str, _Module | None] = {}
        self._listed: dict[str, frozenset[str]] = {}

    def closure(self, names: Iterable[str], counts: Callable[[str], bool]) -> dict[str, str]:
        """The modules of some names, also by way of one another: their versions by dotted name.

        Args: `counts`: whether a name is followed.
        """
        versions: dict[str, str] = {}
        waiting = {name for name in names if counts(name)}
        seen = set(waiting)
        while waiting:
            name = waiting.pop()
            if read := self.read(name):
                # A package's empty file says nothing.
                if read.source.text:
                    versions[name] = read.version
                new = {one for one in read.source.names if one not in seen and counts(one)}
                waiting |= new
                seen |= new
        return versions

    def read(self, name: str) -> "Read | None":
        """The source of a module; None where it is a library, or has no file."""
        module = self.find(name)
        if not module or not module.file or not module.state:
            return None
        return _read_module(module.file, module.state, name if module.folders else name.rpartition(".")[0])

    def find(self, name: str) -> _Module | None:
        """The module of a name; None where it is a library, or no module at all."""
        if name not in self._found:
            parent, _, last = name.rpartition(".")
            package = self.find(parent) if parent else self._top
            self._found[name] = self._find(last, package.folders) if package and package.folders else None
        return self._found[name]

    def _find(self, name: str, folders: tuple[str, ...]) -> _Module | None:
        namespace = []
        for folder in folders:
            path, names = f"{folder}{os.sep}{name}", self._list(folder)
            if name in names:
                if state := state_of(file := f"{path}{os.sep}__init__.py"):
                    return _Module(file, state, (path,))
                namespace.append(path)
            if f"{name}.py" in names and (state := state_of(file := f"{path}.py")):
                return _Module(file, state, ())
        return _Module(None, None, tuple(namespace)) if namespace else None

    def _list(self, folder: str) -> frozenset[str]:
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(os.listdir(folder))  # noqa: PTH208  (likewise)
            except OSError:
                self._listed[folder] = frozenset()
        return self._listed[folder]


@cache
def _read_module(file: str, state: FileState, package: str) -> Read:  # noqa: ARG001  (see FileState)
    data = Path(file).read_bytes()
    try:
        source = read_source(decode_source(data), package)
    except (SyntaxError, UnicodeDecodeError):
        source = Source(data.decode("latin-1"), frozenset())
    return Read(source, digest(source.text))


def _read_python(text: str, python: str, package: str) -> Source | None:
    """Read source by `python`, which has the same lines but for those that are not Python; None when it has others."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(python)
        return Source(_bare(text, python), frozenset(_names(tree, package)))
    except _NOT_PYTHON:
        return None


def _without_magics(text: str) -> str:
    return "\n".join(_MAGIC.sub(r"\1pass", line) for line in text.split("\n"))


def _bare(text: str, python: str) -> str:
    """The lines that hold code, without comments and trailing white space; the inside of strings stays as it is."""
    lines = text.split("\n")
    code: set[int] = set()
    ends_in_string: set[int] = set()
    opened: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(python).readline):
        (first, column), (last, _) = token.start, token.end
        if token.type == tokenize.COMMENT and not opened:
            lines[first - 1] = lines[first - 1][:column]
        if token.type in _NO_CODE:
            continue
        if token.type in _STRING_START:
            opened.append(first)
        elif token.type in _STRING_END:
            first = opened.pop()
        code.update(range(first, last + 1))
        ends_in_string.update(range(first, last))
    return "\n".join(lines[row - 1] if row in ends_in_string else lines[row - 1].rstrip() for row in sorted(code))


def _names(tree: ast.Module, package: str) -> Iterator[str]:
    """The dotted names of imports, and of the packages that they lie in."""
    for full, names in _imports(tree, package):
        for name in (full, *(f"{full}.{one}" for one in names)):
            parts = name.split(".")
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _imports(tree: ast.Module, package: str) -> Iterator[tuple[str, list[str]]]:
    """The module of each import and what is taken from it, but for imports that only type checkers see."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: 1 - node.level or None] if package and node.level else []
            if len(above) >= min(node.level, 1):
                yield ".".join([*above, *filter(None, [node.module])]), [alias.name for alias in node.names]
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            waiting += node.orelse
        else:
            children = ast.iter_child_nodes(node)
            waiting += [one for one in children if isinstance(one, (ast.stmt, ast.excepthandler, ast.match_case))]


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else None
    return name == "TYPE_CHECKING"
