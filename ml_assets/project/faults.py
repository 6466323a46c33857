"""What a command says of a fault of what it works on, and not of its own: one line with where, what and the remedy.

Files and their rights, disks, the instance's database and its dagster.yaml, variables, stores and sources. All else is
a defect, which keeps its stack.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click

from ml_assets import variables
from ml_assets.project.remedies import described, remedy_of

#: Not that of an answer, such as that a metric is owed.
EXIT_CODE = 3
#: What SQLite says, and the error of files that it comes of; None: of what the file holds. All else is a defect.
_SQLITE = {
    "not a database": None,
    "malformed": None,
    "disk is full": errno.ENOSPC,
    "disk I/O error": errno.EIO,
    "readonly database": errno.EACCES,
    "unable to open database file": errno.EACCES,
}


#: Packages of the stores' clients, which raise errors of their own kinds.
_CLIENTS = frozenset({"aiobotocore", "aiohttp", "botocore", "hdfs_native", "s3fs"})


class Fault(click.ClickException):
    """A fault of what a command works on."""

    exit_code = EXIT_CODE


def describe(error: BaseException, home: Path | None) -> str | None:
    """The line of the fault that an error tells of, or that led to it; None of a defect.

    Args: `home`: the folder that the command works on, if any.
    """
    for cause in _causes(error):
        found = _ours(cause) or _of_file(cause, home) or _of_database(cause, home) or _of_instance(cause, home)
        if line := found or _of_store(cause):
            return " ".join(line.split())
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _ours(error: BaseException) -> str | None:
    # What a command does not need loads with none.
    from ml_assets.data.artifacts.store import ArtifactError, StoreError
    from ml_assets.data.logs.databases import SourceError
    from ml_assets.declarations.reading import DefsFileError
    from ml_assets.domain.errors import SpecError
    from ml_assets.environments import UnknownEnvironmentError
    from ml_assets.orchestration.resources import NoStorageError
    from ml_assets.paths import AwayError
    from ml_assets.project.at_hand import NoProjectError
    from ml_assets.project.home import HomeError
    from ml_assets.project.output import OutputError
    from ml_assets.written_by import MarkError, NewerFormatError

    kinds = (ArtifactError, DefsFileError, HomeError, NoProjectError, NoStorageError, OutputError, SourceError)
    others = (AwayError, MarkError, NewerFormatError, SpecError, StoreError, UnknownEnvironmentError)
    return str(error) if isinstance(error, (*kinds, *others)) else None


def _of_file(error: BaseException, home: Path | None) -> str | None:
    if not isinstance(error, OSError):
        return None
    if error.errno == errno.ENOENT and "usable temporary directory" in str(error.strerror):
        return f"{error.strerror}: make room there, or let TMPDIR name another folder"
    return None if remedy_of(error.errno, home) is None else described(error, home)


def _of_database(error: BaseException, home: Path | None) -> str | None:
    from sqlalchemy.exc import DBAPIError, OperationalError

    if not isinstance(error, DBAPIError):
        return None
    said = str(error.orig)
    if isinstance(error.orig, sqlite3.Error):
        return _of_sqlite(said, home or Path(variables.get(variables.HOME) or ""))
    if not isinstance(error, OperationalError):
        return None
    why = said.strip().partition("\n")[0]
    if getattr(error.orig, "pgcode", None) is not None:
        return f"{_config_of(home)}: storage: the database refuses: {why}; its log says more"
    return f"{_config_of(home)}: storage: the database does not answer: {why}; start it, or mend its address"


def _of_instance(error: BaseException, home: Path | None) -> str | None:
    from ml_assets.dagster_names import (
        DagsterHomeNotSetError,
        DagsterInvalidConfigError,
        DagsterInvariantViolationError,
    )
    from ml_assets.project.home import describe_config

    # Of Dagster's own commands.
    if isinstance(error, DagsterHomeNotSetError):
        return f"{variables.HOME} is not set; let it name the home, as an absolute path"
    if isinstance(error, DagsterInvariantViolationError):
        return str(error) if str(error).startswith(f"${variables.HOME}") else None
    return describe_config(Path(_config_of(home)), error) if isinstance(error, DagsterInvalidConfigError) else None


def _of_store(error: BaseException) -> str | None:
    kind = type(error)
    if kind.__module__.partition(".")[0] not in _CLIENTS:
        return None
    right = f"see that {variables.STORAGE} names a store that is there, and that it lets this user in"
    return f"{variables.STORAGE} is {variables.get(variables.STORAGE)!r}: {kind.__name__}: {error}; {right}"


def _of_sqlite(said: str, home: Path) -> str | None:
    if "database is locked" in said:
        return f"the database of {home}: {said}: another program is at it; wait until it has ended, or end it"
    for words, number in _SQLITE.items():
        if words in said and number is None:
            return f"{_damaged(home)}: {said}; restore it from a backup, as docs/production.md tells"
        if words in said:
            try:
                mounted_for_reading = number == errno.EACCES and os.statvfs(home).f_flag & os.ST_RDONLY
            except OSError as error:
                # It has been removed, say, since the command began.
                return f"the database of {home}: {said}: {described(error, home)}"
            return f"the database of {home}: {said}; {remedy_of(errno.EROFS if mounted_for_reading else number, home)}"
    return None


def _damaged(home: Path) -> str:
    """The file of a home that SQLite cannot read, which it does not tell; where none is found, the home's."""
    for path in sorted(home.rglob("*.db")):
        try:
            with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
                (found,) = connection.execute("pragma quick_check(1)").fetchone()
        except sqlite3.Error:
            return str(path)
        if found != "ok":
            return str(path)
    return f"the database of {home}"


def _config_of(home: Path | None) -> str:
    return str(Path(home or variables.get(variables.HOME) or "").absolute() / "dagster.yaml")
