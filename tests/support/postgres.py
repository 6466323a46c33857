"""A real PostgreSQL server in a temporary folder, with a load-status table as a warehouse keeps one."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

#: With each character that a URL must encode. No error and no tick may show it.
PASSWORD = "pa:ss/wo?rd#of@load%status"
_SECONDS = 60
_USER = "postgres"


def available() -> str | None:
    """Why no server can be started here, or None where it can."""
    if _binaries() is None:
        return "PostgreSQL's server binaries (initdb, postgres) are missing; on Debian: apt-get install postgresql"
    if os.getuid() == 0 and _USER not in {user.pw_name for user in pwd.getpwall()}:
        return f"PostgreSQL refuses to run as root, and there is no user {_USER}"
    return None


@contextmanager
def postgres_server() -> Iterator["Postgres"]:
    """A server of its own, which ends with this context. Skips the test that asks for it where none can be started."""
    reason, binaries = available(), _binaries()
    if reason or binaries is None:
        pytest.skip(reason or "")
    # Not below pytest's folders: the server's user cannot enter them, and a socket's path is at most 107 bytes long.
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
    server = Postgres(folder, binaries)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


@dataclass
class Postgres:
    """A server on a socket in `folder`; its data outlives a kill."""

    folder: Path
    binaries: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of its database, with the password."""
        url = sa.URL.create("postgresql", _USER, PASSWORD, port=5432, database="postgres")
        return url.update_query_dict({"host": str(self.folder)}).render_as_string(hide_password=False)

    def create(self) -> None:
        """Make the data folder, as the user that the server runs as."""
        (self.folder / "password").write_text(PASSWORD, encoding="utf-8")
        if os.getuid() == 0:
            for path in (self.folder, self.folder / "password"):
                shutil.chown(path, _USER)
        options = ["--auth=scram-sha-256", "--pwfile=password", "--encoding=UTF8", "--no-locale", "--no-sync"]
        self._run("initdb", "--pgdata=data", f"--username={_USER}", *options).wait(_SECONDS)

    def start(self) -> None:
        """Start the server, if it does not run, and wait until it answers."""
        deadline = time.monotonic() + _SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise TimeoutError(f"PostgreSQL did not start: {(self.folder / 'log').read_text(encoding='utf-8')}")
            # After a kill it refuses to start until the last process of before has noticed.
            if self.process is None or self.process.poll() is not None:
                settings = ["listen_addresses=", f"unix_socket_directories={self.folder}", "fsync=off"]
                flags = [flag for setting in settings for flag in ("-c", setting)]
                self.process = self._run("postgres", "-D", "data", "-p", "5432", *flags)
            time.sleep(0.05)
        self.execute(
            "create table if not exists load_status "
            "(log text primary key, complete_until timestamptz not null, pause float not null default 0)"
        )

    def kill(self) -> None:
        """End the server as `kill -9` does: without a word to its clients."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(_SECONDS)
            self.process = None

    def execute(self, sql: str, **values: object) -> list[tuple[object, ...]]:
        """Run a statement, with values for its `:names`, and commit."""
        with sa.create_engine(self.url, poolclass=sa.NullPool).begin() as connection:
            result = connection.execute(sa.text(sql), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def wait_until(self, sql: str) -> None:
        """Wait until a query gives a row."""
        deadline = time.monotonic() + _SECONDS
        while not self.execute(sql):
            if time.monotonic() > deadline:
                raise TimeoutError(sql)
            time.sleep(0.02)

    def complete(self, log: str, until: str, *, pause: float = 0) -> None:
        """Say up to when a log is complete, and how many seconds a query that sleeps takes."""
        self.execute(
            "insert into load_status values (:log, :until, :pause) "
            "on conflict (log) do update set complete_until = :until, pause = :pause",
            log=log,
            until=until,
            pause=pause,
        )

    def _answers(self) -> bool:
        try:
            self.execute("select 1")
        except sa.exc.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self.binaries / program, *arguments],
                cwd=self.folder,
                # PGPORT and its like would count for the server, too.
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
                user=_USER if os.getuid() == 0 else None,
                stdout=log,
                stderr=log,
            )


def _binaries() -> Path | None:
    """The folder of the newest server, of Debian's or on the path."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("[0-9]*/bin"), key=lambda path: float(path.parent.name), reverse=True
    )
    on_path = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    folders = [*debian, *on_path]
    return next((at for at in folders if (at / "initdb").exists() and (at / "postgres").exists()), None)
