"""Which version of ml_assets this is, and which one wrote what a home and a store hold.

Refused is by format, and not by version: a format is a number that grows when earlier releases would misread what is
written, or spoil it (docs/adr/0018-upgrades.md). Does not belong here: the formats of single files, such as a model's.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from ml_assets import variables
from ml_assets.whole_files import write_whole

#: Of what a home keeps in Dagster's tables, and where its files lie. 1: all that has no mark, as of 0.1.0.
HOME_FORMAT = 2
#: Of artifacts. 1: all whose manifest names none.
STORE_FORMAT = 1
#: In a home: what wrote there last.
MARK = "ml_assets.json"


class NewerFormatError(Exception):
    """What is there was written by a version whose formats this one does not know."""


class MarkError(ValueError):
    """The mark of a home, or that in a manifest, cannot be understood."""


@cache
def current_version() -> str:
    """The version of this package, as pyproject.toml says it; `unknown` where it is not installed."""
    try:
        return version_of("ml-assets")
    except PackageNotFoundError:
        return "unknown"


def stamp() -> dict[str, Any]:
    """What an artifact's manifest says of who wrote it."""
    return {"format": STORE_FORMAT, "written_by": current_version()}


def check_format(where: object, found: Mapping[str, Any], known: int) -> None:
    """Refuse what a newer version wrote. Args: `found`: its mark, or its manifest. Raises: NewerFormatError."""
    number = found.get("format", 1)
    if not isinstance(number, int):
        raise MarkError(f"{where}: format: {number!r}; this is a number")
    if number > known:
        other = found.get("written_by", "a newer version")
        raise NewerFormatError(
            f"{where}: was written by ml_assets {other} in format {number}; this is {current_version()}, which knows "
            f"{known} at most: install ml_assets {other} or a later one, or restore the backup of before its upgrade"
        )


def check_home(home: Path) -> None:
    """Refuse a home of a newer version. Raises: NewerFormatError; MarkError."""
    check_format(home, _read(home), HOME_FORMAT)


def check_home_at_hand() -> None:
    """Refuse the home that the environment names, if any. Raises: as `check_home`."""
    # Why one cannot be read is for whoever opens it to tell.
    if home := variables.get(variables.HOME):
        with suppress(OSError):
            check_home(Path(home))


def mark_home(home: Path) -> None:
    """Say that this version writes to a home, before it does.

    Where the mark cannot be written, as in a pod's home that is read alone, what is written goes elsewhere: into a
    database and a store, whose manifests are marked, too.
    Raises: as `check_home`.
    """
    found, ours = _read(home), {"format": HOME_FORMAT, "written_by": current_version()}
    check_format(home, found, HOME_FORMAT)
    if found != ours:
        with suppress(OSError):
            write_whole(home / MARK, json.dumps(ours, indent=1) + "\n")


def _read(home: Path) -> dict[str, Any]:
    """The mark of a home; empty where it has none."""
    path = home / MARK
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValueError as error:
        raise MarkError(f"{path}: is no JSON: {error}; restore it from a backup") from None
    if not isinstance(found, dict):
        raise MarkError(f"{path}: {found!r}; this is a mapping with format and written_by")
    return found
