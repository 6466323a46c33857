"""Keeps each notebook and its .py in step: two files, one text.

The `.py` (jupytext's percent format) says what the cells are; the `.ipynb` adds their ids. Outputs, execution counts
and metadata beyond the kernel and the cells' tags are left out.
Which half wins: the one that changed since both last agreed, be that in a commit or when they were last brought into
step. Where both changed, or nothing tells, a person says. Times of files are not asked: a clone gives all the same.
Which cell became which is the matter of `cells`, what either text can hold of `percent`; running notebooks does not
belong here.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

from nbformat import NotebookNode

from ml_assets.authoring.percent import from_text, kernel_of, lost_by_ipynb, lost_by_py, to_ipynb, to_text
from ml_assets.notebooks.code.cells import Cell, align, has_id
from ml_assets.notebooks.code.formats import FormatError, reads
from ml_assets.notebooks.code.git import git
from ml_assets.whole_files import write_whole

Half = Literal["py", "ipynb"]

_CELL_LINE = re.compile(r"^# %%", re.MULTILINE)
_COMMITS = 20


class PairError(ValueError):
    """A file is no half of a pair, or both halves were edited."""


class Pair(NamedTuple):
    """The two files of a notebook; one of them may be missing."""

    py: Path
    ipynb: Path

    @property
    def agreed(self) -> Path:
        """The text that both had when they were last brought into step; beside Jupyter's own, ignored by git."""
        return self.ipynb.parent / ".ipynb_checkpoints" / f"{self.ipynb.stem}-paired.py"


def find_pairs(paths: Iterable[Path]) -> list[Pair]:
    """The pairs of files, and of all files in folders: not those in hidden folders, nor executed copies.

    Raises: PairError when a path does not exist, or is of another kind.
    """
    found: set[Path] = set()
    for path in paths:
        if path.is_dir():
            files = filter(Path.is_file, chain(path.rglob("*.py"), path.rglob("*.ipynb")))
            found.update(file.with_suffix("") for file in files if not _is_hidden(file.relative_to(path)))
        elif not path.exists():
            raise PairError(f"{path}: there is no such file or folder")
        elif path.suffix not in {".py", ".ipynb"}:
            raise PairError(f"{path}: is no half of a notebook; name a .py, an .ipynb or a folder")
        elif ".ipynb_checkpoints" not in path.parts:
            found.add(path.with_suffix(""))
    pairs = (Pair(stem.with_name(f"{stem.name}.py"), stem.with_name(f"{stem.name}.ipynb")) for stem in sorted(found))
    return [pair for pair in pairs if _is_pair(pair)]


def find_problems(pair: Pair) -> list[str]:
    """What keeps the halves from being in step, by file and cell; none when `bring_into_step` would write neither."""
    for half, other in ((pair.py, pair.ipynb), (pair.ipynb, pair.py)):
        if not half.exists():
            return [f"{half}: is missing; write it with: ml-assets pair {other}"]
    try:
        text, notebook = _read_text(pair.py), _parse(_read_text(pair.ipynb), pair.ipynb)
    except PairError as error:
        return [str(error)]
    return [
        *_lost(pair.py, text),
        *_lost(pair.ipynb, notebook),
        *_differences(pair, text, notebook),
        *_unclean(pair, notebook),
    ]


def bring_into_step(pair: Pair, prefer: Half | None = None) -> list[str]:
    """Write what is missing, differs or holds too much, and say what was written.

    Args: `prefer` is the half that wins where they differ; None: the one that changed since both last agreed.
    Raises: PairError when both changed, when one holds what the other would lose, or when a file is no half.
    """
    text = _read_text(pair.py) if pair.py.exists() else None
    lost = [] if text is None else _lost(pair.py, text)
    notebook = _read_old(pair, prefer)
    same = text is not None and notebook is not None and _state(text) == _state(to_text(notebook))
    wins = notebook is not None and not same and _winner(pair, text, notebook, prefer) == "ipynb"
    if notebook is not None and prefer != "py" and (wins or same):
        lost += _lost(pair.ipynb, notebook)
    if lost:
        raise PairError("\n".join(lost))
    written = []
    if notebook is not None and wins:
        text, same = to_text(notebook), True
        _write(pair.py, text)
        written.append(f"wrote {pair.py} from {pair.ipynb}")
    assert text is not None  # noqa: S101 - one of the two exists
    if find_problems(pair):
        _write(pair.ipynb, to_ipynb(text, notebook or _committed_notebook(pair)))
        written.append(f"cleaned {pair.ipynb}" if same else f"wrote {pair.ipynb} from {pair.py}")
    _write(pair.agreed, text)
    return written


def find_unstaged(pair: Pair) -> list[str]:
    """The halves that git does not know: a commit of the other alone would break the pair."""
    known = (git(pair.py.parent, "ls-files", pair.py.name, pair.ipynb.name) or "").split("\n")
    return [f"{half}: is not in git's index; add it with: git add {half}" for half in pair if half.name not in known]


def changed_half(py: object, ipynb: object, agreed: Iterable[object]) -> Half | None:
    """The half that alone differs from what both agreed on, asked newest first; None when nothing tells."""
    for base in agreed:
        if (py == base) != (ipynb == base):
            return "ipynb" if py == base else "py"
    return None


def _winner(pair: Pair, text: str | None, notebook: NotebookNode, prefer: Half | None) -> Half:
    if text is None:
        return "ipynb"
    winner = prefer or changed_half(_state(text), _state(to_text(notebook)), _agreed_states(pair))
    if winner is None:
        raise PairError(
            f"{pair.py} and {pair.ipynb}: they differ, and neither is as they last agreed; see ml-assets pair --check "
            f"{pair.py}, and choose with: ml-assets pair --from py {pair.py}, or --from ipynb"
        )
    return winner


def _agreed_states(pair: Pair) -> Iterator[object]:
    """What both halves said when they agreed: in the newest such commit, and when last brought into step."""
    folder, names = pair.py.parent, (pair.py.name, pair.ipynb.name)
    for commit in (git(folder, "log", "--format=%H", f"-{_COMMITS}", "--", *names) or "").split():
        py, ipynb = (git(folder, "show", f"{commit}:./{name}") for name in names)
        if py is None or ipynb is None:
            continue
        try:
            state = _state(to_text(_parse(ipynb, pair.ipynb)))
        except PairError:
            continue
        if state == _state(py):
            yield state
            break
    if pair.agreed.exists():
        yield _state(_read_text(pair.agreed))


def _state(text: str) -> tuple[str, list[Cell]]:
    notebook = from_text(text)
    return kernel_of(notebook), [Cell.of(cell) for cell in notebook.cells]


def _lost(half: Path, held: str | NotebookNode) -> list[str]:
    """What a half holds that the other cannot."""
    found = lost_by_ipynb(held) if isinstance(held, str) else lost_by_py(held)
    return [f"{half}: {one}" for one in found]


def _differences(pair: Pair, text: str, notebook: NotebookNode) -> Iterator[str]:
    kernel, mine = _state(text)
    theirs = [Cell.of(cell) for cell in notebook.cells]
    if kernel != kernel_of(notebook):
        yield f"{pair.ipynb}: its kernel is {kernel_of(notebook)!r}; that of {pair.py.name} is {kernel!r}"
    for i, j in align(theirs, mine):
        if i is None and j is not None:
            yield f"{pair.py}: cell {j + 1} ({mine[j]}) is not in {pair.ipynb.name}"
        elif j is None and i is not None:
            yield f"{pair.ipynb}: cell {i + 1} ({theirs[i]}) is not in {pair.py.name}"
        elif i is not None and j is not None and theirs[i] != mine[j]:
            what = [name for name, a, b in zip(Cell._fields, theirs[i], mine[j], strict=True) if a != b]
            yield (
                f"{pair.py}: cell {j + 1} ({mine[j]}) differs from cell {i + 1} ({theirs[i]}) of {pair.ipynb.name} "
                f"in {' and '.join(what)}"
            )


def _unclean(pair: Pair, notebook: NotebookNode) -> Iterator[str]:
    # jupytext's own note is no reason to fail; it goes when something else is written.
    if extra := sorted(set(notebook.metadata) - {"kernelspec", "jupytext"}):
        yield f"{pair.ipynb}: holds metadata: {', '.join(extra)}"
    ids = Counter(cell.get("id") for cell in notebook.cells)
    for number, cell in enumerate(notebook.cells, 1):
        where = f"{pair.ipynb}: cell {number} ({Cell.of(cell)})"
        if cell.get("outputs"):
            yield f"{where} holds outputs"
        if cell.get("execution_count") is not None:
            yield f"{where} holds an execution count, {cell['execution_count']}"
        if extra := sorted(set(cell.metadata) - {"tags"}):
            yield f"{where} holds metadata: {', '.join(extra)}"
        if not has_id(cell):
            yield f"{where} has no id of letters, digits, - and _"
        elif ids[cell.id] > 1:
            yield f"{where} has the id {cell.id}, as another cell has"


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "executed" for part in path.parts)


def _is_pair(pair: Pair) -> bool:
    """Not a module beside notebooks, and not the copy that papermill executed."""
    if not pair.ipynb.exists():
        return _CELL_LINE.search(_read_text(pair.py)) is not None
    return pair.py.exists() or '"papermill": {' not in _read_text(pair.ipynb)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PairError(f"{path}: is no text in UTF-8: {error}") from None


def _read_old(pair: Pair, prefer: Half | None) -> NotebookNode | None:
    """The .ipynb; None where there is none, or where one that cannot be read is to be written from the .py."""
    if not pair.ipynb.exists():
        return None
    try:
        return _parse(_read_text(pair.ipynb), pair.ipynb)
    except PairError:
        if prefer == "py" and pair.py.exists():
            return None
        raise


def _parse(text: str, path: Path) -> NotebookNode:
    try:
        return reads(text)
    except FormatError as error:
        raise PairError(
            f"{path}: is no Jupyter notebook (version 4): {str(error)[:100]}; to write it from its .py: "
            f"ml-assets pair --from py {path}"
        ) from None


def _committed_notebook(pair: Pair) -> NotebookNode | None:
    """The .ipynb of the last commit, for its ids."""
    text = git(pair.ipynb.parent, "show", f"HEAD:./{pair.ipynb.name}")
    try:
        return _parse(text, pair.ipynb) if text else None
    except PairError:
        return None


def _write(path: Path, text: str) -> None:
    """Write all or nothing; what would not change is not touched."""
    path = path.resolve()
    if path.exists() and path.read_bytes() == text.encode():
        return
    path.parent.mkdir(exist_ok=True)
    write_whole(path, text)
