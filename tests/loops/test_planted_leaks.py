"""What was known too late for a training, planted into a real project: kept out by one guard, caught by another."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest
from ibis import ir
from pandas.testing import assert_frame_equal

from ml_assets.data import history
from ml_assets.domain.declared.event_log import Columns
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from tests.loops.leaks import (
    BOUND,
    CUTOFF,
    DAY,
    HOUR,
    LONG,
    MICROSECOND,
    SHORT,
    SHOWN,
    UNKNOWING,
    D,
    Row,
    SwitchOff,
    World,
    click,
    declared,
    known_before,
    sale,
)


@pytest.fixture
def shop(tmp_path: Path) -> World:
    """In Shanghai, where a day begins at 16:00 UTC of the day before."""
    return World(tmp_path, declared("Asia/Shanghai"))


def random_shop(rng: np.random.Generator, model: Model, count: int = 300) -> tuple[list[Row], list[Row]]:
    """Clicks and the sales that follow them, some known late, some corrected or taken back, some more than once."""
    calendar = model.exposures.partitions
    assert calendar.finish is not None
    seconds = int((calendar.finish - calendar.origin).total_seconds()) - 3 * 86_400

    def versions(row: Row) -> list[Row]:
        found = [{**row, "known": row["at"] + int(rng.integers(0, 4 * 3600)) * timedelta(seconds=1)}]
        while rng.random() < 0.3:
            moved = row["at"] + int(rng.integers(-600, 600)) * timedelta(seconds=1)
            same = calendar.index(moved) == calendar.index(row["at"])
            later = found[-1]["known"] + int(rng.integers(1, 4 * 86_400)) * timedelta(seconds=1)
            gone = bool(rng.random() < 0.3)
            found.append({**found[-1], "at": moved if same else row["at"], "known": later, "gone": gone})
        return found

    clicks, sales = [], []
    for number in range(count):
        at = calendar.origin + int(rng.integers(0, seconds)) * timedelta(seconds=1)
        clicks += versions(click(number, at, user=int(rng.integers(0, 8))))
        if rng.random() < 0.5:
            bought = at + int(rng.integers(0, 60 * 3600)) * timedelta(seconds=1)
            price = int(rng.integers(1, 50))
            sales += versions(sale(number, bought, user=clicks[-1]["user"], price=price))
    return clicks, sales


SEEDS = pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])


@SEEDS
def test_a_backfill_today_gives_the_rows_of_that_day(seed: int, shop: World) -> None:
    clicks, sales = random_shop(np.random.default_rng(seed), shop.model)
    today = shop.arrive(clicks, sales).make(D)
    that_day = shop.arrive(known_before(clicks, BOUND), known_before(sales, BOUND)).make(D)
    assert_frame_equal(today.rows, that_day.rows)
    assert today.reads[:2] == that_day.reads[:2]
    assert [read.role for read in today.reads] == ["exposures", "outcomes", "history", "history"]
    assert len(today.rows) > 30
    assert today.rows["label"].nunique() == 2
    assert today.rows["clicks_2d"].nunique() > 3


@SEEDS
def test_what_is_made_of_a_random_shop_keeps_to_every_rule(seed: int, shop: World) -> None:
    shop.arrive(*random_shop(np.random.default_rng(seed), shop.model))
    for horizon in (None, SHORT, LONG):
        made = shop.make(D, horizon)
        assert len(made.rows) > 10
        assert str(shop.verify(made)) == f"{len(made.rows)} rows keep to every rule"
        shop.publish(made)
    assert shop.verify(shop.make(D)).passed


def sees(since: Callable[[ir.Table, Columns], ir.Value]) -> SwitchOff:
    """Exposures see rows of the history from another instant on."""

    def switch_off(monkeypatch: pytest.MonkeyPatch) -> None:
        honest = history._as_known

        def blind(log: ir.Table, columns: Columns, within: timedelta) -> ir.Table:
            seen = honest(log, columns, within)
            return seen.mutate(_since=since(seen, columns))

        monkeypatch.setattr(history, "_as_known", blind)

    return switch_off


@pytest.mark.parametrize(
    ("known", "label"), [(BOUND - MICROSECOND, 1), (BOUND, 0), (BOUND + MICROSECOND, 0), (CUTOFF + 40 * DAY, 0)]
)
def test_a_conversion_known_after_the_cutoff_is_no_label(known: datetime, label: int, plain_shop: World) -> None:
    made = plain_shop.arrive([click(1, SHOWN)], [sale(1, SHOWN + HOUR, known=known)]).make(D)
    assert made.labels == {1: label}
    assert plain_shop.verify(made).passed
    outcomes = next(read for read in made.reads if read.role == "outcomes")
    assert outcomes.rows == label


@UNKNOWING
@pytest.mark.parametrize("known", [BOUND, CUTOFF + 40 * DAY])
def test_a_conversion_known_after_the_cutoff_is_caught(
    known: datetime, switch_off: SwitchOff, plain_shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [sale(number, SHOWN + HOUR, known=known) for number in range(20)]
    plain_shop.arrive([click(number, SHOWN) for number in range(30)], late)
    switch_off(monkeypatch)
    made = plain_shop.make(D)
    assert sum(made.labels.values()) == 20
    rule = f"outcome_known is not before {BOUND.isoformat()}"
    assert plain_shop.verify(made, reads=[]).leaks == {rule: 20}


@UNKNOWING
def test_an_exposure_known_after_the_cutoff_is_kept_out_and_caught(
    switch_off: SwitchOff, plain_shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    clicks = [click(1, SHOWN, known=BOUND - MICROSECOND), click(2, SHOWN, known=BOUND)]
    plain_shop.arrive(clicks, [])
    assert plain_shop.make(D).clicks == [1]
    switch_off(monkeypatch)
    made = plain_shop.make(D)
    assert plain_shop.verify(made, reads=[]).leaks == {f"known is not before {BOUND.isoformat()}": 1}


FROM_THE_FUTURE = {
    "at the same instant": click(2, SHOWN, user=1),
    "a moment later": click(2, SHOWN + MICROSECOND, user=1),
    "a day later": click(2, SHOWN + DAY, user=1),
    "known at the instant": click(2, SHOWN - HOUR, user=1, known=SHOWN),
    "known later": click(2, SHOWN - HOUR, user=1, known=SHOWN + DAY),
    "known before it happens": click(2, SHOWN + HOUR, user=1, known=SHOWN - HOUR),
}


@pytest.mark.parametrize("row", FROM_THE_FUTURE.values(), ids=FROM_THE_FUTURE)
def test_a_feature_from_the_future_is_not_seen(row: Row, shop: World) -> None:
    past = click(3, SHOWN - 2 * HOUR, user=1)
    made = shop.arrive([past, click(1, SHOWN), row], [sale(9, SHOWN + HOUR, click=1, user=1)]).make(D)
    one = made.rows.set_index("click").loc[1]
    assert (one["clicks_2d"], one["feature_time"]) == (1, past["at"])
    assert pd.isna(one["spent_1d"])
    assert shop.verify(made).passed


FORESIGHT = {
    "neither clock": sees(lambda log, columns: log["_since"] - ibis.interval(days=2)),
    "no known time": sees(lambda log, columns: log[columns.time]),
    "no event time": sees(lambda log, columns: log[columns.known]),
}


@pytest.mark.parametrize(
    ("guard", "row"),
    [
        *(("neither clock", row) for row in FROM_THE_FUTURE),
        *(("no known time", row) for row in ("known at the instant", "known later")),
        ("no event time", "known before it happens"),
    ],
)
def test_a_feature_from_the_future_is_caught(
    guard: str, row: str, shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.arrive([click(1, SHOWN), FROM_THE_FUTURE[row]], [])
    FORESIGHT[guard](monkeypatch)
    made = shop.make(D)
    verdict = shop.verify(made)
    future = made.rows[made.rows["feature_time"] >= made.rows["at"]]
    assert 1 in future["click"].tolist()
    assert verdict.leaks == {"feature_time is not before the exposure": len(future)}


@pytest.mark.parametrize("horizon", [None, SHORT])
def test_every_feature_from_the_future_is_caught_in_a_random_shop(
    horizon: Duration | None, shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by what exposures count more than they may."""
    clicks, sales = random_shop(np.random.default_rng(5), shop.model)
    shop.arrive([row for row in clicks if not row["gone"]], sales)
    honest = shop.make(D, horizon).rows.set_index("click")
    FORESIGHT["no known time"](monkeypatch)
    made = shop.make(D, horizon)
    foreseen = made.rows.set_index("click")["clicks_2d"] > honest["clicks_2d"]
    assert 5 < foreseen.sum() < len(honest)
    assert shop.verify(made).leaks["feature_time is not before the exposure"] >= foreseen.sum()
