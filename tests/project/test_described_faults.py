"""What a database says in an error, in words for who runs a command."""

import sqlite3
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy.exc import OperationalError

from ml_assets.project.faults import describe


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("database is locked", "the database of home: database is locked: another program is at it; wait until it has"),
        ("database or disk is full", "the database of home: database or disk is full; make room on the disk of home"),
        ("no such column: partitoin", None),
    ],
)
def test_what_sqlite_says_of_a_statement_is_a_defect_and_keeps_its_stack(said: str, line: str | None) -> None:
    found = describe(OperationalError("select 1", {}, sqlite3.OperationalError(said)), Path("home"))
    assert found is None if line is None else found and found.startswith(line)


def test_the_database_of_a_home_that_is_removed_meanwhile_is_told_as_such(tmp_path: Path) -> None:
    error = OperationalError("select 1", {}, sqlite3.OperationalError("unable to open database file"))
    gone = tmp_path / "gone"
    assert describe(error, gone) == (
        f"the database of {gone}: unable to open database file: No such file or directory ({gone})"
    )


@pytest.mark.parametrize(("code", "does"), [(None, "does not answer"), ("53100", "refuses")])
def test_a_server_that_answers_is_not_said_to_be_away(code: str | None, does: str, tmp_path: Path) -> None:
    class Said(psycopg2.OperationalError):
        pgcode = code

    line = describe(OperationalError("select 1", {}, Said("could not extend file: No space left on device")), tmp_path)
    assert line is not None
    assert f"storage: the database {does}: could not extend file: No space left on device; " in line
