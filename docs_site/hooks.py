"""What MkDocs builds the site of: the pages of the repository under their own paths, and the reference.

Links stay as a git forge follows them. One that leads to source or to a folder gets a page that shows it; one that
leads nowhere is left to MkDocs, which refuses it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

from docs_site.components import components_page
from docs_site.sources import LINK, page_of, pages_of, target_of

ROOT = Path(__file__).parents[1]
_FILES = ("*.md", "docs/**/*.md", "docs/**/*.svg", "docs/**/*.png", "docs_site/*.css")
#: Pages that are made here alone, by name.
REFERENCE: dict[str, Callable[[], str]] = {
    "reference/components.md": components_page,
    "reference/step.md": lambda: "::: ml_assets.notebooks.step.Step\n",
}


def on_config(config: MkDocsConfig) -> None:
    """Find the pages that an entry of the navigation with a star stands for."""
    config.nav = list(_expanded(config.nav or []))


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages and pictures of the repository, and what they lead to, in place of the files of one folder."""
    found = Files([file for file in files if file.src_dir != config.docs_dir])
    for name in sorted({path.relative_to(ROOT).as_posix() for pattern in _FILES for path in ROOT.glob(pattern)}):
        found.append(File(name, str(ROOT), config.site_dir, use_directory_urls=config.use_directory_urls))
    for name, make in REFERENCE.items():
        found.append(File.generated(config, name, content=make()))
    pages = {file.src_uri: file.content_string for file in found.documentation_pages()}
    linked = {target_of(page, link) for page, text in pages.items() for link in LINK.findall(text)} - {*found.src_uris}
    for path in sorted(one for one in linked if page_of(ROOT, one)):
        for name, text in pages_of(ROOT, path):
            if name not in found.src_uris:
                listed = InclusionLevel.INCLUDED if name in _named(config.nav or []) else InclusionLevel.NOT_IN_NAV
                found.append(File.generated(config, name, content=text, inclusion=listed))
    return found


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  (its interface)
    """Let links to source and folders lead to the pages that show them."""
    own = page.file.src_uri

    def led(link: str) -> str:
        path = target_of(own, link)
        shown = page_of(ROOT, path) or ""
        return link.rstrip("/") + shown.removeprefix(path) if shown in files.src_uris else link

    return LINK.sub(lambda found: led(found[1]), markdown)


def _expanded(entries: list[Any]) -> Iterator[Any]:
    for entry in entries:
        if isinstance(entry, dict):
            ((title, below),) = entry.items()
            yield {title: list(_expanded(below)) if isinstance(below, list) else below}
        elif "*" in entry:
            yield from sorted(PurePosixPath(path.relative_to(ROOT)).as_posix() for path in ROOT.glob(entry))
        else:
            yield entry


def _named(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        for one in entry.values() if isinstance(entry, dict) else [entry]:
            yield from _named(one) if isinstance(one, list) else [one]
