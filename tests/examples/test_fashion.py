"""The simulated world of fashion recommendations, and the logs written of it."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml_assets.examples.event_files import days
from ml_assets.examples.fashion import CLICKS, EXAMINED, ITEMS, RECOMMENDATIONS, TIMEZONE, simulate_day, write_logs

FIRST, LAST = date(2026, 1, 1), date(2026, 1, 4)
TRUTH = ["relevance", "probability"]


@pytest.fixture(scope="module")
def world() -> pd.DataFrame:
    """Recommendations of 60 days, with the `delay` until their click (NaT: never)."""
    drawn = [simulate_day(day, seed=7, pages_per_day=1_000) for day in days(date(2026, 1, 1), date(2026, 3, 1))]
    recommendations = pd.concat([pair[0] for pair in drawn], ignore_index=True)
    clicks = pd.concat([pair[1] for pair in drawn]).set_index("recommendation_id")
    clicked_at = recommendations["recommendation_id"].map(clicks["event_time"])
    return recommendations.assign(delay=clicked_at - recommendations["event_time"], clicked=clicked_at.notna())


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("events")
    write_logs(root, first_day=FIRST, last_day=LAST)
    return root


def test_about_one_recommendation_in_a_hundred_is_clicked(world: pd.DataFrame) -> None:
    assert 0.008 < world["clicked"].mean() < 0.016


def test_a_click_comes_within_minutes_and_never_twice(world: pd.DataFrame) -> None:
    assert world["recommendation_id"].is_unique
    assert pd.Timedelta("1s") <= world["delay"].min()
    assert world["delay"].max() <= pd.Timedelta("10min")


def test_the_true_probability_is_what_happens_in_each_position_and_each_tenth(world: pd.DataFrame) -> None:
    groups = [world["position"], pd.qcut(world["probability"], 10, labels=False)]
    for _, rows in (group for grouping in groups for group in world.groupby(grouping)):
        probability = rows["probability"]
        spread = np.sqrt((probability * (1 - probability)).sum())
        assert abs(rows["clicked"].sum() - probability.sum()) < 4 * spread


def test_a_click_needs_that_its_position_is_examined_and_its_item_is_relevant(world: pd.DataFrame) -> None:
    np.testing.assert_allclose(world["probability"], EXAMINED[world["position"] - 1] * world["relevance"])
    # The same items in each position: what is left is the declared bias of the position.
    rate = world.groupby(["item_id", "position"])["clicked"].mean().unstack()
    shown = world["item_id"].value_counts().reindex(rate.index)
    of_position = rate.mul(shown, axis=0).sum() / shown.sum()
    np.testing.assert_allclose(of_position / of_position[1], EXAMINED / EXAMINED[0], atol=0.06)


def test_better_items_are_shown_first_so_that_click_rates_overstate_the_position(world: pd.DataFrame) -> None:
    relevance = world.groupby("position")["relevance"].mean()
    assert relevance[1] > 1.05 * relevance[2] > 1.05**2 * relevance[3]


def test_the_propensity_is_how_often_the_item_is_shown_in_the_position(world: pd.DataFrame) -> None:
    sums = world.drop_duplicates(["position", "item_id"]).groupby("position")["propensity_score"].sum()
    np.testing.assert_allclose(sums, 1)
    shares = world.groupby("position")["item_id"].value_counts(normalize=True)
    propensity = world.groupby(["position", "item_id"])["propensity_score"].first()
    np.testing.assert_allclose(shares.sort_index(), propensity.sort_index(), atol=0.005)
    assert world["item_id"].nunique() == ITEMS


def test_a_page_shows_one_user_three_positions(world: pd.DataFrame) -> None:
    pages = world.groupby(world.index // 3)
    assert pages["position"].agg(list).map([1, 2, 3].__eq__).all()
    for column in ("event_time", *(f"user_feature_{number}" for number in range(4))):
        assert (pages[column].nunique() == 1).all()


def test_user_features_are_opaque_and_have_as_many_values_as_the_real_ones(world: pd.DataFrame) -> None:
    features = world[[f"user_feature_{number}" for number in range(4)]]
    assert features.nunique().tolist() == [3, 5, 9, 8]
    assert features.stack().str.fullmatch("[0-9a-f]{32}").all()


def test_each_event_lies_in_the_partition_of_its_local_day(logs: Path) -> None:
    for log in (RECOMMENDATIONS, CLICKS):
        rows = pd.read_parquet(logs / log)
        assert (rows["event_time"].dt.tz_convert(TIMEZONE).dt.date.astype(str) == rows["date"].astype(str)).all()
        keys = sorted(marker.parent.name for marker in (logs / log).glob("*/_SUCCESS"))
        assert keys == [f"date={day}" for day in days(FIRST, LAST)]
        assert 2_000 < len(rows) / len(keys) < 4_000 or log == CLICKS


def test_the_clicks_on_what_was_shown_are_written_and_tell_no_truth(logs: Path) -> None:
    clicks = pd.read_parquet(logs / CLICKS)
    drawn = pd.concat([simulate_day(day, seed=7, pages_per_day=1_000)[1] for day in days(FIRST, LAST)])
    end = pd.Timestamp(LAST, tz=TIMEZONE) + pd.Timedelta("1d")
    assert set(drawn[drawn["event_time"] < end]["recommendation_id"]) <= set(clicks["recommendation_id"])
    assert clicks["event_time"].max() < end
    assert sorted(clicks.columns) == ["date", "event_time", "recommendation_id"]


def test_any_stretch_of_days_gives_the_same_files(logs: Path, tmp_path: Path) -> None:
    write_logs(tmp_path, first_day=date(2026, 1, 2), last_day=date(2026, 1, 3))
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.parquet"))
    assert len(written) == 4
    for path in written:
        assert (tmp_path / path).read_bytes() == (logs / path).read_bytes()


def test_another_seed_is_another_world() -> None:
    one, other = (simulate_day(FIRST, seed=seed, pages_per_day=100)[0] for seed in (7, 8))
    assert not set(one["event_time"]) & set(other["event_time"])


def test_a_second_call_writes_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    for _ in range(2):
        write_logs(tmp_path, first_day=FIRST, last_day=FIRST, pages_per_day=20, on_partition=told.append)
    assert told == ["fashion/recommendations/date=2026-01-01", "fashion/clicks/date=2026-01-01"]


def test_no_truth_is_a_feature_of_the_declared_model() -> None:
    declared = Path(__file__).parents[2] / "ml_assets" / "defs" / "fashion" / "click" / "defs.yaml"
    assert not any(name in declared.read_text(encoding="utf-8") for name in TRUTH)
