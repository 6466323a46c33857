"""A small simulated shop for docs/your-first-model.md: visits, orders within two days, a notebook that trains on a CSV.

`python -m ml_assets.examples.first_model FOLDER` writes visits.csv, orders.csv and order.ipynb, as they may lie on the
laptop of a data scientist.
"""

import sys
from datetime import date, timedelta
from pathlib import Path

import jupytext  # type: ignore[import-untyped]
import nbformat
import numpy as np
import pandas as pd

FIRST_DAY = date(2026, 3, 1)
DAYS = 6
_VISITS_OF_A_DAY = 400
_DEVICES = {"phone": 0.08, "tablet": 0.15, "desktop": 0.35}
_HORIZON = pd.Timedelta(days=2)

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_NOTEBOOK = """\
# %% [markdown]
# # Which visits end in an order?

# %%
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

# %%
visits = pd.read_csv("visits.csv")
visits.head()

# %%
encode = make_column_transformer(
    (OneHotEncoder(handle_unknown="ignore"), ["device"]), (StandardScaler(), ["pages", "hour"])
)
model = make_pipeline(encode, LogisticRegression())
model.fit(visits[["device", "pages", "hour"]], visits["ordered"])

# %%
visits.assign(predicted=model.predict_proba(visits)[:, 1]).groupby("device")[["predicted", "ordered"]].mean()
"""


def simulate() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Visits and orders of all days, seeded.

    Returns: visits with visit_id, event_time, device, pages, hour and ordered (whether an order came within the days
    simulated); orders with visit_id and event_time.
    """
    rng = np.random.default_rng(0)
    rows = DAYS * _VISITS_OF_A_DAY
    start = pd.Timestamp(FIRST_DAY, tz="UTC")
    time = start + pd.to_timedelta(np.sort(rng.integers(0, DAYS * 86_400, rows)), unit="s")
    visits = pd.DataFrame(
        {
            "visit_id": np.arange(rows),
            "event_time": time,
            "device": rng.choice(list(_DEVICES), rows),
            "pages": rng.poisson(4, rows) + 1,
            "hour": time.hour,
        }
    )
    chance = visits["device"].map(_DEVICES) + 0.02 * (visits["pages"] - 5)
    delay = pd.to_timedelta(rng.uniform(60, _HORIZON.total_seconds(), rows).astype(int), unit="s")
    ordered = visits.assign(event_time=visits["event_time"] + delay)[rng.random(rows) < chance]
    orders = ordered[ordered["event_time"] < start + timedelta(days=DAYS)].sort_values("event_time", ignore_index=True)
    orders = orders[["visit_id", "event_time"]]
    return visits.assign(ordered=visits["visit_id"].isin(orders["visit_id"]).astype(int)), orders


def write(folder: Path) -> list[Path]:
    """Write visits.csv, orders.csv and order.ipynb. Returns: their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    visits, orders = simulate()
    for name, frame in (("visits", visits), ("orders", orders)):
        frame.to_csv(folder / f"{name}.csv", index=False)
    cells = jupytext.reads(_NOTEBOOK, fmt="py:percent").cells
    for number, cell in enumerate(cells, 1):
        cell.id = f"cell-{number}"  # else nbformat draws one
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": _KERNEL})
    nbformat.write(notebook, folder / "order.ipynb")
    return [folder / name for name in ("visits.csv", "orders.csv", "order.ipynb")]


if __name__ == "__main__":
    print(*write(Path(sys.argv[1])), sep="\n")  # noqa: T201
