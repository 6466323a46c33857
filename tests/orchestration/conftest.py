"""A small service on a real instance in a temporary folder."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared.event_log import Columns, EventLog
from ml_assets.domain.declared.spec import Evaluation, Join, Model, Training
from ml_assets.domain.durations import Duration
from ml_assets.domain.maturity import Arrivals
from ml_assets.domain.windows import Windows, needed
from ml_assets.orchestration.recorded.facts import materialization, read_facts
from ml_assets.orchestration.sensors import Tick, look
from ml_assets.project.home import open_instance, prepare_home
from tests.support.postgres import DagsterPostgres

AS_OF = datetime(2026, 5, 10, 12, tzinfo=UTC)


def event_log(key: str) -> EventLog:
    calendar = Calendar("day", date(2026, 5, 1), "UTC", date(2026, 5, 20))
    return EventLog(key, key, calendar, Duration(3, "d"), Columns("event_time", ("id",)))


def model() -> Model:
    return Model(
        name="shop/order",
        exposures=event_log("shop/visits"),
        outcomes=event_log("shop/orders"),
        join=Join(("id",), by_id=True),
        training=Training(Duration(2, "d"), Duration(0, "d"), Duration(1, "d")),
        evaluation=Evaluation(Duration(1, "d"), (Duration(1, "d"),)),
    )


@dataclass
class Service:
    """The service, its instance, and the folder in which its event partitions arrive."""

    instance: dg.DagsterInstance
    root: Path
    model: Model

    def arrive(self, *days: int, log: str | None = None, content: bytes = b"rows") -> None:
        for declared in self.model.logs:
            for day in days if log in (None, declared.key) else ():
                folder = self.root / declared.location / f"date=2026-05-{day:02}"
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "part-0.parquet").write_bytes(content)
                (folder / "_SUCCESS").touch()

    def look(self, as_of: datetime = AS_OF) -> Tick:
        """A tick, whose arrivals are recorded as the daemon records them."""
        code = dict.fromkeys(ASSETS, "code")
        tick = look(self.instance, self.model.logs, [self.model], code=code, events_root=self.root, as_of=as_of)
        for arrival in tick.arrivals:
            self.instance.report_runless_asset_event(materialization(*arrival))
        return tick


ASSETS = ("shop/order/training_data", "shop/order/model", "shop/order/evaluation_data_1d", "shop/order/metrics_1d")


def event_inputs(service: Service, windows: Windows) -> str:
    """The digest of the event partitions of some windows, as they are recorded."""
    facts = read_facts(service.instance, [service.model], code={})
    return Arrivals(service.model.logs, facts.arrived).inputs(needed(service.model, windows))


#: To run the tests of a module on both: `pytestmark = pytest.mark.parametrize("storage", STORAGES)`.
STORAGES = ("sqlite", pytest.param("postgres", marks=pytest.mark.slow))


@pytest.fixture
def storage() -> str:
    """What keeps the instances of a test."""
    return "sqlite"


@pytest.fixture
def new_home(storage: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    """Makes homes with an instance of their own; on PostgreSQL, an instance is opened before the next home is made."""
    if storage == "sqlite":
        return prepare_home
    server: DagsterPostgres = request.getfixturevalue("dagster_postgres")
    return lambda home: server.new_home(home, monkeypatch)


@pytest.fixture
def service(tmp_path: Path, new_home: Callable[[Path], Path]) -> Service:
    for key in ("shop/visits", "shop/orders"):
        (tmp_path / "events" / key).mkdir(parents=True)
    config = new_home(tmp_path / "home") / "dagster.yaml"
    # One run at once, whatever the machine: a range is not shared.
    text = re.sub(r"max_concurrent_runs: \d+", "max_concurrent_runs: 1", config.read_text(encoding="utf-8"))
    config.write_text(text, encoding="utf-8")
    return Service(open_instance(tmp_path / "home"), tmp_path / "events", model())
