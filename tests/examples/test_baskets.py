from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml_assets.examples.baskets import load_baskets, visit_history
from ml_assets.examples.grocery import TIMEZONE


@pytest.fixture(scope="module")
def baskets(grocery_folder: Path) -> pd.DataFrame:
    return load_baskets(grocery_folder, TIMEZONE)


def times(*texts: str) -> pd.Series:
    return pd.Series(pd.to_datetime(list(texts), utc=True, format="ISO8601"))


def test_the_data_is_the_calendar_year_2017_in_new_york(receipts: pd.DataFrame) -> None:
    """The package names no timezone; were it another one, its weeks would not turn at midnight."""
    assert set(receipts["moment"].dt.year) == {2017}
    days_by_week = receipts.groupby(receipts["moment"].dt.date)["week"].nunique()
    assert (days_by_week == 1).all()


def test_every_basket_is_one_row_in_order_of_time(baskets: pd.DataFrame, receipts: pd.DataFrame) -> None:
    assert len(baskets) == receipts["basket_id"].nunique()
    assert baskets["basket_id"].is_unique
    assert baskets["event_time"].is_monotonic_increasing


def test_a_basket_adds_up_its_lines(baskets: pd.DataFrame, receipts: pd.DataFrame, grocery_folder: Path) -> None:
    department = pd.read_parquet(grocery_folder / "products.parquet").set_index("product_id")["department"]
    for basket in baskets.sample(20, random_state=0).to_dict("records"):
        lines = receipts[receipts["basket_id"] == basket["basket_id"]]
        discounts = lines[["retail_disc", "coupon_disc", "coupon_match_disc"]].to_numpy().sum()
        assert basket["items"] == len(lines)
        assert basket["sales_value"] == pytest.approx(lines["sales_value"].sum(), abs=0.006)
        assert basket["discount"] == pytest.approx(discounts, abs=0.006)
        assert basket["departments"] == department.reindex(lines["product_id"]).nunique()


def test_history_is_that_of_the_households_strictly_earlier_baskets(
    baskets: pd.DataFrame, receipts: pd.DataFrame
) -> None:
    visits = receipts.drop_duplicates("basket_id")
    together = baskets[baskets.duplicated(["household_id", "event_time"], keep=False)]["household_id"]
    checked = [*together.unique()[:3], *baskets["household_id"].unique()[::300]]
    for household in checked:
        moments = sorted(visits[visits["household_id"] == household]["moment"].dt.tz_convert("UTC"))
        rows = baskets[baskets["household_id"] == household]
        assert list(rows["event_time"]) == moments
        for moment, since, recent in zip(moments, rows["days_since_last_visit"], rows["visits_28d"], strict=True):
            earlier = [other for other in moments if other < moment]
            expected = (moment - earlier[-1]) / timedelta(days=1) if earlier else np.nan
            assert since == pytest.approx(expected, nan_ok=True)
            assert recent == sum(other >= moment - timedelta(days=28) for other in earlier)


def test_visits_at_the_same_second_are_not_each_others_past() -> None:
    since, recent = visit_history(
        pd.Series([5, 5, 5]), times("2017-01-01T12:00Z", "2017-01-01T12:00Z", "2017-01-02T12:00Z")
    )
    assert since == pytest.approx([np.nan, np.nan, 1.0], nan_ok=True)
    assert list(recent) == [0, 0, 2]


def test_a_visit_28_days_ago_counts_and_one_a_second_earlier_does_not() -> None:
    moments = times("2017-01-01T11:59:59Z", "2017-01-01T12:00Z", "2017-01-29T12:00Z")
    assert list(visit_history(pd.Series([5, 5, 5]), moments)[1]) == [0, 1, 1]


def test_households_do_not_see_each_other() -> None:
    moments = times("2017-01-03T12:00Z", "2017-01-02T12:00Z", "2017-01-01T12:00Z", "2017-01-04T12:00Z")
    since, recent = visit_history(pd.Series([9, 5, 7, 5]), moments)
    assert since == pytest.approx([np.nan, np.nan, np.nan, 2.0], nan_ok=True)
    assert list(recent) == [0, 0, 0, 1]


def test_demographics_are_never_missing(baskets: pd.DataFrame) -> None:
    for column in ("age", "income", "household_size"):
        assert baskets[column].notna().all()
        assert 0 < (baskets[column] == "unknown").mean() < 1
