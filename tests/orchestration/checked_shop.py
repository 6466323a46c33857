"""A shop whose stored rows the check `no_leak` is asked of."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from ml_assets.data.artifacts.store import ArtifactStore
from ml_assets.data.no_leak import Verdict
from ml_assets.domain.calendar import Calendar, Every
from ml_assets.domain.declared.event_log import Columns, EventLog
from ml_assets.domain.declared.spec import Evaluation, Join, Model, Training
from ml_assets.domain.durations import Duration
from ml_assets.notebooks.order import TABLE, ReadRecord
from ml_assets.orchestration.checks import verify_no_leak
from ml_assets.orchestration.recorded.facts import materialization

HOUR = timedelta(hours=1)


SHORT, LONG = Duration(1, "d"), Duration(2, "d")


D = "2026-05-03"


CUTOFF = datetime(2026, 5, 4, tzinfo=UTC)


def declared(every: Every = "day", zone: str = "UTC", *, start: date = date(2026, 5, 1), gap: int = 0) -> Model:
    unit: Any = {"hour": "h", "day": "d", "week": "w"}[every]
    calendar = Calendar(every, start, zone)

    def log(name: str, delay: timedelta) -> EventLog:
        columns = Columns("at", ("shop", "visit"), "known", "gone")
        return EventLog(name, name, calendar, Duration(60, "d"), columns, known_delay=delay)

    return Model(
        name="shop/order",
        exposures=log("shop/visits", 2 * HOUR),
        outcomes=log("shop/orders", 3 * HOUR),
        join=Join(("visit",), by_id=True),
        training=Training(Duration(3, unit), Duration(gap, unit), Duration(1, unit)),
        evaluation=Evaluation(Duration(1, unit), (SHORT, LONG)),
    )


@dataclass
class Shop:
    """A model with a real instance and a real store."""

    instance: dg.DagsterInstance
    store: ArtifactStore
    home: Path
    model: Model

    def table(self, *rows: dict[str, Any]) -> Path:
        """A folder with the rows; each a visit half an hour before the cutoff, but for what it says."""
        folder = self.home / f"folder {len(list(self.home.iterdir()))}"
        folder.mkdir()
        at = CUTOFF - HOUR / 2
        plain = {
            "shop": "a",
            "visit": 1,
            "at": at,
            "known": at,
            "label": 0,
            "outcome_time": None,
            "outcome_known": None,
        }
        times = dict.fromkeys(("at", "known", "outcome_time", "outcome_known"), "datetime64[us, UTC]")
        frame = pd.DataFrame([plain | row for row in rows], columns=[*plain]).astype(times)
        frame.to_parquet(folder / TABLE, index=False)
        return folder

    def publish(self, asset: str, rows: Path, partition: str = D, version: str = "v1") -> None:
        """The current version of a partition. Reported from outside of a run, it belongs to the run without a name."""
        folder = self.store.folder(f"shop/order/{asset}", partition, "")
        folder.mkdir(parents=True, exist_ok=True)
        for path in rows.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        self.store.publish(folder, {"data_version": version})
        self.instance.report_runless_asset_event(materialization(f"shop/order/{asset}", partition, version))

    def verify(
        self, rows: Path, horizon: Duration | None = None, *reads: ReadRecord, cutoff: datetime = CUTOFF
    ) -> Verdict:
        return verify_no_leak(
            self.instance, self.store, self.model, horizon, D, cutoff=cutoff, folder=rows, reads=reads
        )


LATER = {"at": CUTOFF + HOUR, "known": CUTOFF + HOUR}
