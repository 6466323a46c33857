"""How what is declared may be called: services, logs and models, columns, files and folders, owners."""

import re
from collections.abc import Sequence

from ml_assets.domain.errors import SpecError

#: Of each part of a key. Names of files and of ops are made of both parts and a step, and have at most 255 bytes.
_LONGEST_PART = 100
_LONGEST_FILE_NAME = 255
#: What is no text, or means more than itself: to file systems, to object stores, or where names are patterns.
_ODD = re.compile(r"[\x00-\x1f\x7f\\/*?\[\]{}:]|^\s|\s$|^~")
_OWNER = re.compile(r"team:[\w-]+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")


def check_key(key: str, value: str) -> None:
    """Refuse a name that is not `<service>/<name>`, in letters, digits and underscores."""
    parts = value.split("/")
    if len(parts) != 2 or not all(part.isidentifier() and part.isascii() for part in parts):
        raise SpecError(key, value, "write <service>/<name> in letters, digits and underscores, such as ads/cvr")
    if max(map(len, parts)) > _LONGEST_PART:
        raise SpecError(key, value, f"at most {_LONGEST_PART} letters before the slash and after it")


def check_columns(key: str, names: Sequence[str]) -> None:
    """Refuse no column, a column without a name, and the same one twice: engines tell no case apart."""
    plain = [name.strip().lower() for name in names]
    if not names or not all(plain) or len(set(plain)) < len(plain):
        raise SpecError(key, list(names), "at least one column, each with a name, and each once, whatever its case")


def check_column(key: str, name: str | None) -> None:
    """Refuse a column without a name."""
    if name is not None and not name.strip():
        raise SpecError(key, name, "the name of a column")


def check_file(key: str, name: str, expected: str) -> None:
    """Refuse what is not the name of one file."""
    if name in {"", ".", ".."} or _ODD.search(name) or len(name.encode()) > _LONGEST_FILE_NAME:
        raise SpecError(key, name, expected)


def check_folder(key: str, path: str, expected: str) -> None:
    """Refuse what is not a folder below another: a URL, a pattern, an absolute path or one that leads out of it."""
    for part in path.removesuffix("/").split("/"):
        try:
            check_file(key, part, expected)
        except SpecError:
            raise SpecError(key, path, expected) from None


def check_owners(owners: Sequence[str]) -> None:
    """Refuse who is neither a team nor an e-mail address, as Dagster reads them, and the same one twice."""
    for owner in owners:
        if not _OWNER.fullmatch(owner):
            raise SpecError("owners", owner, "a team such as team:ranking, or an e-mail address")
    if len(set(owners)) < len(owners):
        raise SpecError("owners", list(owners), "each owner once")
