"""A SIMULATED advertising log: impressions, and the conversions that follow up to 30 days later.

No person and no campaign in it exists. What it is for: the true probabilities are known, so that a model and
its evaluation can be held against them. They are in the impressions as `probability_1d` and `probability_7d`,
the probability that this impression's conversion comes within 1 day or 7 days. They are answers, never features.

The world does not depend on which days are asked for: each day is drawn from (seed, day) alone. So the first
30 days of conversions also hold some of impressions shown before `first_day`, as any real log does; those
impressions are in no partition, and nothing needs them.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from ml_assets.examples import conversion_delay
from ml_assets.examples.conversion_delay import Floats
from ml_assets.examples.event_files import days, rows_of_day, writing_days
from ml_assets.paths import AnyPath

TIMEZONE = "Asia/Tokyo"
IMPRESSIONS = "ads/impressions"
CONVERSIONS = "ads/conversions"


@dataclass(frozen=True)
class Campaign:
    """`effect` is on the log-odds of a conversion; `delay` are the weights of `conversion_delay`."""

    name: str
    share: float
    effect: float
    delay: tuple[float, float, float]
    value: float


CAMPAIGNS = (
    Campaign("brand", 0.22, -0.55, (0.30, 0.12, 0.58), 32.0),
    Campaign("retargeting", 0.16, 0.85, (0.37, 0.13, 0.50), 28.0),
    Campaign("prospecting", 0.26, -0.95, (0.29, 0.11, 0.60), 45.0),
    Campaign("search", 0.14, 0.60, (0.36, 0.12, 0.52), 38.0),
    Campaign("video", 0.12, -0.30, (0.31, 0.12, 0.57), 30.0),
    Campaign("offer", 0.10, 0.30, (0.35, 0.13, 0.52), 20.0),
)
# The offer is a new one each month: a model of last month is wrong about it.
MONTHLY = np.array([campaign.name == "offer" for campaign in CAMPAIGNS])
DEVICES = ("mobile", "desktop", "tablet")
DEVICE_SHARE = (0.62, 0.30, 0.08)
DEVICE_EFFECT = np.array([-0.15, 0.35, 0.0])
WEEKDAY_VOLUME = (0.95, 0.95, 0.97, 1.00, 1.08, 1.10, 0.95)
USERS = 3_000
USER_SPREAD = 0.8
INTERCEPT = -3.1

_HOUR = 3_600_000_000
_IDS_PER_DAY = 10_000_000


def write_logs(
    events_root: AnyPath,
    *,
    first_day: date,
    last_day: date,
    seed: int = 7,
    impressions_per_day: int = 4000,
    shift: timedelta = timedelta(0),
    on_partition: Callable[[str], None] | None = None,
) -> None:
    """Write both logs, day after day; partitions that are complete already are left as they are.

    They are simulated on these days, and their instants then moved by `shift`: whole weeks.
    `on_partition` is told each partition written, such as `ads/impressions/date=2026-01-01`.
    Conversions after `last_day` are not written: they are the future.
    """
    memory = timedelta(seconds=conversion_delay.LONGEST)
    recent: deque[pd.DataFrame] = deque(maxlen=memory.days + 1)
    with writing_days(events_root, shift=shift, on_partition=on_partition) as write_day:
        for day in days(first_day - memory, last_day):
            impressions, conversions = simulate_day(day, seed=seed, impressions_per_day=impressions_per_day)
            recent.append(conversions)
            if day < first_day:
                continue
            of_day = rows_of_day(pd.concat(recent), day, TIMEZONE).sort_values(["event_time", "impression_id"])
            for log, rows in ((IMPRESSIONS, impressions), (CONVERSIONS, of_day)):
                write_day(log, day, rows)


def simulate_day(day: date, *, seed: int, impressions_per_day: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The impressions of a local day, and all conversions they will ever have."""
    rng = np.random.default_rng((seed, day.toordinal()))
    activity, user_effect = _users(seed)
    count = rng.poisson(impressions_per_day * WEEKDAY_VOLUME[day.weekday()])
    since_midnight = np.sort(rng.choice(24, count, p=_traffic()) * _HOUR + rng.integers(0, _HOUR, count))
    hour = since_midnight // _HOUR
    campaign = rng.choice(len(CAMPAIGNS), count, p=[one.share for one in CAMPAIGNS])
    device = rng.choice(len(DEVICES), count, p=DEVICE_SHARE)
    user = rng.choice(USERS, count, p=activity)
    score = _campaign_effect(day)[campaign] + _situation_effect(device, hour) + user_effect[user]
    probability = 1 / (1 + np.exp(-(INTERCEPT + score)))
    delay_weights = np.array([one.delay for one in CAMPAIGNS])[campaign]
    event_time = pd.Timestamp(day, tz=TIMEZONE).tz_convert("UTC").as_unit("us") + _microseconds(since_midnight)
    impressions = pd.DataFrame(
        {
            "impression_id": day.toordinal() * _IDS_PER_DAY + np.arange(count),
            "event_time": event_time,
            "ingested_at": event_time + _lag(rng, count, shortest=2, mean=40, longest=600),
            "user_id": user,
            "campaign": pd.array([CAMPAIGNS[one].name for one in campaign], dtype="string"),
            "device": pd.array([DEVICES[one] for one in device], dtype="string"),
            "hour": hour,
            "probability_1d": probability * conversion_delay.probability_within(86_400, delay_weights),
            "probability_7d": probability * conversion_delay.probability_within(7 * 86_400, delay_weights),
        }
    )
    converts = rng.random(count) < probability
    return impressions, _conversions(rng, impressions[converts], campaign[converts], delay_weights[converts])


def _conversions(
    rng: np.random.Generator, impressions: pd.DataFrame, campaign: np.ndarray, delay_weights: Floats
) -> pd.DataFrame:
    count = len(impressions)
    delay = _microseconds((conversion_delay.draw(rng, delay_weights) * 1_000_000).astype(np.int64))
    event_time = pd.DatetimeIndex(impressions["event_time"]) + delay
    typical_value = np.array([one.value for one in CAMPAIGNS])[campaign]
    return pd.DataFrame(
        {
            "impression_id": impressions["impression_id"].to_numpy(),
            "event_time": event_time,
            "ingested_at": event_time + _lag(rng, count, shortest=60, mean=600, longest=7_200),
            "value": (typical_value * rng.lognormal(0.0, 0.5, count)).round(2),
        }
    )


def _users(seed: int) -> tuple[Floats, Floats]:
    """How often each user is shown an ad (sums to 1), and the user's lasting effect on the log-odds."""
    rng = np.random.default_rng((seed, 0))
    activity = rng.lognormal(0.0, 0.8, USERS)
    return activity / activity.sum(), rng.normal(0.0, USER_SPREAD, USERS)


def _traffic() -> Floats:
    """The share of the day's impressions in each local hour: quiet at four, busy at sixteen."""
    traffic = 1.15 - np.cos(2 * np.pi * (np.arange(24) - 4) / 24)
    return np.asarray(traffic / traffic.sum())


def _campaign_effect(day: date) -> Floats:
    """Each campaign drifts on its own over three months."""
    base = np.array([one.effect for one in CAMPAIGNS])
    drift = 0.25 * np.sin(2 * np.pi * (day.toordinal() / 91 + np.arange(len(CAMPAIGNS)) / 4))
    return np.asarray(base + drift + np.where(MONTHLY, 0.5 if day.month % 2 else -0.5, 0.0))


def _situation_effect(device: np.ndarray, hour: np.ndarray) -> Floats:
    """Evenings convert best, and more so on the phone: the two do not add up."""
    evening = np.cos(2 * np.pi * (hour - 20) / 24)
    return np.asarray(DEVICE_EFFECT[device] + np.where(device == 0, 0.55, 0.2) * evening)


def _lag(rng: np.random.Generator, count: int, *, shortest: float, mean: float, longest: float) -> pd.TimedeltaIndex:
    seconds = np.minimum(shortest + rng.exponential(mean - shortest, count), longest)
    return _microseconds((seconds * 1_000_000).astype(np.int64))


def _microseconds(counts: np.ndarray) -> pd.TimedeltaIndex:
    return pd.TimedeltaIndex(counts.astype("timedelta64[us]"))
