"""Event partitions whose files do not fit do not count as arrived, and everybody who asks is told why."""

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ml_assets.domain.declared.event_log import Table, Watermark
from ml_assets.domain.maturity import ImmatureWindowError
from ml_assets.domain.owed.debt import Cause, debt
from ml_assets.domain.owed.due import Status, statuses
from ml_assets.domain.owed.plan import plan
from ml_assets.domain.owed.runs import RunSize
from ml_assets.orchestration.arrival import contents as event_contents
from ml_assets.orchestration.arrival.contents import remembered
from ml_assets.orchestration.arrival.present import Now, find
from ml_assets.orchestration.arrival.sources import ask
from ml_assets.orchestration.recorded.facts import materialization, read_arrived, read_facts
from ml_assets.orchestration.recorded.memo import Memo
from ml_assets.orchestration.running.pins import pin_events
from ml_assets.orchestration.sensors import Tick, describe_refused
from tests.orchestration.conftest import AS_OF, ASSETS, Service
from tests.support.postgres import Postgres, postgres_server

VISITS, ORDERS = "shop/visits", "shop/orders"
TRAINING, _, EVALUATION, METRICS = ASSETS
#: From here on a float does not tell numbers apart.
LARGE = 2**53
FLOAT = "shop/orders date=2026-05-03/part-0.parquet: column id is double, and int64 in most files; keys are integers"


def day(number: int) -> str:
    return f"2026-05-{number:02}"


def write(service: Service, log: str, *days: int, name: str = "part-0.parquet", **columns: object) -> None:
    """Write a file of one row into each day, and its marker. Args: `columns`: instead of the usual ones, None for none."""
    for number in days:
        path = service.root / log / f"date={day(number)}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        row = {"event_time": [pd.Timestamp(f"{day(number)} 12:00", tz="UTC")], "id": [LARGE + number], **columns}
        frame = pd.DataFrame({column: one for column, one in row.items() if one is not None})
        with path.open("wb") as opened:
            frame.to_parquet(opened, index=False)
        (service.root / log / f"date={day(number)}" / "_SUCCESS").touch()


def arrived(service: Service, log: str) -> list[str]:
    return sorted(read_arrived(service.instance, service.model.logs)[log])


def status(tick: Tick | Now, asset: str, number: int) -> Status:
    found = tick.found if isinstance(tick, Tick) else tick.statuses
    return found["shop/order"][asset][day(number)]


def owed(service: Service, number: int) -> tuple[Cause, str]:
    """Why a metric is not there, by what is recorded alone."""
    facts = read_facts(service.instance, [service.model], code=dict.fromkeys(ASSETS, "code"))
    facts = replace(facts, seen=remembered(service.instance, service.model.logs, facts.arrived))
    entries = debt(service.model, facts, statuses(service.model, facts, as_of=AS_OF), as_of=AS_OF).entries
    return next((one.cause, one.why) for one in entries if one.partition == day(number))


def now(service: Service, *, seconds: float | None = None, memo: Memo | None = None) -> Now:
    code = dict.fromkeys(ASSETS, "code")
    return find(
        service.instance,
        [service.model],
        code=code,
        events_root=service.root,
        as_of=AS_OF,
        seconds=seconds,
        memo=memo,
    )


def refusal(service: Service, number: int) -> str:
    """Why a run refuses the training data of a day."""
    with pytest.raises(ImmatureWindowError) as refused:
        pin_events(service.instance, service.model, None, day(number), AS_OF, service.root)
    return str(refused.value)


def test_a_day_with_ids_that_are_floats_does_not_arrive_and_all_who_ask_are_told_why(service: Service) -> None:
    write(service, VISITS, *range(1, 7))
    write(service, ORDERS, 1, 2, 4, 5, 6)
    write(service, ORDERS, 3, id=[np.nan])
    tick = service.look()
    assert arrived(service, ORDERS) == [day(number) for number in (1, 2, 4, 5, 6)]
    assert f"shop/orders: 2026-05-03 is there and does not count as arrived: {FLOAT}" in tick.message
    for asset, number in ((TRAINING, 3), (TRAINING, 4), (EVALUATION, 2)):
        assert status(tick, asset, number).missing == {ORDERS: (2,)}
        assert status(tick, asset, number).why.startswith(f"for shop/orders 2026-05-03 ({FLOAT}")
    assert status(tick, TRAINING, 2).state == "due"
    assert f"training_data 2026-05-03 is immature: shop/orders 2026-05-03 ({FLOAT}" in refusal(service, 3)
    cause, why = owed(service, 2)
    assert (cause, why.startswith(f"shop/orders 2026-05-03 ({FLOAT}")) == (Cause.MISSING_INPUT, True)
    looked = now(service)
    made = plan(
        service.model, looked.facts, looked.statuses["shop/order"], assets=frozenset(ASSETS), size=RunSize(10, 1)
    )
    assert FLOAT in made.blocked[TRAINING][day(3)]

    write(service, ORDERS, 3)
    assert status(service.look(), TRAINING, 3).state == "due", "mended, it counts"
    assert day(3) in arrived(service, ORDERS)
    assert owed(service, 2)[0] is Cause.DUE


def test_a_correction_that_does_not_fit_takes_the_partition_back_until_it_is_mended(service: Service) -> None:
    for log in (VISITS, ORDERS):
        write(service, log, *range(1, 6))
    service.look()
    write(service, ORDERS, 3, id=None, order=[LARGE])
    tick = service.look()
    lacks = "shop/orders date=2026-05-03/part-0.parquet: it lacks id (int64 in most files); it has event_time, order"
    assert lacks in status(tick, TRAINING, 3).why
    assert [partition for _, partition, _ in tick.arrivals] == []
    assert lacks in owed(service, 2)[1], "though the partition is on record, as it was"
    write(service, ORDERS, 3)
    assert status(service.look(), TRAINING, 3).state == "due"
    assert owed(service, 2)[0] is Cause.DUE


def test_windows_across_a_change_of_types_wait_and_those_wholly_after_it_do_not(service: Service) -> None:
    for log in (VISITS, ORDERS):
        write(service, log, 1, 2, 3)
        write(service, log, 4, 5, 6, id=["a"])
    tick = service.look()
    assert arrived(service, ORDERS) == [day(number) for number in range(1, 7)], "each by itself is right"
    assert [status(tick, TRAINING, number).state for number in (2, 3, 4, 5, 6)] == [
        "due",
        "due",
        "waiting",
        "due",
        "due",
    ]
    why = "date=2026-05-04/part-0.parquet: column id is string, but int64 in most files, such as "
    assert f"shop/visits {why}date=2026-05-03/part-0.parquet" in status(tick, TRAINING, 4).why
    assert status(tick, TRAINING, 4).refused in tick.message
    assert f"shop/orders {why}shop/visits date=2026-05-03/part-0.parquet" in refusal(service, 4)
    assert status(tick, TRAINING, 4).missing == {VISITS: (3,), ORDERS: (3,)}
    assert f"shop/orders {why}" in owed(service, 4)[1]


def test_numbers_in_one_log_and_text_in_the_other_are_named_with_both(service: Service) -> None:
    write(service, VISITS, 1, 2, 3)
    write(service, ORDERS, 1, 2, 3, id=["1"])
    why = (
        "shop/orders date=2026-05-01/part-0.parquet: column id is string, but int64 in most files, such as shop/visits"
    )
    assert why in status(service.look(), TRAINING, 2).why
    assert why in refusal(service, 2)


@pytest.mark.parametrize("name", ["20260302_00012_abcde", "hour=13/part-0.parquet"])
def test_a_day_whose_files_have_another_name_is_not_a_day_without_events(name: str, service: Service) -> None:
    write(service, VISITS, 1, 2, 3, 4)
    write(service, ORDERS, 1, 2, 4)
    write(service, ORDERS, 3, name=name)
    tick = service.look()
    shown = name.removesuffix("part-0.parquet")
    why = f"shop/orders date=2026-05-03: the rows of {shown} would be left out; events lie in *.parquet right in"
    assert arrived(service, ORDERS) == [day(1), day(2), day(4)]
    assert why in status(tick, TRAINING, 3).why
    assert why in refusal(service, 3)
    assert why in tick.message
    assert why in owed(service, 2)[1]


def test_a_marker_alone_is_a_day_without_events_and_hidden_names_count_for_nothing(service: Service) -> None:
    for log in (VISITS, ORDERS):
        write(service, log, 1)
        folder = service.root / log / f"date={day(2)}"
        for name in ("_SUCCESS", "_committed_123", ".part-0.parquet.crc", "_temporary/part-0.parquet"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
    assert status(service.look(), TRAINING, 2).state == "due"


def test_files_are_looked_into_once_for_each_fingerprint_whoever_looks(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for log in (VISITS, ORDERS):
        write(service, log, 1, 2)
    service.look()
    path = service.root / ORDERS / f"date={day(2)}" / "part-0.parquet"
    written, size = path.stat().st_mtime_ns, path.stat().st_size
    path.write_bytes(b"x" * size)
    os.utime(path, ns=(written, written))
    seen = now(service).facts.seen
    assert seen[ORDERS][day(2)].rows == 1
    pin_events(service.instance, service.model, None, day(2), AS_OF, service.root)
    monkeypatch.setattr(event_contents, "keeps_notes", lambda _: False)
    assert now(service).facts.seen[ORDERS][day(2)].unreadable, "without notes a process remembers for itself alone"
    os.utime(path, ns=(written, written + 1))
    monkeypatch.undo()
    assert now(service).facts.seen[ORDERS][day(2)].unreadable


def test_what_a_tick_has_no_time_for_the_next_one_looks_into(service: Service) -> None:
    for log in (VISITS, ORDERS):
        write(service, log, 1, 2)
    memo = Memo()
    without = now(service, seconds=0, memo=memo)
    assert (without.arrivals, without.unseen) == ([], 4)
    assert status(without, TRAINING, 2).state == "waiting"
    looked = now(service, memo=memo)
    assert (len(looked.arrivals), looked.unseen) == (4, 0)


def test_what_an_older_version_recorded_counts_until_somebody_has_looked(service: Service) -> None:
    for log in (VISITS, ORDERS):
        write(service, log, 1, 2, 3)
    write(service, ORDERS, 2, id=[0.5])
    for log in service.model.logs:
        for partition, fingerprint in ask(log, service.root, (), as_of=AS_OF).arrived.items():
            service.instance.report_runless_asset_event(materialization(log.key, partition, fingerprint))
    hurried = now(service, seconds=0)
    assert (hurried.unseen, status(hurried, TRAINING, 2).state, hurried.arrivals) == (6, "due", [])
    assert "column id is double" in refusal(service, 2), "a run looks itself"
    looked = now(service, seconds=30)
    assert (looked.unseen, status(looked, TRAINING, 2).state) == (0, "waiting")


def test_ids_without_a_type_fit_any(service: Service) -> None:
    for log in (VISITS, ORDERS):
        write(service, log, 1, id=["a"])
        write(service, log, 2, id=[None])
    assert status(service.look(), TRAINING, 2).state == "due"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("double precision", "column id is double; keys are integers"),
        ("text", "column id is string, but int64 in most files, such as shop/visits date=2026-05-01/part-0.parquet"),
        ("uuid", "column id is uuid, but int64 in most files, such as shop/visits date=2026-05-01/part-0.parquet"),
        ("bigint", ""),
    ],
)
def test_the_columns_of_a_table_are_those_of_its_only_file(
    kind: str, why: str, service: Service, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", postgres.url)
    postgres.execute("drop table if exists orders")
    postgres.execute(f"create table orders (event_time timestamptz, id {kind}, note xml)")
    declared = Table("orders", "WAREHOUSE_URL")
    watermark = Watermark("select timestamptz '2026-05-04 00:00+00'", "WAREHOUSE_URL")
    outcomes = replace(service.model.outcomes, location="", table=declared, arrival=watermark)
    service.model = replace(service.model, outcomes=outcomes)
    write(service, VISITS, 1, 2, 3, 4)
    tick = service.look()
    assert status(tick, TRAINING, 2).state == ("waiting" if why else "due")
    if why:
        said = f"shop/orders table orders: {why}"
        assert said in status(tick, TRAINING, 2).why
        assert said in refusal(service, 2)
        assert said in owed(service, 2)[1]


def test_days_that_do_not_count_are_named_together(service: Service) -> None:
    words = describe_refused(service.model.outcomes, {day(number): FLOAT for number in (3, 4)})
    assert words == f"shop/orders: 2026-05-03..2026-05-04 are there and do not count as arrived: {FLOAT}"
