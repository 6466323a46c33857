"""What a command says of a fault of what it works on, and not of its own: one line with where, what and the remedy.

Files and their rights, disks, the instance's database and its dagster.yaml, variables, stores and sources. All else is
a defect, which keeps its stack.
"""

import errno
import getpass
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import click

from ml_assets import variables

#: Not that of an answer, such as that a metric is owed.
EXIT_CODE = 3
_RIGHTS = "give user {user} the right to it, or run this as its owner"
_ROOM = "make room on the disk of {home}, or of {temporary}"
_REMEDIES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "raise the limit of `ulimit -f`",
    errno.EROFS: "mount it for writing, or name another place",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EIO: "look at the disk",
    errno.ENOTDIR: "name a folder",
    errno.ENAMETOOLONG: "name a shorter path",
    errno.ELOOP: "mend the link",
    errno.ESTALE: "mount it anew",
    errno.EMFILE: "raise the limit of `ulimit -n`",
    errno.ENFILE: "end other programs, or raise the limit of open files",
}
#: What SQLite says, and what to do. Anything else that it says is a defect.
_SQLITE = {
    "not a database": "restore it from a backup, as docs/production.md tells",
    "malformed": "restore it from a backup, as docs/production.md tells",
    "disk is full": _ROOM,
    "disk I/O error": f"look at the disk, its limits and its space: {_ROOM}",
    "readonly database": _RIGHTS,
    "unable to open database file": _RIGHTS,
    "database is locked": "another program holds it; wait until that has ended, or end it",
}


class Fault(click.ClickException):
    """A fault of what a command works on."""

    exit_code = EXIT_CODE


def describe(error: BaseException, home: Path | None) -> str | None:
    """The line of the fault that an error tells of, or that led to it; None of a defect.

    Args: `home`: the folder that the command works on, if any.
    """
    for cause in _causes(error):
        if line := _ours(cause) or _of_file(cause, home) or _of_database(cause, home) or _of_instance(cause, home):
            return " ".join(line.split())
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _ours(error: BaseException) -> str | None:
    # What a command does not need loads with none.
    from ml_assets.cli.home import HomeError
    from ml_assets.cli.output import OutputError
    from ml_assets.components.reading import DefsFileError
    from ml_assets.data.databases import SourceError
    from ml_assets.data.store import ArtifactError, StoreError
    from ml_assets.domain.errors import SpecError
    from ml_assets.environments import UnknownEnvironmentError
    from ml_assets.orchestration.resources import NoStorageError

    kinds = (ArtifactError, DefsFileError, HomeError, NoStorageError, OutputError, SourceError, SpecError, StoreError)
    return str(error) if isinstance(error, (*kinds, UnknownEnvironmentError)) else None


def _of_file(error: BaseException, home: Path | None) -> str | None:
    if not isinstance(error, OSError):
        return None
    if error.errno == errno.ENOENT and "usable temporary directory" in str(error.strerror):
        return f"{error.strerror}: make room there, or let TMPDIR name another folder"
    if error.errno not in _REMEDIES:
        return None
    place = f"{error.filename}: " if error.filename is not None else ""
    return f"{place}{error.strerror}; {_filled(_REMEDIES[error.errno], home)}"


def _of_database(error: BaseException, home: Path | None) -> str | None:
    from sqlalchemy.exc import DBAPIError, OperationalError

    if not isinstance(error, DBAPIError):
        return None
    said = str(error.orig)
    if isinstance(error.orig, sqlite3.Error):
        for words, remedy in _SQLITE.items():
            if words in said:
                return f"{_database_of(home, said)}: {said}; {_filled(remedy, home)}"
        return None
    if not isinstance(error, OperationalError):
        return None
    why = said.strip().partition("\n")[0]
    return f"{_config_of(home)}: storage: the database does not answer: {why}; start it, or mend its address"


def _of_instance(error: BaseException, home: Path | None) -> str | None:
    from dagster._core.errors import DagsterHomeNotSetError, DagsterInvalidConfigError

    from ml_assets.cli.home import describe_config

    if isinstance(error, DagsterHomeNotSetError):
        return f"{variables.HOME} is not set; let it name the home, as an absolute path"
    return describe_config(Path(_config_of(home)), error) if isinstance(error, DagsterInvalidConfigError) else None


def _database_of(home: Path | None, said: str) -> str:
    """The file of a home that SQLite means, which it does not tell; where none is found, the home."""
    corrupt = "not a database" in said or "malformed" in said
    for path in sorted(home.rglob("*.db")) if home is not None and corrupt else ():
        try:
            with sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True) as connection:
                (found,) = connection.execute("pragma quick_check(1)").fetchone()
        except sqlite3.Error:
            return str(path)
        if found != "ok":
            return str(path)
    return f"the database of {home or variables.get(variables.HOME)}"


def _config_of(home: Path | None) -> str:
    return str(Path(home or variables.get(variables.HOME) or "").absolute() / "dagster.yaml")


def _filled(remedy: str, home: Path | None) -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        user = "of this process"
    temporary = variables.get("TMPDIR") or "/tmp"  # noqa: S108
    return remedy.format(user=user, home=home or "the project", temporary=temporary)
