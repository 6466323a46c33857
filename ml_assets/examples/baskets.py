"""One row for each basket of the grocery data, with what was known of the household when it came.

The package's `transaction_timestamp` has no timezone. It is UTC: its span, 2017-01-01 11:53 to 2018-01-01
04:01, is the calendar year 2017 in New York, and its column `week` turns at 05:00 in winter and at 04:00 in
summer, which is midnight there. On 25 December, when shops are closed, nobody came.

An id of a basket is no proof of a visit of its own: some households have two at the same second. Neither is
then the other's past.
"""

from pathlib import Path

import numpy as np
import pandas as pd

_TRANSACTIONS = [
    "household_id",
    "store_id",
    "basket_id",
    "product_id",
    "sales_value",
    "retail_disc",
    "coupon_disc",
    "coupon_match_disc",
    "transaction_timestamp",
]
_DEMOGRAPHICS = ["age", "income", "household_size"]
_DAY = 86_400
_HISTORY = 28 * _DAY


def load_baskets(folder: Path, timezone: str) -> pd.DataFrame:
    """All baskets by event time; `folder` holds the package's Parquet files.

    `items` counts the lines of the receipt: the quantity of fuel is not a number of things. `departments`
    leaves out products that the package does not know. `discount` adds up the shop's and the coupons'.
    `visits_28d` counts the baskets of the 28 * 24 hours before; it is low in the log's first four weeks.
    """
    baskets = _baskets(folder)
    local = baskets["event_time"].dt.tz_convert(timezone)
    since_last, recent = visit_history(baskets["household_id"], baskets["event_time"])
    baskets = baskets.assign(
        hour=local.dt.hour.astype("int64"),
        weekday=local.dt.weekday.astype("int64"),
        days_since_last_visit=since_last,
        visits_28d=recent,
    )
    demographics = pd.read_parquet(folder / "demographics.parquet", columns=["household_id", *_DEMOGRAPHICS])
    known = demographics.set_index("household_id")
    for column in _DEMOGRAPHICS:
        baskets[column] = baskets["household_id"].map(known[column]).fillna("unknown").astype("string")
    return baskets


def visit_history(household: pd.Series, event_time: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Days since the household's last strictly earlier visit (NaN: none), and its visits in the 28 days before."""
    seconds = event_time.astype("datetime64[s, UTC]").astype("int64").to_numpy()
    seconds = seconds - seconds.min()
    code, _ = pd.factorize(household)
    # One sorted line of time for all households, each a stretch of its own, too far apart to see each other.
    line = code * (seconds.max() + _HISTORY + 1) + seconds
    order = np.sort(line)
    earlier = np.searchsorted(order, line, side="left")
    recent = earlier - np.searchsorted(order, line - _HISTORY, side="left")
    elapsed = line - order[earlier - 1]
    first = earlier == np.searchsorted(order, line - seconds, side="left")
    return np.where(first, np.nan, elapsed / _DAY), recent


def _baskets(folder: Path) -> pd.DataFrame:
    lines = pd.read_parquet(folder / "transactions.parquet", columns=_TRANSACTIONS)
    products = pd.read_parquet(folder / "products.parquet", columns=["product_id", "department"])
    lines["department"] = lines["product_id"].map(products.set_index("product_id")["department"])
    lines["discount"] = lines[["retail_disc", "coupon_disc", "coupon_match_disc"]].sum(axis=1)
    baskets = lines.groupby("basket_id", as_index=False).agg(
        household_id=("household_id", "first"),
        event_time=("transaction_timestamp", "first"),
        store_id=("store_id", "first"),
        items=("product_id", "size"),
        sales_value=("sales_value", "sum"),
        departments=("department", "nunique"),
        discount=("discount", "sum"),
    )
    baskets["event_time"] = baskets["event_time"].dt.tz_localize("UTC").dt.as_unit("us")
    money = {"sales_value": 2, "discount": 2}
    return baskets.round(money).sort_values(["event_time", "basket_id"], ignore_index=True)
