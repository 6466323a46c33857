"""The simulated world, and the logs written of it."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml_assets.examples.advertising import CONVERSIONS, IMPRESSIONS, TIMEZONE, simulate_day, write_logs
from ml_assets.examples.event_files import days

FIRST, LAST = date(2026, 1, 1), date(2026, 2, 9)
HORIZONS = ("1d", "7d")


def read(root: Path, log: str) -> pd.DataFrame:
    return pd.read_parquet(root / log)


def state(root: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def world() -> pd.DataFrame:
    """Impressions of 60 days, with the `delay` until their conversion (NaT: never)."""
    drawn = [simulate_day(day, seed=7, impressions_per_day=4000) for day in days(date(2026, 1, 1), date(2026, 3, 1))]
    impressions = pd.concat([pair[0] for pair in drawn], ignore_index=True)
    conversions = pd.concat([pair[1] for pair in drawn]).set_index("impression_id")
    converted_at = impressions["impression_id"].map(conversions["event_time"])
    return impressions.assign(delay=converted_at - impressions["event_time"])


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("events")
    write_logs(root, first_day=FIRST, last_day=LAST, impressions_per_day=400)
    return root


def test_a_third_of_the_conversions_come_within_the_hour_and_half_within_the_day(world: pd.DataFrame) -> None:
    delay = world["delay"].dropna()
    assert (delay < pd.Timedelta("1h")).mean() == pytest.approx(0.35, abs=0.03)
    assert (delay < pd.Timedelta("1d")).mean() == pytest.approx(0.50, abs=0.03)
    assert (delay > pd.Timedelta("14d")).mean() > 0.10
    assert pd.Timedelta("1s") <= delay.min()
    assert pd.Timedelta("29d") < delay.max() < pd.Timedelta("30d")


def test_six_to_eight_in_a_hundred_impressions_convert_in_the_end(world: pd.DataFrame) -> None:
    assert 0.06 < world["delay"].notna().mean() < 0.08


@pytest.mark.parametrize("horizon", HORIZONS)
def test_the_true_probability_is_what_happens_on_average_and_in_each_tenth(world: pd.DataFrame, horizon: str) -> None:
    probability = world[f"probability_{horizon}"]
    converted = world["delay"] < pd.Timedelta(horizon)
    tenth = pd.qcut(probability, 10, labels=False)
    for rows in [tenth >= 0, *(tenth == number for number in range(10))]:
        expected, variance = probability[rows].sum(), (probability * (1 - probability))[rows].sum()
        assert abs(converted[rows].sum() - expected) < 4 * np.sqrt(variance)


@pytest.mark.parametrize("horizon", HORIZONS)
def test_there_is_something_to_learn(world: pd.DataFrame, horizon: str) -> None:
    converted = (world["delay"] < pd.Timedelta(horizon)).to_numpy()
    truth = world[f"probability_{horizon}"].to_numpy()
    known, ignorant = (
        -np.where(converted, np.log(p), np.log1p(-p)).mean() for p in (truth, np.full(len(truth), converted.mean()))
    )
    assert known < 0.9 * ignorant


def test_users_keep_their_inclination_and_campaigns_do_not(world: pd.DataFrame) -> None:
    february = world["event_time"] >= pd.Timestamp("2026-02-01", tz=TIMEZONE)
    earlier, later = (world[rows].groupby("user_id")["probability_7d"].mean() for rows in (~february, february))
    assert earlier.corr(later) > 0.5
    offer = world["campaign"] == "offer"
    earlier, later = (world[offer & rows]["probability_7d"] for rows in (~february, february))
    assert earlier.mean() > 1.3 * later.mean()


def test_impressions_and_conversions_are_known_soon_after_they_happen(logs: Path) -> None:
    for log, longest in ((IMPRESSIONS, "10min"), (CONVERSIONS, "2h")):
        rows = read(logs, log)
        lag = rows["ingested_at"] - rows["event_time"]
        assert lag.min() > pd.Timedelta(0)
        assert lag.max() <= pd.Timedelta(longest)


def test_each_event_lies_in_the_partition_of_its_local_day(logs: Path) -> None:
    for log in (IMPRESSIONS, CONVERSIONS):
        rows = read(logs, log)
        assert (rows["event_time"].dt.tz_convert(TIMEZONE).dt.date.astype(str) == rows["date"].astype(str)).all()
        keys = sorted(marker.parent.name for marker in (logs / log).glob("*/_SUCCESS"))
        assert keys == [f"date={day}" for day in days(FIRST, LAST)]
    impressions = read(logs, IMPRESSIONS)
    assert (impressions["event_time"].dt.tz_convert(TIMEZONE).dt.hour == impressions["hour"]).all()


def test_every_impression_has_an_id_of_its_own_and_at_most_one_conversion(logs: Path) -> None:
    assert read(logs, IMPRESSIONS)["impression_id"].is_unique
    assert read(logs, CONVERSIONS)["impression_id"].is_unique


def test_no_conversion_comes_after_the_last_day_and_none_before_it_is_lost(logs: Path) -> None:
    end = pd.Timestamp(LAST, tz=TIMEZONE) + pd.Timedelta("1d")
    conversions = read(logs, CONVERSIONS)
    assert conversions["event_time"].max() < end
    drawn = pd.concat([simulate_day(day, seed=7, impressions_per_day=400)[1] for day in days(FIRST, LAST)])
    written = set(conversions["impression_id"])
    assert set(drawn[drawn["event_time"] < end]["impression_id"]) <= written
    assert not set(drawn[drawn["event_time"] >= end]["impression_id"]) & written


def test_the_first_day_has_conversions_of_impressions_shown_before(logs: Path) -> None:
    first = pd.read_parquet(logs / CONVERSIONS / f"date={FIRST}")
    assert not first["impression_id"].isin(read(logs, IMPRESSIONS)["impression_id"]).all()


def test_any_stretch_of_days_gives_the_same_files(logs: Path, tmp_path: Path) -> None:
    stretch = (date(2026, 1, 20), date(2026, 1, 22))
    write_logs(tmp_path, first_day=stretch[0], last_day=stretch[1], impressions_per_day=400)
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.parquet"))
    assert len(written) == 6
    for path in written:
        assert (tmp_path / path).read_bytes() == (logs / path).read_bytes()


def test_another_seed_is_another_world() -> None:
    one, other = (simulate_day(FIRST, seed=seed, impressions_per_day=400)[0] for seed in (7, 8))
    assert not set(one["event_time"]) & set(other["event_time"])


def test_a_second_call_writes_nothing_and_a_later_day_only_itself(tmp_path: Path) -> None:
    told: list[str] = []
    for last, new in ((2, 4), (2, 0), (3, 2)):
        before, told[:] = state(tmp_path), []
        write_logs(
            tmp_path,
            first_day=FIRST,
            last_day=date(2026, 1, last),
            impressions_per_day=50,
            on_partition=told.append,
        )
        assert len(told) == new
        assert before.items() <= state(tmp_path).items()
    assert told == ["ads/impressions/date=2026-01-03", "ads/conversions/date=2026-01-03"]


def test_a_half_written_partition_is_repaired(tmp_path: Path) -> None:
    write_logs(tmp_path, first_day=FIRST, last_day=FIRST, impressions_per_day=50)
    part = tmp_path / IMPRESSIONS / f"date={FIRST}" / "part-0.parquet"
    whole = part.read_bytes()
    part.write_bytes(whole[:100])
    part.with_name("_SUCCESS").unlink()
    write_logs(tmp_path, first_day=FIRST, last_day=FIRST, impressions_per_day=50)
    assert part.read_bytes() == whole
    assert part.with_name("_SUCCESS").exists()
