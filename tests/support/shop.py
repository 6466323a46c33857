"""A small seeded shop: visits, and the orders that follow within two days."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

from tests.support.projects import TeamProject

DEFS = {
    "shop/logs": """
type: ml_assets.EventLog
attributes:
  key: shop/visits
  location: shop/visits
  partitions: {every: day, start: "2026-03-01", end: "2026-03-15", timezone: Europe/Berlin}
  lookahead: 3d
  columns: {time: event_time, key: [visit_id]}
---
type: ml_assets.EventLog
attributes:
  key: shop/orders
  location: shop/orders
  partitions: {every: day, start: "2026-03-01", end: "2026-03-15", timezone: Europe/Berlin}
  lookahead: 3d
  columns: {time: event_time, key: [visit_id]}
""",
    "shop/order": """
type: ml_assets.EvaluatedModel
attributes:
  name: shop/order
  exposures: shop/visits
  outcomes: shop/orders
  join: {id: [visit_id]}
  training: {window: 3d, attribution: 2d}
  evaluation: {window: 1d, horizons: [2d]}
  config: {features: [device], rounds: 10}
""",
}
FIRST = date(2026, 3, 1)
ZONE = "Europe/Berlin"


def visits(day: date) -> pd.DataFrame:
    rng = np.random.default_rng(day.toordinal())
    start = pd.Timestamp(day, tz=ZONE)
    seconds = np.sort(rng.integers(0, 86_400, 300))
    return pd.DataFrame(
        {
            "visit_id": day.toordinal() * 1000 + np.arange(300),
            "event_time": (start + pd.to_timedelta(seconds, unit="s")).tz_convert("UTC"),
            "device": rng.choice(["phone", "desktop"], 300),
        }
    )


def orders(day: date) -> pd.DataFrame:
    """The orders of a local day, by visits of that day and the two before."""
    found = []
    for back in range(3):
        made = visits(day - timedelta(days=back))
        rng = np.random.default_rng(made["visit_id"].iloc[0])
        chance = np.where(made["device"] == "phone", 0.1, 0.4)
        ordered = made[rng.random(len(made)) < chance]
        delay = pd.to_timedelta(rng.integers(60, 47 * 3600, len(ordered)), unit="s")
        found.append(ordered.assign(event_time=ordered["event_time"] + delay)[["visit_id", "event_time"]])
    rows = pd.concat(found, ignore_index=True)
    return rows[rows["event_time"].dt.tz_convert(ZONE).dt.date == day]


def arrive(team: TeamProject, log: str, first: int, last: int) -> None:
    """Let the partitions of some days of March arrive."""
    for number in range(first, last + 1):
        day = date(2026, 3, number)
        team.write_partition(f"shop/{log}", day.isoformat(), visits(day) if log == "visits" else orders(day))
