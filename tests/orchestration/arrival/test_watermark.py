"""A watermark of a real PostgreSQL: what it says has arrived, what is refused, and that a failure reports nothing."""

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
from ml_assets.domain.maturity import ImmatureWindowError
from ml_assets.orchestration.arrival.sources import SourceError, arrival_of
from ml_assets.orchestration.assets import event_log_definitions, model_definitions
from ml_assets.orchestration.resources import Storage, default_resources
from ml_assets.orchestration.running.pins import ChangedWhileReadError, check_unchanged, pin
from ml_assets.orchestration.sensors import service_sensor
from tests.orchestration.arrival.watermarks import (
    ENDS,
    FAR,
    ORDERS,
    SECRET,
    VARIABLE,
    VISITS,
    arrived,
    days,
    refusal,
    reports,
    watermarked,
)
from tests.orchestration.conftest import AS_OF, Service, event_log
from tests.support.postgres import Postgres, postgres_server
from tests.support.projects import REPOSITORY

pytestmark = pytest.mark.slow

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


# What a watermark says


def test_what_has_not_ended_yet_has_not_arrived_whatever_the_watermark_says(postgres: Postgres, tmp_path: Path) -> None:
    log = watermarked(replace(event_log(VISITS), partitions=Calendar("day", date(2026, 5, 1), "UTC")))
    postgres.execute(f"insert into load_status values ('{VISITS}', '9000-01-01T00:00Z', 0)")
    assert arrived(tmp_path, log, datetime(2026, 5, 3, 23, 59, tzinfo=UTC)) == ["2026-05-01", "2026-05-02"]


@pytest.mark.parametrize(("calendar", "until", "complete"), ENDS)
def test_a_partition_arrives_when_it_ends_at_the_watermark_or_before(
    postgres: Postgres, tmp_path: Path, calendar: Calendar, until: str, complete: list[str]
) -> None:
    postgres.complete(VISITS, until)
    log = watermarked(replace(event_log(VISITS), partitions=calendar))
    assert arrived(tmp_path, log) == complete
    assert list(arrival_of(log, as_of=FAR).ask(tmp_path, log, complete).arrived) == complete


def test_the_query_reaches_the_database_as_it_was_declared(postgres: Postgres, tmp_path: Path) -> None:
    postgres.complete(VISITS, "2026-05-02 00:00+00")
    query = "select complete_until from load_status where log like 'shop/v%' and ' :x %(y)s' is not null;"
    assert arrived(tmp_path, watermarked(event_log(VISITS), query)) == ["2026-05-01"]


def test_no_connection_stays_behind(postgres: Postgres, tmp_path: Path) -> None:
    postgres.complete(VISITS, "2026-05-02 00:00+00")
    arrived(tmp_path, watermarked(event_log(VISITS)))
    refusal(tmp_path, "select 1 / 0")
    postgres.wait_until("select true from pg_stat_activity where backend_type = 'client backend' having count(*) = 1")


# What is refused


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


def test_a_query_that_only_reads_by_its_words_writes_nothing(postgres: Postgres, tmp_path: Path) -> None:
    postgres.execute("create sequence asked")
    try:
        assert "in a read-only transaction" in refusal(tmp_path, "select to_timestamp(nextval('asked'))")
        assert postgres.execute("select is_called from asked") == [(False,)]
    finally:
        postgres.execute("drop sequence asked")


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


def test_files_written_below_the_watermark_are_a_correction_and_those_beyond_are_none_yet(
    mixed: Service, postgres: Postgres
) -> None:
    postgres.complete(ORDERS, "2026-05-03 00:00+00")
    mixed.look()
    mixed.arrive(2, 3, log=ORDERS)
    assert [arrival[:2] for arrival in mixed.look().arrivals] == [(ORDERS, "2026-05-02")]
    mixed.arrive(2, log=ORDERS, content=b"mended rows")
    assert [arrival[:2] for arrival in mixed.look().arrivals] == [(ORDERS, "2026-05-02")]


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
