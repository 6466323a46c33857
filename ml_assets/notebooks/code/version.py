"""Which code a partition was made by: the version of its notebook, and the commit of the project."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ml_assets.domain.errors import SpecError
from ml_assets.domain.versions import digest
from ml_assets.notebooks.code.config_reads import keys_read
from ml_assets.notebooks.code.formats import parse
from ml_assets.notebooks.code.git import git
from ml_assets.notebooks.code.library import library_versions
from ml_assets.notebooks.code.runnable import must_be
from ml_assets.notebooks.code.source import FileState, Source, imported_modules, read_source, state_of


def notebook_version(notebook: Path, config: Mapping[str, Any], *, root: Path, key: str = "notebooks") -> str:
    """A digest of the notebook's code, of what it imports of the project and of us, and of what it reads of `config`.

    Comments, blank lines, Markdown, outputs and metadata do not count, nor does what the cell tagged `parameters`
    holds: Dagster replaces it.
    Args: `root`: the project's folder; `key` names the place in the specification for the error.
    Raises: SpecError when the file is missing, is no notebook, cannot be run, or has no cell tagged `parameters`.
    """
    state = state_of(notebook)
    if state is None or notebook.is_dir():
        raise SpecError(key, str(notebook), "the path of a notebook, from the project's root")
    try:
        cells = _cells(notebook, state)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SpecError(key, str(notebook), f"a Jupyter notebook (version 4); this file is none: {error}") from None
    if cells.obstacle:
        raise SpecError(key, str(notebook), cells.obstacle)
    if cells.parameters != 1:
        raise SpecError(
            key,
            str(notebook),
            "a notebook with one code cell tagged `parameters`, which sets `context` (for example "
            f'`context = context_of("ads/cvr/model")`); it has {cells.parameters}',
        )
    modules, names = imported_modules((cell for cell in cells.code if cell), root=root, beside=notebook.parent)
    modules |= library_versions(names)
    seen = config if cells.config_keys is None else {key: config[key] for key in cells.config_keys & config.keys()}
    return digest([cell.text if cell else None for cell in cells.code], modules, dict(seen))


def config_keys_of(notebook: Path) -> frozenset[str] | None:
    """The keys of its model's `config` that a notebook reads; None: all of them."""
    state = state_of(notebook)
    return _cells(notebook, state).config_keys if state else None


class _Cells(NamedTuple):
    """The code cells of a notebook that hold code, None for one that Dagster replaces; and how many those are.

    `config_keys`: the keys of `config` that they read; None: all of them. `obstacle`: what keeps it from being run.
    """

    code: tuple[Source | None, ...]
    parameters: int
    config_keys: frozenset[str] | None
    obstacle: str | None


@cache
def _cells(notebook: Path, state: FileState) -> _Cells:  # noqa: ARG001  (a file of another state is read again)
    code: list[Source | None] = []
    texts: list[str] = []
    parameters = 0
    content = parse(notebook.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        tags = list(cell["metadata"].get("tags", ()))
        if cell["cell_type"] == "code":
            parameters += tags.count("parameters")
            text = "".join(cell["source"])
            source = None if "parameters" in tags else read_source(text)
            texts += [] if source is None else [text]
            if source is None or source.text:
                code.append(source)
    return _Cells(tuple(code), parameters, keys_read(texts), must_be(content))


def git_commit(root: Path) -> str | None:
    """The commit of the project, with `+changes` when files differ from it; None outside of a git checkout."""
    commit = git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return None
    return commit.strip() + ("+changes" if git(root, "status", "--porcelain") else "")
