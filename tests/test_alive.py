"""What probes ask: of a real PostgreSQL that a daemon writes into, and of a gRPC server that answers as Dagster's does."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import grpc
import pytest
from dagster._daemon.types import DaemonHeartbeat
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from ml_assets import alive
from ml_assets.project.home import open_instance
from tests.support.postgres import DagsterPostgres
from tests.support.webserver import free_port


@pytest.fixture
def instance(
    dagster_postgres: DagsterPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    with open_instance(dagster_postgres.new_home(tmp_path / "home", monkeypatch)) as instance:
        yield instance


def beat(instance: dg.DagsterInstance, thread: str, *, seconds_ago: float, daemon: str = "this one") -> None:
    instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - seconds_ago, thread, daemon, []))


def test_a_daemon_whose_threads_were_heard_of_lately_is_alive(instance: dg.DagsterInstance) -> None:
    beat(instance, "SENSOR", seconds_ago=20)
    beat(instance, "MONITORING", seconds_ago=alive.SECONDS_OF_SILENCE - 60)
    lives, why = alive.daemon()
    assert lives, why
    assert "SENSOR 20 s ago" in why or "SENSOR 21 s ago" in why


def test_one_thread_that_hangs_is_seen_and_named(instance: dg.DagsterInstance) -> None:
    beat(instance, "SENSOR", seconds_ago=20)
    beat(instance, "MONITORING", seconds_ago=alive.SECONDS_OF_SILENCE + 60)
    lives, why = alive.daemon()
    assert not lives
    assert "MONITORING 18" in why
    assert "SENSOR" not in why


def test_what_an_earlier_daemon_left_does_not_count(instance: dg.DagsterInstance) -> None:
    beat(instance, "SENSOR", seconds_ago=20)
    beat(instance, "FRESHNESS_DAEMON", seconds_ago=1e6, daemon="of last year")
    assert alive.daemon()[0]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
def test_the_time_zone_of_the_server_does_not_matter(
    dagster_postgres: DagsterPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    home = dagster_postgres.new_home(tmp_path / "home", monkeypatch)
    dagster_postgres.server.execute(
        f"alter database {dagster_postgres.environment['DAGSTER_PG_DB']} set timezone = '{zone}'"
    )
    with open_instance(home) as instance:
        beat(instance, "SENSOR", seconds_ago=20)
        assert alive.daemon()[0], alive.daemon()
        beat(instance, "SENSOR", seconds_ago=alive.SECONDS_OF_SILENCE + 60)
        assert not alive.daemon()[0], alive.daemon()


def test_a_server_may_want_no_password(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_PG_PASSWORD", "")
    # This server wants one, and is asked nevertheless.
    assert "no password supplied" in alive.daemon()[1]


def test_a_daemon_that_has_not_begun_is_not_alive_yet(
    instance: dg.DagsterInstance, dagster_postgres: DagsterPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert alive.daemon() == (False, "last heard of: never")
    dagster_postgres.server.set_environment("postgres", monkeypatch)
    assert alive.daemon() == (False, "no daemon has begun on this database")
    monkeypatch.delenv("DAGSTER_PG_HOST")
    assert alive.daemon() == (False, "not set: DAGSTER_PG_HOST")


def test_a_database_that_is_away_is_no_reason_to_start_a_daemon_anew(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_PG_PORT", str(free_port()))
    lives, why = alive.daemon()
    assert lives
    assert why.startswith("unknown: the database does not answer")


def test_the_probe_imports_no_dagster_and_answers_by_its_exit_code(instance: dg.DagsterInstance) -> None:
    def probe() -> subprocess.CompletedProcess[str]:
        imported = "print(*{name.partition('.')[0] for name in sys.modules} & {'dagster', 'pandas', 'sqlalchemy'})"
        code = f"import sys; from ml_assets import alive; answer = alive.main(['daemon']); {imported}; sys.exit(answer)"
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    asked = probe()
    assert (asked.returncode, asked.stdout) == (1, "last heard of: never\n\n"), asked.stderr
    beat(instance, "SENSOR", seconds_ago=0)
    asked = probe()
    assert (asked.returncode, asked.stdout) == (0, "last heard of: SENSOR 0 s ago\n\n"), asked.stderr


def test_a_code_server_is_alive_while_it_serves() -> None:
    service, server = health.HealthServicer(), grpc.server(ThreadPoolExecutor(1))
    health_pb2_grpc.add_HealthServicer_to_server(service, server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    service.set("DagsterApi", health_pb2.HealthCheckResponse.SERVING)
    assert alive.main(["code-server", str(port)]) == 0
    service.set("DagsterApi", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert alive.main(["code-server", str(port)]) == 1
    server.stop(None).wait()
    assert alive.main(["code-server", str(port)]) == 1


@pytest.mark.parametrize("arguments", [[], ["webserver"], ["code-server"], ["code-server", "http"]])
def test_what_cannot_be_asked_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert alive.main(arguments) == 2
    assert "is neither `daemon` nor `code-server PORT`" in capsys.readouterr().err
