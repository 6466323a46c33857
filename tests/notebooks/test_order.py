from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ml_assets.notebooks.order import (
    ExamplesOrder,
    FeatureOrder,
    HistoryOrder,
    LogOrder,
    PartitionOrder,
    StepOrder,
    StepResult,
)

PARTITION = PartitionOrder(
    key="2026-01-01",
    start=datetime(2026, 1, 1, tzinfo=UTC),
    end=datetime(2026, 1, 2, tzinfo=UTC),
    files=[Path("/events/a.parquet"), Path("/events/b.parquet")],
)


def log_order(**changes: Any) -> LogOrder:
    fields: dict[str, Any] = {
        "key": "ads/impressions",
        "partitions": [PARTITION],
        "schema_file": Path("/events/a.parquet"),
        "time": "event_time",
        "row_key": ["impression_id"],
        "known": "ingested_at",
        "deleted": "withdrawn",
        "start": datetime(2026, 1, 1, tzinfo=UTC),
        "end": datetime(2026, 1, 1, 23, 59, 59, 999_999, tzinfo=UTC),
        "known_before": datetime(2026, 1, 2, 0, 0, 0, 1, tzinfo=timezone(timedelta(hours=9))),
    }
    return LogOrder(**(fields | changes))


def step_order(**changes: Any) -> StepOrder:
    fields: dict[str, Any] = {
        "asset": "ads/cvr/evaluation_data_7d",
        "step": "evaluation_data",
        "partition": "2026-01-01",
        "cutoff": datetime(2026, 1, 1, 15, tzinfo=UTC),
        "windows": {
            "exposures": (datetime(2026, 1, 1, 15, tzinfo=UTC), datetime(2026, 1, 2, 15, tzinfo=UTC)),
            "outcomes": (datetime(2026, 1, 1, 15, tzinfo=UTC), datetime(2026, 1, 9, 15, tzinfo=UTC)),
        },
        "run_id": "run-1",
        "attribution": timedelta(days=7),
        "horizon": timedelta(hours=36, minutes=1),
        "config": {"features": ["device"], "depth": 3, "rate": 0.1, "nested": {"on": True, "none": None}},
        "folder": Path("/artifacts/x"),
        "inputs": {"model": Path("/artifacts/m")},
        "examples": ExamplesOrder(
            exposures=log_order(),
            outcomes=log_order(known=None, known_before=None, schema_file=None, partitions=[]),
            keys=["impression_id"],
            by_id=True,
            within=timedelta(days=7),
            observed_until=datetime(2026, 1, 9, tzinfo=UTC),
            history=[
                HistoryOrder(
                    log=log_order(),
                    by=["user_id"],
                    within=timedelta(days=28),
                    features={"visits": FeatureOrder(function="count", column=None)},
                )
            ],
        ),
    }
    return StepOrder(**(fields | changes))


@pytest.mark.parametrize("order", [step_order(), step_order(examples=None, horizon=None, inputs={})])
def test_an_order_travels_through_its_file_unchanged(order: StepOrder) -> None:
    assert StepOrder.model_validate_json(order.model_dump_json(indent=1)) == order


def test_instants_keep_their_microsecond_and_stay_aware() -> None:
    order = StepOrder.model_validate_json(step_order().model_dump_json())
    assert order.examples is not None
    exposures = order.examples.exposures
    assert exposures.end == datetime(2026, 1, 1, 23, 59, 59, 999_999, tzinfo=UTC)
    assert exposures.known_before == datetime(2026, 1, 1, 15, 0, 0, 1, tzinfo=UTC)
    assert all(one.tzinfo is not None for one in (exposures.start, exposures.end, order.examples.observed_until))


def test_an_order_that_lacks_something_is_refused() -> None:
    with pytest.raises(ValidationError, match="folder"):
        StepOrder.model_validate({key: value for key, value in step_order().model_dump().items() if key != "folder"})


def test_a_result_keeps_whole_numbers_fractions_and_words_apart() -> None:
    numbers: dict[str, int | float | str] = {"rows": 3, "rate": 1.0, "tiny": 1e-300, "note": "3", "big": 2**62}
    read = StepResult.model_validate_json(StepResult(data_version="abc", numbers=numbers).model_dump_json())
    assert read.numbers == numbers
    assert {name: type(value) for name, value in read.numbers.items()} == {n: type(v) for n, v in numbers.items()}


def test_a_notebook_that_left_nothing_has_no_version_and_no_numbers() -> None:
    assert StepResult() == StepResult(data_version=None, numbers={}, reads=[])
