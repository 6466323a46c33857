"""Event logs in a real PostgreSQL: what is seen of their partitions, and tables that are not as declared."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from ml_assets.data.logs.databases import SourceError
from ml_assets.data.logs.event_tables import fingerprints
from tests.data.warehouse import (
    VARIABLE,
    event_log,
    examples,
    in_table,
    insert,
)
from tests.support.postgres import PASSWORD, Postgres

pytestmark = pytest.mark.slow
DAYS = 10


@pytest.mark.parametrize(
    ("zone", "every"),
    [
        # Clocks change on 29 March in Europe; Kathmandu is off by 45 minutes.
        ("UTC", "day"),
        ("Europe/Berlin", "day"),
        ("Asia/Kathmandu", "day"),
        ("Asia/Kathmandu", "hour"),
        ("Europe/Berlin", "week"),
    ],
)
def test_a_row_changes_the_fingerprint_of_the_partition_of_its_event_time_and_no_other(
    warehouse: Postgres, zone: str, every: str
) -> None:
    log, draw = event_log(zone, every), random.Random(zone + every)
    indices = range(2 if every == "week" else DAYS)
    edges = [log.partitions.interval(index) for index in indices]
    before = fingerprints(log, indices)
    assert list(before) == [log.partitions.key(index) for index in indices]
    assert len(set(before.values())) == 1, "all are empty"
    microsecond = timedelta(microseconds=1)
    for number in range(12):
        index = draw.choice(indices)
        time = draw.choice(
            [edges[index].start, edges[index].end - microsecond, edges[index].start + timedelta(minutes=50)]
        )
        insert(warehouse, number, time)
        after = fingerprints(log, indices)
        assert [name for name in after if after[name] != before[name]] == [log.partitions.key(index)]
        before = after
    insert(warehouse, 99, edges[-1].end)
    insert(warehouse, 99, edges[0].start - microsecond)
    assert fingerprints(log, indices) == before


def test_partitions_that_are_asked_for_alone_have_the_same_fingerprints(warehouse: Postgres) -> None:
    log = event_log("Europe/Berlin")
    for number in range(40):
        insert(warehouse, number, datetime(2026, 3, 23, tzinfo=UTC) + timedelta(hours=5 * number))
    whole = fingerprints(log, range(DAYS))
    assert len(set(whole.values())) > 2
    assert fingerprints(log, [6]) == {"2026-03-29": whole["2026-03-29"]}
    assert fingerprints(log, [7, 2]) == {name: whole[name] for name in ("2026-03-30", "2026-03-25")}
    assert fingerprints(log, []) == {}


def test_a_deleted_row_and_a_correction_are_seen_and_a_row_that_is_rewritten_in_place_is_not(
    warehouse: Postgres,
) -> None:
    time = datetime(2026, 3, 23, 8, tzinfo=UTC)
    for number in range(3):
        insert(warehouse, number, time + timedelta(hours=number), time + timedelta(days=1, hours=number))
    log, known = event_log(), event_log(known="known")
    before = fingerprints(log, [0])
    warehouse.execute("update analytics.events set device = 'desktop' where row = 1")
    assert fingerprints(log, [0]) == before
    known_before = fingerprints(known, [0])
    warehouse.execute("update analytics.events set known = '2026-03-28T00:00Z' where row = 1")
    assert fingerprints(log, [0]) == before
    assert fingerprints(known, [0]) != known_before
    warehouse.execute("delete from analytics.events where row = 1")
    assert fingerprints(log, [0]) != before


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("drop table analytics.events", "table analytics.events cannot be read"),
        ("alter table analytics.events rename time to happened", "lacks the columns"),
        ("alter table analytics.events alter time type timestamp", "column time is of type timestamp"),
        ("alter table analytics.events alter time type date", "column time is of type date"),
    ],
)
def test_a_table_that_is_not_as_declared_is_refused(warehouse: Postgres, sql: str, words: str) -> None:
    warehouse.execute(sql)
    with pytest.raises(SourceError, match="event log shop/events: .*" + words):
        fingerprints(event_log(), [0])
    with pytest.raises(SourceError, match="event log shop/events: .*" + words):
        examples(in_table(datetime(2026, 3, 23, tzinfo=UTC)), in_table(datetime(2026, 3, 23, tzinfo=UTC)))


def test_no_error_shows_the_password(warehouse: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in (warehouse.url_of("nothing"), warehouse.url.replace("postgresql:", "postgresql+nodriver:"), "nothing"):
        monkeypatch.setenv(VARIABLE, url)
        if url.startswith("postgresql+nodriver"):
            # Ibis has its own driver.
            assert fingerprints(event_log(), [0])
            continue
        with pytest.raises(SourceError, match="shop/events") as caught:
            fingerprints(event_log(), [0])
        assert PASSWORD not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(SourceError, match=f"the environment variable {VARIABLE} is not set"):
        fingerprints(event_log(), [0])
