"""The memo is a cache only: whatever happens to what is recorded, a look with it finds what one without it finds."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.events import AssetObservationData, DagsterEvent, DagsterEventType, StepMaterializationData
from dagster._core.storage.event_log.schema import AssetEventTagsTable, SqlEventLogStorageTable

from ml_assets.orchestration.recorded import sql as facts_sql
from ml_assets.orchestration.recorded.facts import FAILED, asset_key, attempt, materialization
from ml_assets.orchestration.recorded.known import Event, Recorded
from ml_assets.orchestration.recorded.memo import Memo, read_by_names
from ml_assets.project.home import open_instance
from tests.orchestration.conftest import STORAGES

ASSETS = ("shop/order/training_data", "shop/order/model")
KEYS = [asset_key(asset) for asset in ASSETS]
DAYS = ("2026-05-02", "2026-05-03", "2026-05-04")
JOB = "__ASSET_JOB"

pytestmark = pytest.mark.parametrize("storage", STORAGES)


class Book:
    """What is recorded on an instance, and what a memo says of it."""

    def __init__(self, root: Path) -> None:
        self.instance, self.memo = open_instance(root), Memo()
        self.storage = self.instance.event_log_storage

    def make(self, asset: str = ASSETS[0], day: str = DAYS[0], version: str = "v1", run: str | None = None) -> None:
        self._report(materialization(asset, day, version), run)

    def attempt(
        self, asset: str = ASSETS[0], day: str = DAYS[0], run: str | None = None, verdict: str = "begun"
    ) -> None:
        """By default as older runs left it of each attempt."""
        self._report(attempt(asset, day, "inputs", "code", run or "run", verdict), run)

    def start(self) -> str:
        run = dg.DagsterRun(job_name=JOB, status=dg.DagsterRunStatus.STARTED)
        return self.instance.add_run(run).run_id

    def look(self) -> list[Recorded]:
        """What the memo says; it is what there is."""
        found = self.memo.read(self.instance, KEYS)
        assert found == Memo().read(self.instance, KEYS)
        assert found == [read_by_names(self.instance, key) for key in KEYS]
        return found

    def execute(self, *statements: sa.Executable) -> None:
        with self.storage.index_connection() as connection:  # type: ignore[attr-defined]
            for statement in statements:
                connection.execute(statement)

    def _report(self, event: dg.AssetMaterialization | dg.AssetObservation, run: str | None) -> None:
        if run is None:
            self.instance.report_runless_asset_event(event)
        else:
            made = isinstance(event, dg.AssetMaterialization)
            kind = DagsterEventType.ASSET_MATERIALIZATION if made else DagsterEventType.ASSET_OBSERVATION
            data = StepMaterializationData(event) if made else AssetObservationData(event)  # type: ignore[arg-type]
            happened = DagsterEvent(event_type_value=kind.value, job_name=JOB, event_specific_data=data)
            self.instance.report_dagster_event(happened, run_id=run)


@pytest.fixture
def new_book(new_home: Callable[[Path], Path], tmp_path: Path) -> Callable[[str], Book]:
    return lambda name: Book(new_home(tmp_path / name))


@pytest.fixture
def book(new_book: Callable[[str], Book]) -> Book:
    """Two partitions of one asset are made."""
    book = new_book("home")
    for day in DAYS[:2]:
        book.attempt(day=day)
        book.make(day=day)
    return book


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """From which asset the memo reads events, and after which id."""
    reads = []
    latest = facts_sql._latest

    def watch(connection: sa.Connection, asset: str, wiped: float | None, after: int, last: int) -> object:
        reads.append((asset, after))
        return latest(connection, asset, wiped, after, last)

    monkeypatch.setattr(facts_sql, "_latest", watch)
    return reads


def test_nothing_new_is_not_read_again(book: Book, reads: list[object]) -> None:
    before = book.memo.read(book.instance, KEYS)
    assert list(before[0].made) == list(DAYS[:2])
    reads.clear()
    assert book.memo.read(book.instance, KEYS) == before
    assert reads == []


def test_of_what_is_new_nothing_else_is_read(book: Book, reads: list[object]) -> None:
    before = book.memo.read(book.instance, KEYS)
    last = book.storage.get_maximum_record_id()
    book.make(day=DAYS[0], version="v2")
    book.attempt(day=DAYS[2])
    reads.clear()
    (after, _) = book.memo.read(book.instance, KEYS)
    assert reads == [(KEYS[0].to_string(), last)]
    assert (after.made[DAYS[0]].version, after.made[DAYS[1]]) == ("v2", before[0].made[DAYS[1]])
    assert set(after.tried) == set(DAYS)
    assert before[0].made[DAYS[0]].version == "v1", "what was given out does not change"
    book.look()


def test_a_wiped_asset_is_empty_and_can_be_made_again(book: Book) -> None:
    book.make(ASSETS[1])
    book.look()
    book.instance.wipe_assets([KEYS[0]])
    assert book.look() == [Recorded({}, {}), book.look()[1]]
    book.make(day=DAYS[2])
    assert list(book.look()[0].made) == [DAYS[2]]
    book.make(day=DAYS[0])
    assert set(book.look()[0].made) == {DAYS[0], DAYS[2]}


def test_a_deleted_run_takes_along_what_it_made(book: Book) -> None:
    run = book.start()
    book.make(day=DAYS[0], version="v2", run=run)
    book.make(day=DAYS[2], run=run)
    assert len(book.look()[0].made) == 3
    book.instance.delete_run(run)
    assert {day: event.version for day, event in book.look()[0].made.items()} == dict.fromkeys(DAYS[:2], "v1")


def test_a_run_that_is_deleted_while_another_makes_as_much_is_noticed(book: Book) -> None:
    run = book.start()
    book.make(day=DAYS[2], run=run)
    book.look()
    book.instance.delete_run(run)
    book.make(day=DAYS[0], version="v2")
    assert DAYS[2] not in book.look()[0].made


@pytest.mark.parametrize("more", [0, 1])
def test_ids_that_are_given_again_are_noticed(book: Book, storage: str, more: int) -> None:
    run = book.start()
    for day in DAYS:
        book.make(day=day, run=run)
    ids = {day: event.id for day, event in book.look()[0].made.items()}
    book.instance.delete_run(run)
    for day in (*DAYS[1:], DAYS[0], *DAYS[:more]):
        book.make(day=day, version="v2")
    made = book.look()[0].made
    if storage == "sqlite" and not more:
        assert {event.id for event in made.values()} == set(ids.values())
    assert {event.version for event in made.values()} == {"v2"}


def test_an_event_that_is_committed_after_a_later_one_is_noticed(book: Book) -> None:
    book.make(day=DAYS[2])
    events, last = SqlEventLogStorageTable, book.storage.get_maximum_record_id()
    with book.storage.index_connection() as connection:  # type: ignore[attr-defined]
        row = connection.execute(sa.select(events).where(events.c.id == last)).one()
    book.make(day=DAYS[1], version="v2")
    book.execute(events.delete().where(events.c.id == last))
    assert DAYS[2] not in book.look()[0].made
    book.execute(events.insert().values(**row._mapping))
    assert book.look()[0].made[DAYS[2]] == Event(row.id, "v1", "")


def test_a_version_that_is_written_after_its_event_is_read_then(book: Book) -> None:
    book.make(day=DAYS[2])
    tags, last = AssetEventTagsTable, book.storage.get_maximum_record_id()
    with book.storage.index_connection() as connection:  # type: ignore[attr-defined]
        row = connection.execute(sa.select(tags).where(tags.c.event_id == last)).one()
    book.execute(tags.delete().where(tags.c.event_id == last))
    assert book.look()[0].made[DAYS[2]].version is None
    assert book.look()[0].made[DAYS[2]].version is None
    book.execute(tags.insert().values(**row._mapping))
    assert book.look()[0].made[DAYS[2]].version == "v1"


def test_a_memo_knows_instances_apart(book: Book, new_book: Callable[[str], Book]) -> None:
    other = new_book("other")
    for day in DAYS[1:]:
        other.attempt(day=day)
        other.make(day=day)
    book.look()
    other.memo = book.memo
    assert list(other.look()[0].made) == list(DAYS[1:])
    assert list(book.look()[0].made) == list(DAYS[:2])


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_whatever_happens_the_memo_says_what_there_is(new_book: Callable[[str], Book], seed: int) -> None:
    draw, book = random.Random(seed), new_book("home")
    runs = [book.start()]

    def delete() -> None:
        book.instance.delete_run(runs.pop(draw.randrange(len(runs))))
        runs.append(book.start())

    def where() -> tuple[str, str]:
        return draw.choice(ASSETS), draw.choice(DAYS)

    happenings: list[Callable[[], object]] = [
        *[lambda: book.make(*where(), f"v{draw.random()}", draw.choice([None, *runs]))] * 5,
        *[lambda: book.attempt(*where(), draw.choice(runs))] * 5,
        lambda: book.attempt(*where(), draw.choice(runs), FAILED),
        lambda: runs.append(book.start()),
        delete,
        lambda: book.instance.wipe_assets([draw.choice(KEYS)]),
        lambda: setattr(book, "memo", Memo()),
    ]
    for _ in range(40):
        draw.choice(happenings)()
        if draw.random() < 0.6:
            book.look()
    book.look()


def test_threads_share_a_memo_while_runs_write(book: Book) -> None:
    def look(_: int) -> None:
        for made, tried, _changing in book.memo.read(book.instance, KEYS):
            for day, event in made.items():
                # Nothing is recorded in between.
                assert tried[day].id == event.id - 1 or tried[day].id > event.id

    with ThreadPoolExecutor(4) as threads:
        looks = threads.map(look, range(40))
        for _ in range(3):
            for day in DAYS:
                book.attempt(day=day)
                book.make(day=day)
        list(looks)
    book.look()
