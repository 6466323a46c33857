"""Draws event logs, each clean or more or less dirty."""

import math
from collections.abc import Iterator
from itertools import count
from random import Random

from ml_assets.domain.declared.event_log import Columns
from tests.data.by_hand import Row
from tests.data.dirty_files import (
    APART,
    DAYS,
    HOUR,
    KEYS,
    MICROSECOND,
    START,
    TYPES,
    Case,
    Dirt,
    File,
    Window,
    days_of,
)

_WRONG_NAMES = ["part-{}.parq", "20260302_{:05}_abcde", "hour=13/part-{}.parquet", "part-{}.PARQUET"]
_IGNORED_NAMES = ["_part-{}.parquet", ".part-{}.parquet"]
_DECLARED = [Columns("time", ("id",)), Columns("time", ("id",), "known"), Columns("time", ("id",), "known", "gone")]
_USUAL = {
    "id": ["int64", "int64", "text", "uuid", "decimal", "words", "int32", "float64", "nothing"],
    "user": ["int64", "int64", "text", "uuid", "decimal", "large text", "float64"],
    "time": ["us", "us", "ns"],
    "known": ["us", "us", "Tokyo"],
    "gone": ["truth"],
    "odd": ["int64", "text", "list", "record", "map"],
}


def draw(seed: int, cases: int) -> Window:
    """Two logs of so many cases, each clean or more or less dirty."""
    rng = Random(seed)
    by_id = rng.random() < 0.5
    rows = count()
    return Window(
        columns=rng.choice(_DECLARED),
        key="id" if by_id else "user",
        by_id=by_id,
        large=rng.random() < 0.5,
        known_before=rng.choice([None, START + (APART * (cases // 2) + 2) * 24 * HOUR]),
        types={name: rng.choice(kinds) for name, kinds in _USUAL.items()},
        cases=tuple(_case(rng, number, rows) for number in range(cases)),
    )


def _case(rng: Random, number: int, rows: Iterator[int]) -> Case:
    dirty, first = rng.choice([0, 0.1, 0.2, 0.4]), APART * number
    return {
        log: tuple(
            File(day, _rows(rng, number, day, rows), _dirt(rng, day > first) if rng.random() < dirty else Dirt())
            for day in days_of(number, log)
            # A log of which no file is read at all has no columns.
            for _ in range(rng.choice([0, 1, 1, 2] if day > first else [1, 2]))
        )
        for log in DAYS
    }


def _rows(rng: Random, case: int, day: int, rows: Iterator[int]) -> tuple[Row, ...]:
    found, begun = [], START + APART * case * 24 * HOUR
    for _ in range(rng.choice([0, 3, 5, 8])):
        time = START + day * 24 * HOUR + rng.randrange(24) * HOUR + rng.choice([0, 0, 1]) * MICROSECOND
        found.append(
            {
                "a_row": next(rows),
                **{
                    name: rng.choice([*range(KEYS * case, KEYS * (case + 1)), None, math.nan])
                    for name in ("id", "user")
                },
                "time": rng.choice([time] * 15 + [None]),
                "known": rng.choice([time, time + HOUR, begun + 30 * HOUR, begun + 60 * HOUR, None]),
                "gone": rng.choice([None, False, False, True]),
            }
        )
    return tuple(found)


def _dirt(rng: Random, may_be_ignored: bool) -> Dirt:
    name = rng.choice(["id", "user", "time", "known", "gone", "odd"])
    match rng.randrange(8 if may_be_ignored else 7):
        case 0 | 1 | 2:
            return Dirt(types={name: rng.choice(list(TYPES[name]))})
        case 3:
            return Dirt(lacks=(name,))
        case 4:
            return Dirt(lacks=(name,), renamed={name: rng.choice([name.title(), "visit"])})
        case 5:
            return Dirt(reverse=True)
        case 6:
            return Dirt(name=rng.choice(_WRONG_NAMES))
    return Dirt(name=rng.choice(_IGNORED_NAMES))
