"""The pages for people: their blocks of code, and what is prose in them."""

import re
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests.support.projects import REPOSITORY

_FENCE = re.compile(r"\s*```")
_SPAN = re.compile(r"`([^`]+)`")
_LISTED = subprocess.run(
    ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=REPOSITORY,
    capture_output=True,
    text=True,
    check=True,
)
#: All of the repository.
PAGES = sorted({REPOSITORY / name for name in _LISTED.stdout.split("\0") if name and (REPOSITORY / name).is_file()})


def name_of(page: Path) -> str:
    """A page as people call it, which is also the name of its test."""
    return page.relative_to(REPOSITORY).as_posix()


@dataclass(frozen=True)
class Block:
    """A block of code: on which page, below which heading and line, in which language (or none), and its text."""

    page: str
    heading: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """What is typed: a line each, without prompt and comment."""
        lines = (re.sub(r"(^|\s+)#.*", "", line.removeprefix("$ ")) for line in self.text.splitlines())
        return [line for line in lines if line]


def _lines(page: Path) -> Iterator[tuple[bool, int, str]]:
    """Each line, with its number, and whether it is of a block of code, its fences among them."""
    inside = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fence = bool(_FENCE.match(line))
        yield inside or fence, number, line
        inside ^= fence


def prose(page: Path) -> list[tuple[int, str]]:
    """The lines that are neither code nor of a table, with their numbers."""
    return [(n, line) for code, n, line in _lines(page) if not code and not line.lstrip().startswith("|")]


def blocks(page: Path) -> list[Block]:
    """The blocks of code of a page, in their order."""
    found, told = [], prose(page)
    for code, group in groupby(_lines(page), key=lambda one: one[0]):
        numbered = [(number, line) for _, number, line in group]
        fences = [at for at, (_, line) in enumerate(numbered) if _FENCE.match(line)] if code else []
        for start, end in zip(fences[::2], fences[1::2], strict=True):
            number, opening = numbered[start]
            text = "".join(f"{line}\n" for _, line in numbered[start + 1 : end])
            heading = next((line for n, line in reversed(told) if n < number and line.startswith("#")), "")
            found.append(
                Block(
                    name_of(page),
                    heading.lstrip("# "),
                    number,
                    opening.strip().removeprefix("```"),
                    textwrap.dedent(text),
                )
            )
    return found


def spans(page: Path) -> list[tuple[int, str]]:
    """What is code within prose and tables, with the line on which it begins; one may go on on the next line."""
    text = "".join("\n" if code else f"{line}\n" for code, _, line in _lines(page))
    return [
        (text.count("\n", 0, found.start()) + 1, " ".join(found[1].split()))
        for found in _SPAN.finditer(text)
        if "\n\n" not in found[1]
    ]


BLOCKS = [block for page in PAGES for block in blocks(page)]
