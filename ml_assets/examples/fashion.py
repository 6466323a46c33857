"""A SIMULATED log of fashion recommendations in the shape of the Open Bandit data: what was shown where, and clicked.

No person and no item in it exists. A page shows items in three positions. A click needs that the position was examined
and that the item is relevant to the user (the examination model), independently. The policy prefers popular items, most
of all in position 1: a click rate by position mixes how much a position is looked at with what is shown there.

The truth is in the recommendations: `relevance`, the probability of a click on what was examined, and `probability`,
that of a click. They are answers, never features. Clicks are about three times as frequent as in the real data, so that
a few days teach something.

The world does not depend on which days are asked for: each day is drawn from (seed, day) alone. So the first day of
clicks may hold some on pages shown just before.
"""

import hashlib
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from ml_assets.examples.event_files import days, rows_of_day, writing_days
from ml_assets.paths import AnyPath

Floats = npt.NDArray[np.float64]

TIMEZONE = "Asia/Tokyo"
RECOMMENDATIONS = "fashion/recommendations"
CLICKS = "fashion/clicks"

#: The probability that each position is looked at.
EXAMINED = np.array([0.9, 0.6, 0.35])
#: How much the policy prefers popular items in each position.
PREFERENCE = (1.0, 0.5, 0.0)
ITEMS = 30
ITEM_SPREAD = 0.6
#: How many values each user feature has, as in the real data, and how much they differ.
USER_FEATURES = (3, 5, 9, 8)
USER_SPREAD = 0.25
AFFINITY_EFFECT = 0.4
INTERCEPT = -3.8

_DAY = 86_400_000_000
_LONGEST_DELAY = 600.0
_IDS_PER_DAY = 10_000_000


def write_logs(
    events_root: AnyPath,
    *,
    first_day: date,
    last_day: date,
    seed: int = 7,
    pages_per_day: int = 1_000,
    shift: timedelta = timedelta(0),
    on_partition: Callable[[str], None] | None = None,
) -> None:
    """Write both logs, day after day; partitions that are complete already are left as they are.

    They are simulated on these days, and their instants then moved by `shift`: whole weeks.
    `on_partition` is told each partition written, such as `fashion/clicks/date=2026-01-01`.
    Clicks after `last_day` are not written: they are the future.
    """
    _, before = simulate_day(first_day - timedelta(days=1), seed=seed, pages_per_day=pages_per_day)
    with writing_days(events_root, shift=shift, on_partition=on_partition) as write_day:
        for day in days(first_day, last_day):
            recommendations, clicks = simulate_day(day, seed=seed, pages_per_day=pages_per_day)
            of_day = rows_of_day(pd.concat([before, clicks]), day, TIMEZONE)
            before = clicks
            for log, rows in ((RECOMMENDATIONS, recommendations), (CLICKS, of_day)):
                write_day(log, day, rows)


def simulate_day(day: date, *, seed: int, pages_per_day: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The recommendations of a local day, three for each page, and all clicks they will ever have."""
    rng = np.random.default_rng((seed, day.toordinal()))
    item_effect, user_effects = _effects(seed)
    pages, positions = rng.poisson(pages_per_day), len(EXAMINED)
    policy = _policy(item_effect)
    shown = np.column_stack([rng.choice(ITEMS, pages, p=policy[position]) for position in range(positions)]).ravel()
    position = np.tile(np.arange(positions), pages)
    user = [np.repeat(rng.integers(0, count, pages), positions) for count in USER_FEATURES]
    affinity = np.where(rng.random(len(shown)) < 0.05, rng.geometric(0.6, len(shown)), 0).astype("float64")
    score = item_effect[shown] + sum(effect[value] for effect, value in zip(user_effects, user, strict=True))
    relevance = 1 / (1 + np.exp(-(INTERCEPT + score + AFFINITY_EFFECT * affinity)))
    midnight = pd.Timestamp(day, tz=TIMEZONE).tz_convert("UTC").as_unit("us")
    recommendations = pd.DataFrame(
        {
            "recommendation_id": day.toordinal() * _IDS_PER_DAY + np.arange(len(shown)),
            "event_time": midnight + _microseconds(np.repeat(np.sort(rng.integers(0, _DAY, pages)), positions)),
            "item_id": shown,
            "position": position + 1,
            "propensity_score": policy[position, shown],
            **{f"user_feature_{number}": _hashed(number, value) for number, value in enumerate(user)},
            "affinity": affinity,
            "relevance": relevance,
            "probability": relevance * EXAMINED[position],
        }
    )
    examined, relevant = rng.random(len(shown)) < EXAMINED[position], rng.random(len(shown)) < relevance
    clicked = recommendations.loc[examined & relevant, ["recommendation_id", "event_time"]].reset_index(drop=True)
    delay = np.minimum(1 + rng.exponential(20, len(clicked)), _LONGEST_DELAY)
    return recommendations, clicked.assign(event_time=clicked["event_time"] + _microseconds(delay * 1_000_000))


def _effects(seed: int) -> tuple[Floats, list[Floats]]:
    """The lasting effects of items, and of each user feature's values, on the log-odds of relevance."""
    rng = np.random.default_rng((seed, 0))
    return rng.normal(0.0, ITEM_SPREAD, ITEMS), [rng.normal(0.0, USER_SPREAD, count) for count in USER_FEATURES]


def _policy(item_effect: Floats) -> Floats:
    """The probability that each item is shown, shape (positions, items)."""
    weights = np.exp(np.outer(PREFERENCE, item_effect))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _hashed(number: int, values: np.ndarray) -> pd.api.extensions.ExtensionArray:
    """Opaque names of a user feature's values."""
    names = [
        hashlib.md5(f"user_feature_{number}={value}".encode(), usedforsecurity=False).hexdigest()
        for value in range(USER_FEATURES[number])
    ]
    return pd.array(np.array(names)[values], dtype="string")


def _microseconds(counts: np.ndarray) -> pd.TimedeltaIndex:
    return pd.TimedeltaIndex(counts.astype("timedelta64[us]"))
