"""A real PostgreSQL server in a temporary folder, with a load-status table as a warehouse keeps one."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

#: With each character that a URL must encode. No error and no tick may show it.
PASSWORD = "pa:ss/wo?rd#of@load%status"
PRODUCTION = Path(__file__).parents[2] / "deploy" / "dagster.yaml"
_SECONDS = 60
_USER = "postgres"
_TEMPLATE = "dagster_template"


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


def production_home(home: Path) -> Path:
    """A home whose instance is that of production."""
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(PRODUCTION, home / "dagster.yaml")
    return home


class DagsterPostgres:
    """A server on which Dagster keeps instances; each new one is copied from an empty one, as making tables takes long.

    `environment`: what names the newest.
    """

    def __init__(self, server: "Postgres") -> None:
        self.server = server
        self._databases = 0
        self.environment: dict[str, str] = {}

    def new_home(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A home whose instance is new, and kept here by those who open it from now on."""
        if not self._databases:
            self._make_template(home.with_name("template"), monkeypatch)
        self._databases += 1
        database = f"dagster_{self._databases}"
        self.server.create_database(database, template=_TEMPLATE)
        self.environment = self.server.dagster_environment(database)
        self.server.set_environment(database, monkeypatch)
        return production_home(home)

    def dump(self, database: str) -> bytes:
        """All that a database holds, as text."""
        dump = self.server.binaries / "pg_dump"
        url = sa.make_url(self.server.url_of(database))
        command = [dump, "--host", self.server.folder, "--port", str(url.port), "--username", _USER, database]
        environment = {"PATH": os.environ["PATH"], "PGPASSWORD": PASSWORD}
        return subprocess.run(command, env=environment, capture_output=True, check=True).stdout

    def _make_template(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server.create_database(_TEMPLATE)
        self.server.set_environment(_TEMPLATE, monkeypatch)
        with dg.DagsterInstance.from_config(str(production_home(home))) as instance:
            instance.get_runs_count()
        # Each instance makes up an id of its own.
        with sa.create_engine(self.server.url_of(_TEMPLATE), poolclass=sa.NullPool).begin() as connection:
            connection.execute(sa.text("delete from instance_info"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Postgres:
    """A server on a socket in `folder`, and on a port of this machine alone; its data outlives a kill."""

    folder: Path
    binaries: Path
    process: subprocess.Popen[bytes] | None = None
    port: int = field(default_factory=_free_port)

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of its database, with the password."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """SQLAlchemy's URL of a database, with the password."""
        url = sa.URL.create("postgresql", _USER, PASSWORD, port=self.port, database=database)
        return url.update_query_dict({"host": str(self.folder)}).render_as_string(hide_password=False)

    def create_database(self, name: str, *, template: str = "template1") -> None:
        """Make a database, as another one is."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f'create database "{name}" template "{template}"'))

    def dagster_environment(self, database: str) -> dict[str, str]:
        """The variables that `deploy/dagster.yaml` reads."""
        return {
            "DAGSTER_PG_HOST": "127.0.0.1",
            "DAGSTER_PG_PORT": str(self.port),
            "DAGSTER_PG_USERNAME": _USER,
            "DAGSTER_PG_PASSWORD": PASSWORD,
            "DAGSTER_PG_DB": database,
        }

    def create(self) -> None:
        """Make the data folder, as the user that the server runs as."""
        (self.folder / "password").write_text(PASSWORD, encoding="utf-8")
        if os.getuid() == 0:
            for path in (self.folder, self.folder / "password"):
                shutil.chown(path, _USER)
        # Each query of Dagster's logs in anew, which costs 4,096 hashes by SCRAM.
        options = ["--auth=md5", "--pwfile=password", "--encoding=UTF8", "--no-locale", "--no-sync"]
        self._run("initdb", "--pgdata=data", f"--username={_USER}", *options).wait(_SECONDS)

    def start(self) -> None:
        """Start the server, if it does not run, and wait until it answers."""
        deadline = time.monotonic() + _SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise TimeoutError(f"PostgreSQL did not start: {(self.folder / 'log').read_text(encoding='utf-8')}")
            # After a kill it refuses to start until the last process of before has noticed.
            if self.process is None or self.process.poll() is not None:
                settings = [
                    "listen_addresses=127.0.0.1",
                    f"unix_socket_directories={self.folder}",
                    "fsync=off",
                    "shared_buffers=16MB",
                ]
                flags = [flag for setting in settings for flag in ("-c", setting)]
                self.process = self._run("postgres", "-D", "data", "-p", str(self.port), *flags)
            time.sleep(0.05)
        self.execute(
            "create table if not exists load_status "
            "(log text primary key, complete_until timestamptz not null, pause float not null default 0)"
        )

    def set_environment(self, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let instances that are opened from now on be kept in a database."""
        for name, value in self.dagster_environment(database).items():
            monkeypatch.setenv(name, value)

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
