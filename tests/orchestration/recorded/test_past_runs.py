"""What partitions have taken so far: the median of the latest, by asset."""

from typing import Any

import dagster as dg
import pytest

from ml_assets.orchestration.recorded.facts import FAILED, attempt, materialization
from ml_assets.orchestration.recorded.past_runs import SECONDS, TOOK, median_seconds
from tests.orchestration.conftest import ASSETS, Service

DATA, MODEL, EVALUATION_DATA, METRICS = ASSETS
PARTITION = "2026-05-02"


def took(service: Service, asset: str, *seconds: float, **other: Any) -> None:
    for number, one in enumerate(seconds):
        metadata = {TOOK: f"{one:.1f} s", **other}
        service.instance.report_runless_asset_event(materialization(asset, PARTITION, f"v{number}", metadata))


def test_each_asset_has_the_median_of_its_own_partitions(service: Service) -> None:
    took(service, DATA, 1.0, 30.0, 2.0)
    took(service, MODEL, 10.0, 20.0)
    assert median_seconds(service.instance, ASSETS) == {DATA: 2.0, MODEL: 15.0}


def test_only_the_latest_twenty_five_count(service: Service) -> None:
    # The latest 25 begin with the second of the hundreds.
    took(service, DATA, *[1000.0] * 20, *[100.0] * 13, *[1.0] * 12)
    assert median_seconds(service.instance, [DATA]) == {DATA: 100.0}
    took(service, DATA, 1.0)
    assert median_seconds(service.instance, [DATA]) == {DATA: 1.0}


@pytest.mark.parametrize("older", [3, 3.0])
def test_what_older_runs_recorded_as_a_number_counts_too(service: Service, older: float) -> None:
    service.instance.report_runless_asset_event(materialization(DATA, PARTITION, "v0", {SECONDS: older}))
    (seconds,) = median_seconds(service.instance, [DATA]).values()
    assert seconds == 3.0
    assert isinstance(seconds, float)


def test_what_was_never_made_is_absent(service: Service) -> None:
    assert median_seconds(service.instance, ASSETS) == {}
    service.instance.report_runless_asset_event(attempt(MODEL, PARTITION, "inputs", "code", "run", FAILED))
    assert median_seconds(service.instance, ASSETS) == {}


def test_what_was_made_by_hand_without_its_seconds_tells_nothing(service: Service) -> None:
    service.instance.report_runless_asset_event(materialization(DATA, PARTITION, "v1"))
    words = materialization(MODEL, PARTITION, "v1", {TOOK: dg.MetadataValue.text("long")})
    service.instance.report_runless_asset_event(words)
    assert median_seconds(service.instance, ASSETS) == {}
    took(service, DATA, 7.0)
    assert median_seconds(service.instance, ASSETS) == {DATA: 7.0}


def test_only_the_assets_that_are_asked_for_are_looked_at(service: Service) -> None:
    took(service, DATA, 1.0)
    took(service, MODEL, 2.0)
    assert median_seconds(service.instance, iter([MODEL])) == {MODEL: 2.0}
