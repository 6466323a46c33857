"""Pages for what the documentation links to and is no page: a folder of the repository, or a file of its source."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

#: A link to a place of the repository: its path, without the anchor.
LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)\s#]+)")
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".env": "bash"}


def target_of(page: str, link: str) -> str:
    """The path from the repository's root that a link of a page leads to."""
    return PurePosixPath(os.path.normpath(PurePosixPath(page).parent / link)).as_posix()


def page_of(root: Path, path: str) -> str | None:
    """The page that shows a folder or a file of source; None for what a page shows by itself, and what is not there."""
    if (root / path).is_dir():
        return f"{path}/index.md"
    shown = (root / path).is_file() and PurePosixPath(path).suffix in (*_LANGUAGES, ".ipynb")
    return f"{path}.md" if shown else None


def pages_of(root: Path, path: str) -> Iterator[tuple[str, str]]:
    """The page of a folder, with those of its files, or of a file: their names and texts."""
    if (root / path).is_file():
        yield f"{path}.md", _source(root, path)
        return
    files = sorted(one for one in (root / path).iterdir() if one.suffix in (".md", ".py") and one.name[0] != "_")
    sources = [one for one in files if one.suffix == ".py"]
    links = [f"- [{_title(one)}]({one.name if one.suffix == '.md' else f'{one.name}.md'})\n" for one in files]
    yield f"{path}/index.md", f"# {PurePosixPath(path).name}\n\n{''.join(links)}"
    for one in sources:
        yield from pages_of(root, one.relative_to(root).as_posix())


def _title(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".md":
        return text.partition("\n")[0].removeprefix("# ")
    said = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    return f"`{file.name}`: {said}" if said else f"`{file.name}`"


def _source(root: Path, path: str) -> str:
    # Of a notebook, the half that people read.
    file = (root / path).with_suffix(".py") if path.endswith(".ipynb") else root / path
    text = file.read_text(encoding="utf-8")
    # What is searched for is on the pages; headings of a source are none.
    front = "---\nsearch: {exclude: true}\nhide: [toc]\n---\n"
    return f"{front}\n# `{path}`\n\n~~~~~{_LANGUAGES[file.suffix]}\n{text}~~~~~\n"
