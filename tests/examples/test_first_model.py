"""The small shop of docs/your-first-model.md."""

from pathlib import Path

import nbformat
import pandas as pd

from ml_assets.examples import first_model


def test_the_same_files_are_written_each_time(tmp_path: Path) -> None:
    one, other = first_model.write(tmp_path / "one"), first_model.write(tmp_path / "other")
    assert [path.name for path in one] == ["visits.csv", "orders.csv", "order.ipynb"]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_orders_follow_their_visit_within_two_days_and_before_the_end() -> None:
    visits, orders = first_model.simulate()
    joined = orders.merge(visits, on="visit_id", suffixes=("", "_of_visit"), validate="one_to_one")
    delay = joined["event_time"] - joined["event_time_of_visit"]
    assert delay.between(pd.Timedelta(0), pd.Timedelta(days=2), inclusive="left").all()
    assert len(joined) == len(orders) == visits["ordered"].sum()
    assert orders["event_time"].max() < pd.Timestamp("2026-03-07", tz="UTC")


def test_each_day_has_visits_with_and_without_an_order() -> None:
    visits, _ = first_model.simulate()
    rates = visits.groupby(visits["event_time"].dt.date)["ordered"].mean()
    assert len(rates) == first_model.DAYS
    assert rates.between(0.01, 0.5).all()


def test_the_last_day_looks_worse_than_it_is() -> None:
    visits, _ = first_model.simulate()
    rates = visits.groupby(visits["event_time"].dt.date)["ordered"].mean()
    assert rates.iloc[-1] < rates.iloc[:-2].mean() / 1.5


def test_the_notebook_knows_nothing_of_the_project(tmp_path: Path) -> None:
    first_model.write(tmp_path)
    notebook = nbformat.read(tmp_path / "order.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert "ml_assets" not in nbformat.writes(notebook)
