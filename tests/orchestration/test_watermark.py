"""A watermark of a real PostgreSQL: what it says has arrived, what is refused, and that a failure reports nothing."""

import socket
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.definitions.sensor_definition import SensorExecutionData

from ml_assets.data.artifacts.store import ArtifactStore
from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared.event_log import EventLog, Watermark
from ml_assets.domain.maturity import ImmatureWindowError
from ml_assets.orchestration.arrival.sources import SourceError, arrival_of
from ml_assets.orchestration.assets import event_log_definitions, model_definitions
from ml_assets.orchestration.recorded.facts import asset_key
from ml_assets.orchestration.resources import Storage, default_resources
from ml_assets.orchestration.running.pins import ChangedWhileReadError, check_unchanged, pin
from ml_assets.orchestration.sensors import service_sensor
from tests.orchestration.conftest import AS_OF, Service, event_log
from tests.support.postgres import PASSWORD, Postgres, postgres_server
from tests.support.projects import REPOSITORY

FAR = datetime(2100, 1, 1, tzinfo=UTC)
VARIABLE = "LOAD_STATUS_URL"
VISITS, ORDERS = "shop/visits", "shop/orders"
#: The query that a tick is killed in sleeps as long as the load status says.
SLOW = "select complete_until from load_status, pg_sleep(pause) where log = '{log}'"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    """The server, running and without any load status."""
    server.start()
    server.execute("truncate load_status")
    monkeypatch.setenv(VARIABLE, server.url)
    return server


def watermarked(log: EventLog, query: str = "select complete_until from load_status where log = '{log}'") -> EventLog:
    return replace(log, arrival=Watermark(query.format(log=log.key), VARIABLE))


def arrived(root: Path, log: EventLog, as_of: datetime = FAR) -> list[str]:
    (root / log.location).mkdir(parents=True, exist_ok=True)
    return list(arrival_of(log, as_of=as_of).ask(root, log).arrived)


def refusal(root: Path, query: str = "select complete_until from load_status") -> str:
    """What a tick shows of the error."""
    with pytest.raises(SourceError) as error:
        arrived(root, watermarked(event_log(VISITS), query))
    text = "".join(traceback.format_exception(error.value))
    assert PASSWORD not in text
    return text


def reports(service: Service) -> Counter[tuple[str, str | None]]:
    """How often each event partition was reported."""
    return Counter(
        (log.key, record.asset_materialization.partition)
        for log in service.model.logs
        for record in service.instance.fetch_materializations(asset_key(log.key), limit=1000).records
        if record.asset_materialization
    )


def days(log: str, last: int) -> Counter[tuple[str, str | None]]:
    return Counter((log, f"2026-05-{day:02}") for day in range(1, last + 1))


# What a watermark says


@pytest.mark.slow
def test_what_has_not_ended_yet_has_not_arrived_whatever_the_watermark_says(postgres: Postgres, tmp_path: Path) -> None:
    log = watermarked(replace(event_log(VISITS), partitions=Calendar("day", date(2026, 5, 1), "UTC")))
    postgres.execute(f"insert into load_status values ('{VISITS}', '9000-01-01T00:00Z', 0)")
    assert arrived(tmp_path, log, datetime(2026, 5, 3, 23, 59, tzinfo=UTC)) == ["2026-05-01", "2026-05-02"]


BERLIN_SPRING = Calendar("day", date(2026, 3, 28), "Europe/Berlin")
BERLIN_AUTUMN = Calendar("day", date(2026, 10, 24), "Europe/Berlin")
BERLIN_HOURS = Calendar("hour", date(2026, 10, 25), "Europe/Berlin")
TOKYO_WEEKS = Calendar("week", date(2026, 5, 4), "Asia/Tokyo")
DAYS = Calendar("day", date(2026, 5, 1), "UTC", date(2026, 5, 4))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("calendar", "until", "complete"),
    [
        (DAYS, "2026-05-03 00:00:00+00", ["2026-05-01", "2026-05-02"]),
        (DAYS, "2026-05-02 23:59:59.999999+00", ["2026-05-01"]),
        (DAYS, "2026-05-01 17:00:00-07", ["2026-05-01"]),
        (DAYS, "2026-04-30 23:00:00+00", []),
        (DAYS, "2026-06-01 00:00:00+00", ["2026-05-01", "2026-05-02", "2026-05-03"]),
        # 23 hours after the day of the 28th.
        (BERLIN_SPRING, "2026-03-29 22:00:00+00", ["2026-03-28", "2026-03-29"]),
        (BERLIN_SPRING, "2026-03-29 21:59:59.999999+00", ["2026-03-28"]),
        # 25 hours after the day of the 24th, and 24.
        (BERLIN_AUTUMN, "2026-10-25 23:00:00+00", ["2026-10-24", "2026-10-25"]),
        (BERLIN_AUTUMN, "2026-10-25 22:00:00+00", ["2026-10-24"]),
        # Two hours of that day are both called two o'clock, and the former comes first.
        (BERLIN_HOURS, "2026-10-25 00:59:59+00", ["2026-10-25-00:00+0200", "2026-10-25-01:00+0200"]),
        (
            BERLIN_HOURS,
            "2026-10-25 02:00:00 Europe/Berlin",
            ["2026-10-25-00:00+0200", "2026-10-25-01:00+0200", "2026-10-25-02:00+0200"],
        ),
        (
            BERLIN_HOURS,
            "2026-10-25 02:00:00+00",
            ["2026-10-25-00:00+0200", "2026-10-25-01:00+0200", "2026-10-25-02:00+0200", "2026-10-25-02:00+0100"],
        ),
        (TOKYO_WEEKS, "2026-05-10 15:00:00+00", ["2026-05-04"]),
        (TOKYO_WEEKS, "2026-05-10 14:59:59+00", []),
    ],
)
def test_a_partition_arrives_when_it_ends_at_the_watermark_or_before(
    postgres: Postgres, tmp_path: Path, calendar: Calendar, until: str, complete: list[str]
) -> None:
    postgres.complete(VISITS, until)
    log = watermarked(replace(event_log(VISITS), partitions=calendar))
    assert arrived(tmp_path, log) == complete
    assert list(arrival_of(log, as_of=FAR).ask(tmp_path, log, complete).arrived) == complete


@pytest.mark.slow
def test_the_query_reaches_the_database_as_it_was_declared(postgres: Postgres, tmp_path: Path) -> None:
    postgres.complete(VISITS, "2026-05-02 00:00+00")
    query = "select complete_until from load_status where log like 'shop/v%' and ' :x %(y)s' is not null;"
    assert arrived(tmp_path, watermarked(event_log(VISITS), query)) == ["2026-05-01"]


@pytest.mark.slow
def test_no_connection_stays_behind(postgres: Postgres, tmp_path: Path) -> None:
    postgres.complete(VISITS, "2026-05-02 00:00+00")
    arrived(tmp_path, watermarked(event_log(VISITS)))
    refusal(tmp_path, "select 1 / 0")
    postgres.wait_until("select true from pg_stat_activity where backend_type = 'client backend' having count(*) = 1")


# What is refused


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("select complete_until from load_status where log = 'shop/visist'", "gave no row; it must give one row"),
        ("select now() from generate_series(1, 3)", "gave several rows; it must give one row"),
        ("select log, complete_until from load_status", "gave 2 columns; it must give one row of one column"),
        ("select max(complete_until) from load_status where log = 'x'", "gave NULL; it must give a finite instant"),
        ("select date '2026-05-03'", "gave datetime.date(2026, 5, 3); it must give a finite instant with a time zone"),
        ("select timestamp '2026-05-03'", "gave datetime.datetime(2026, 5, 3, 0, 0); it must give"),
        ("select '2026-05-03 00:00+00'", "gave '2026-05-03 00:00+00'; it must give a finite instant"),
        ("select timestamptz 'infinity'", "it must give a finite instant with a time zone"),
        ("select timestamptz '-infinity'", "while nothing is complete, the start of the log"),
        ("select timestamptz '20000-01-01 00:00+00'", "failed: year 20000 is out of range"),
        ("select complete_untli from load_status", 'failed: column "complete_untli" does not exist'),
    ],
)
def test_an_answer_that_is_no_instant_is_refused(postgres: Postgres, tmp_path: Path, query: str, why: str) -> None:
    postgres.complete(VISITS, "2026-05-02 00:00+00")
    text = refusal(tmp_path, query)
    assert why in text
    assert f"event log shop/visits: the watermark query {query!r}" in text


@pytest.mark.slow
def test_a_query_that_only_reads_by_its_words_writes_nothing(postgres: Postgres, tmp_path: Path) -> None:
    postgres.execute("create sequence asked")
    try:
        assert "in a read-only transaction" in refusal(tmp_path, "select to_timestamp(nextval('asked'))")
        assert postgres.execute("select is_called from asked") == [(False,)]
    finally:
        postgres.execute("drop sequence asked")


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert "shop/visits: the environment variable LOAD_STATUS_URL is not set; it holds the URL" in refusal(tmp_path)


def test_a_driver_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "postgresql://reader:word@host/warehouse")
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    text = refusal(tmp_path)
    assert "psycopg2" in text
    assert "install the driver that LOAD_STATUS_URL names; ml-assets[postgres] has that of postgresql://" in text


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


SECRET = "hunter2-and-more"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"postgresql://reader:{SECRET}@127.0.0.1:PORT/warehouse", "Connection refused"),
        (f"postgresql://reader@127.0.0.1:PORT/warehouse?password={SECRET}", "Connection refused"),
        (f"postgresql://reader:{SECRET}@host/warehouse?sslmode={SECRET}&password=x", 'invalid sslmode value: "***"'),
        (SECRET, "holds no URL that can be read"),
        (f"postgresql://reader:p@{SECRET}@127.0.0.1:PORT/warehouse", "with %40 for an @ in the password"),
        (f"postgresql://reader:{SECRET}", "holds no URL that can be read"),
        (f"oracel://reader:{SECRET}@host/warehouse", "Can't load plugin: sqlalchemy.dialects:oracel"),
    ],
)
def test_no_error_shows_the_password_or_the_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, why: str
) -> None:
    monkeypatch.setenv(VARIABLE, url.replace("PORT", str(closed_port())))
    text = refusal(tmp_path)
    assert why in text
    assert "shop/visits" in text
    assert SECRET not in text
    assert "reader:" not in text


@pytest.mark.slow
def test_a_wrong_password_is_told_without_showing_it(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = sa.make_url(postgres.url).set(password=SECRET).render_as_string(hide_password=False)
    monkeypatch.setenv(VARIABLE, wrong)
    text = refusal(tmp_path)
    assert 'password authentication failed for user "postgres"' in text
    assert SECRET not in text


# A tick


@pytest.fixture
def mixed(service: Service, postgres: Postgres) -> Service:
    """Visits arrive by a marker, orders by the watermark."""
    service.model = replace(service.model, outcomes=watermarked(service.model.outcomes))
    return service


@pytest.fixture
def watched(service: Service, postgres: Postgres) -> Service:
    """Both logs arrive by a watermark. The visits are asked for first; the query for the orders may sleep."""
    visits, orders = watermarked(service.model.exposures), watermarked(service.model.outcomes, SLOW)
    service.model = replace(service.model, exposures=visits, outcomes=orders)
    return service


@pytest.mark.slow
def test_a_tick_takes_each_log_by_its_own_arrival(mixed: Service, postgres: Postgres) -> None:
    postgres.complete(ORDERS, "2026-05-04 12:00+00")
    mixed.arrive(1, 2, log=VISITS)
    launched = mixed.look().launches
    assert reports(mixed) == days(VISITS, 2) + days(ORDERS, 3)
    assert [launch.request.partitions for launch in launched] == [("2026-05-02",)]
    assert mixed.look().arrivals == []
    # The shop is closed on the fourth: no folder, no file, and a load that went through.
    postgres.complete(ORDERS, "2026-05-05 00:00+00")
    mixed.look()
    assert reports(mixed) == days(VISITS, 2) + days(ORDERS, 4)


@pytest.mark.slow
def test_a_watermark_that_moves_back_takes_back_what_had_arrived(mixed: Service, postgres: Postgres) -> None:
    mixed.arrive(1, 2, log=VISITS)
    postgres.complete(ORDERS, "2026-05-03 00:00+00")
    mixed.look()
    before = reports(mixed)
    postgres.complete(ORDERS, "2026-05-02 00:00+00")
    tick = mixed.look()
    assert tick.launches == []
    assert "2026-05-02 for shop/orders 2026-05-02" in tick.message
    postgres.complete(ORDERS, "2026-05-03 00:00+00")
    assert [launch.request.partitions for launch in mixed.look().launches] == [("2026-05-02",)]
    assert reports(mixed) == before


@pytest.mark.slow
def test_files_written_below_the_watermark_are_a_correction_and_those_beyond_are_none_yet(
    mixed: Service, postgres: Postgres
) -> None:
    postgres.complete(ORDERS, "2026-05-03 00:00+00")
    mixed.look()
    mixed.arrive(2, 3, log=ORDERS)
    assert [arrival[:2] for arrival in mixed.look().arrivals] == [(ORDERS, "2026-05-02")]
    mixed.arrive(2, log=ORDERS, content=b"mended rows")
    assert [arrival[:2] for arrival in mixed.look().arrivals] == [(ORDERS, "2026-05-02")]


@pytest.mark.slow
def test_a_run_is_refused_what_lies_beyond_the_watermark(mixed: Service, postgres: Postgres) -> None:
    mixed.arrive(1, 2, 3, log=VISITS)
    postgres.complete(ORDERS, "2026-05-02 23:00+00")

    def pin_training():
        store = ArtifactStore(mixed.root.parent / "artifacts")
        return pin(
            mixed.instance,
            mixed.model,
            "training_data",
            None,
            "2026-05-02",
            as_of=AS_OF,
            events_root=mixed.root,
            store=store,
        )

    with pytest.raises(ImmatureWindowError, match=r"training_data 2026-05-02 is immature: shop/orders 2026-05-02 has"):
        pin_training()
    postgres.complete(ORDERS, "2026-05-03 00:00+00")
    events = pin_training().events
    assert events is not None
    assert list(events.fingerprints[ORDERS]) == ["2026-05-01", "2026-05-02"]
    # What the source takes back while a notebook reads it has changed.
    postgres.complete(ORDERS, "2026-05-02 00:00+00")
    with pytest.raises(ChangedWhileReadError, match="shop/orders 2026-05-02 changed while it was read"):
        check_unchanged(mixed.model, events, mixed.root)


# A source that is down


@pytest.mark.slow
def test_while_the_database_is_down_each_tick_fails_and_the_next_one_catches_up(
    mixed: Service, postgres: Postgres
) -> None:
    postgres.complete(ORDERS, "2026-05-02 00:00+00")
    mixed.arrive(1, log=VISITS)
    mixed.look()
    postgres.complete(ORDERS, "2026-05-05 00:00+00")
    mixed.arrive(2, 3, log=VISITS)
    postgres.kill()
    for _ in range(2):
        with pytest.raises(SourceError, match="event log shop/orders: the watermark query .* failed: connection to"):
            mixed.look()
    assert reports(mixed) == days(VISITS, 1) + days(ORDERS, 1)
    postgres.start()
    mixed.look()
    assert reports(mixed) == days(VISITS, 3) + days(ORDERS, 4)


@pytest.mark.slow
def test_a_database_that_is_killed_in_the_middle_of_a_tick_leaves_nothing_half_reported(
    watched: Service, postgres: Postgres
) -> None:
    postgres.complete(VISITS, "2026-05-04 00:00+00")
    postgres.complete(ORDERS, "2026-05-03 00:00+00", pause=600)

    def kill_in_the_query() -> None:
        postgres.wait_until("select pid from pg_stat_activity where wait_event = 'PgSleep'")
        postgres.kill()

    with ThreadPoolExecutor(1) as other:
        killed = other.submit(kill_in_the_query)
        # The visits had been answered for.
        with pytest.raises(SourceError, match="event log shop/orders: the watermark query .* failed: "):
            watched.look()
        killed.result()
    assert not reports(watched)
    with pytest.raises(SourceError, match="event log shop/visits"):
        watched.look()
    assert not reports(watched)
    postgres.start()
    postgres.complete(ORDERS, "2026-05-03 00:00+00", pause=0)
    watched.look()
    assert reports(watched) == days(VISITS, 3) + days(ORDERS, 2)
    assert watched.look().arrivals == []


@pytest.mark.slow
def test_the_sensor_fails_and_does_not_skip_and_its_next_tick_reports_everything(
    watched: Service, postgres: Postgres
) -> None:
    postgres.complete(VISITS, "2026-05-04 00:00+00")
    postgres.complete(ORDERS, "2026-05-03 00:00+00")
    sensor = service_sensor("shop", watched.model.logs, [watched.model], REPOSITORY)
    assets = [event_log_definitions(log) for log in watched.model.logs] + [model_definitions(watched.model, REPOSITORY)]
    repository = dg.Definitions.merge(*assets, dg.Definitions(resources=default_resources())).get_repository_def()
    resources = {"events": Storage(root=str(watched.root))}

    def tick() -> SensorExecutionData:
        context = dg.build_sensor_context(watched.instance, repository_def=repository, resources=resources)
        with context:
            return sensor.evaluate_tick(context)

    postgres.kill()
    with pytest.raises(SourceError, match="event log shop/visits"):
        tick()
    postgres.start()
    found = tick()
    assert Counter((event.asset_key.to_user_string(), event.partition) for event in found.asset_events) == (
        days(VISITS, 3) + days(ORDERS, 2)
    )
    assert found.run_requests
