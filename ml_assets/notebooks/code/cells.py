"""The cells of a notebook: what they say, which became which in an edit, and their ids.

A cell keeps the id that it had, also when edited or moved; a new one gets a digest of its content.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import count, zip_longest
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from ml_assets.domain.versions import digest

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Cell(NamedTuple):
    """What both halves say of a cell."""

    kind: str
    source: str
    tags: tuple[str, ...]

    @classmethod
    def of(cls, cell: NotebookNode) -> "Cell":
        """The cell without its id, outputs and other metadata."""
        return cls(cell.cell_type, cell.source, tuple(cell.metadata.get("tags", ())))

    def node(self, **fields: str) -> NotebookNode:
        """The cell of an .ipynb, with no more than this."""
        make = getattr(nbformat.v4, f"new_{self.kind}_cell")
        return make(self.source, metadata={"tags": list(self.tags)} if self.tags else {}, **fields)

    def __str__(self) -> str:
        """The first line, to find it by."""
        return f"`{self.source.strip().partition(chr(10))[0][:60]}`"


def align(old: Sequence[Cell], new: Sequence[Cell]) -> Iterator[tuple[int | None, int | None]]:
    """Which cell became which, in order; what begins and ends alike is never matched otherwise."""
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    old_end, new_end = len(old) - tail, len(new) - tail
    yield from zip(range(head), range(head), strict=True)
    for _, i1, i2, j1, j2 in SequenceMatcher(None, old[head:old_end], new[head:new_end], autojunk=False).get_opcodes():
        yield from zip_longest(range(head + i1, head + i2), range(head + j1, head + j2))
    yield from zip(range(old_end, len(old)), range(new_end, len(new)), strict=True)


def _common(one: Sequence[Cell], other: Sequence[Cell]) -> int:
    """How many cells both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(one), len(other)))


def same_cells(old: Sequence[Cell], new: Sequence[Cell]) -> Iterator[tuple[int, int]]:
    """Old and new places of each cell that stayed, was edited or moved."""
    rows = list(align(old, new))
    gone = [i for i, j in rows if i is not None and j is None]
    for i, j in rows:
        if i is not None and j is not None:
            yield i, j
        elif j is not None and (moved := next((other for other in gone if old[other] == new[j]), None)) is not None:
            gone.remove(moved)
            yield moved, j


def ids_of(contents: Sequence[Cell], matches: Mapping[int, NotebookNode]) -> list[str]:
    """The ids of cells by place: those of what they were before, else a digest, made unique by a counter."""
    ids: dict[int, str] = {}
    for place, old in matches.items():
        if has_id(old) and old.id not in ids.values():
            ids[place] = old.id
    for place, (kind, source, _) in enumerate(contents):
        if place not in ids:
            candidates = (digest(kind, source, number)[:8] for number in count())
            ids[place] = next(id_ for id_ in candidates if id_ not in ids.values())
    return [ids[place] for place in range(len(contents))]


def has_id(cell: NotebookNode) -> bool:
    """Whether the cell has an id that Jupyter accepts."""
    return _ID.fullmatch(str(cell.get("id", ""))) is not None
