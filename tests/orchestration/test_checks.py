"""The check `no_leak`: what it holds stored rows to, which artifacts it compares, and how Dagster is told."""

from dataclasses import replace
from datetime import UTC, date, timedelta

import pytest

from ml_assets.data.no_leak import LeakError, Verdict
from ml_assets.domain.calendar import Every
from ml_assets.domain.declared.history import Feature, History
from ml_assets.domain.declared.spec import Join
from ml_assets.domain.durations import Duration
from ml_assets.domain.windows import windows_of
from ml_assets.notebooks.order import TABLE
from ml_assets.orchestration.checks import _bounds, no_leak_evaluation, no_leak_spec
from ml_assets.orchestration.partitions import partitions_definition
from ml_assets.orchestration.recorded.current import LostError
from tests.orchestration.checked_shop import CUTOFF, HOUR, LATER, LONG, SHORT, D, Shop, declared

SHARED = "the exposure is in training and in evaluation data"


@pytest.mark.parametrize("horizon", [None, SHORT, LONG], ids=str)
@pytest.mark.parametrize("gap", [0, 1])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize(
    ("every", "start"),
    [
        ("day", date(2026, 3, 20)),
        ("day", date(2026, 10, 18)),
        ("week", date(2026, 3, 8)),
        ("week", date(2026, 10, 5)),
        ("hour", date(2026, 3, 28)),
        ("hour", date(2026, 10, 24)),
    ],
)
def test_the_bounds_from_the_end_of_dagsters_partition_are_those_of_the_domain(
    every: Every, start: date, zone: str, gap: int, horizon: Duration | None
) -> None:
    """Around the days on which clocks change: whatever partition is made, the check asks for the same."""
    model = declared(every, zone, start=start, gap=gap)
    definition = partitions_definition(model.partitions)
    for index in range({"hour": 30, "day": 15, "week": 5}[every]):
        key = model.partitions.key(index)
        cutoff = definition.time_window_for_partition_key(key).end.astimezone(UTC)
        windows = windows_of(model, index, horizon)
        bounds = _bounds(model, horizon, cutoff)
        assert (bounds.exposures_from, bounds.exposures_until) == (windows.exposures.start, windows.exposures.end)
        assert (bounds.outcomes_until, bounds.within) == (windows.outcomes.end, windows.within)
        known = {"exposures": model.exposures, "outcomes": model.outcomes}
        expected = {} if horizon else {role: windows.known_before(log) for role, log in known.items()}
        assert bounds.known_before == expected


def test_the_bounds_tell_how_outcomes_are_joined_and_whether_there_is_history() -> None:
    model = declared()
    assert _bounds(model, None, CUTOFF).by_id
    assert not _bounds(model, None, CUTOFF).has_history
    history = History(model.exposures, Duration(1, "d"), ("shop",), {"visits": Feature("count", None)})
    other = replace(model, join=Join(("shop",), by_id=False), history=(history,))
    for horizon in (None, SHORT):
        assert not _bounds(other, horizon, CUTOFF).by_id
        assert _bounds(other, horizon, CUTOFF).has_history


def test_without_other_artifacts_the_rows_are_verified_alone(shop: Shop) -> None:
    assert shop.verify(shop.table({}, {"visit": 2})) == Verdict(2, {}, {})
    assert shop.verify(shop.table(LATER), SHORT) == Verdict(1, {}, {})
    assert shop.verify(shop.table(LATER)).leaks == {"the exposure is not before 2026-05-04T00:00:00+00:00": 1}
    assert shop.verify(shop.table({}), SHORT).leaks == {"the exposure is before 2026-05-04T00:00:00+00:00": 1}


@pytest.mark.parametrize("horizon", [SHORT, LONG])
def test_an_evaluation_is_compared_with_the_training_data_of_its_partition(horizon: Duration, shop: Shop) -> None:
    shop.publish("training_data", shop.table({"visit": 7}, {"visit": 8}))
    assert shop.verify(shop.table({"visit": 7, **LATER}, {"visit": 9, **LATER}), horizon).leaks == {SHARED: 1}
    assert shop.verify(shop.table({"visit": 7, "shop": "b", **LATER}), horizon).passed


@pytest.mark.parametrize("horizon", ["1d", "2d"])
def test_training_data_is_compared_with_the_evaluations_of_its_partition(horizon: str, shop: Shop) -> None:
    shop.publish(f"evaluation_data_{horizon}", shop.table({"visit": 7, **LATER}))
    assert shop.verify(shop.table({"visit": 7}, {"visit": 8})).leaks == {SHARED: 1}


def test_training_data_is_compared_with_all_evaluations_at_once(shop: Shop) -> None:
    shop.publish("evaluation_data_1d", shop.table({"visit": 7, **LATER}, {"visit": 8, **LATER}))
    shop.publish("evaluation_data_2d", shop.table({"visit": 8, **LATER}, {"visit": 9, **LATER}))
    visits = [{"visit": number} for number in range(6, 11)]
    assert shop.verify(shop.table(*visits)).leaks == {SHARED: 3}


def test_evaluations_may_share_their_exposures(shop: Shop) -> None:
    shop.publish("evaluation_data_2d", shop.table({"visit": 7, **LATER}))
    assert shop.verify(shop.table({"visit": 7, **LATER}), SHORT).passed


def test_the_artifacts_of_other_partitions_do_not_count(shop: Shop) -> None:
    shop.publish("training_data", shop.table({"visit": 7}), partition="2026-05-04")
    assert shop.verify(shop.table({"visit": 7, **LATER}), SHORT).passed


def test_only_the_current_version_counts(shop: Shop) -> None:
    shop.publish("training_data", shop.table({"visit": 7}))
    shop.publish("training_data", shop.table({"visit": 8}), version="v2")
    assert shop.verify(shop.table({"visit": 7, **LATER}), SHORT).passed
    assert shop.verify(shop.table({"visit": 8, **LATER}), SHORT).leaks == {SHARED: 1}


def test_an_artifact_without_a_table_shares_nothing(shop: Shop) -> None:
    folder = shop.home / "files"
    folder.mkdir()
    (folder / "model.txt").touch()
    shop.publish("training_data", folder)
    assert shop.verify(shop.table(LATER), SHORT).passed


@pytest.mark.parametrize("file", ["manifest.json", TABLE])
def test_what_is_lost_cannot_be_compared_with_and_keeps_back_evaluations_alone(file: str, shop: Shop) -> None:
    for asset in ("training_data", "evaluation_data_1d"):
        shop.publish(asset, shop.table({"visit": 7}))
        (shop.store.folder(f"shop/order/{asset}", D, "") / file).unlink()
    with pytest.raises(LostError, match=rf"training_data {D} is recorded, but lost from the store: .*/{file};"):
        shop.verify(shop.table(LATER), SHORT)
    assert shop.verify(shop.table({"visit": 7})).passed, "evaluation data is compared when it is made again"


def test_all_rules_that_are_broken_are_told_together(shop: Shop) -> None:
    shop.publish("training_data", shop.table({"visit": 7}))
    verdict = shop.verify(shop.table({"visit": 7}), SHORT)
    assert set(verdict.leaks) == {"the exposure is before 2026-05-04T00:00:00+00:00", SHARED}


def test_rows_that_were_not_saved_cannot_be_verified(shop: Shop) -> None:
    with pytest.raises(LeakError, match="there is no data.parquet"):
        shop.verify(shop.home)


def test_the_cutoff_may_be_written_in_any_time_zone(shop: Shop) -> None:
    """Clocks change between the cutoff and the end of the outcomes, which Dagster's own instants do not count."""
    shop.model = declared("hour", "Europe/Berlin", start=date(2026, 10, 20))
    definition = partitions_definition(shop.model.partitions)
    cutoff = definition.time_window_for_partition_key("2026-10-24-23:00+0200").end
    assert cutoff.utcoffset() == 2 * HOUR
    shown = cutoff.astimezone(UTC)
    outcome = shown + HOUR * 25 - timedelta(microseconds=1)
    row = {"at": shown + HOUR - timedelta(microseconds=1), "known": shown, "label": 1}
    inside = shop.table(row | {"outcome_time": outcome - timedelta(microseconds=1), "outcome_known": outcome})
    assert shop.verify(inside, SHORT, cutoff=cutoff).passed
    outside = shop.table(row | {"outcome_time": outcome + timedelta(microseconds=1), "outcome_known": outcome})
    leaks = shop.verify(outside, SHORT, cutoff=cutoff).leaks
    assert "the outcome is not before 2026-10-25T23:00:00+00:00" in leaks


def test_dagster_keeps_the_verdict_of_each_partition(shop: Shop) -> None:
    asset = "shop/order/training_data"
    definition = partitions_definition(shop.model.partitions)
    spec = no_leak_spec(asset, definition)
    assert spec.blocking
    assert spec.partitions_def == definition
    good, bad = Verdict(9, {}, {}), Verdict(9, {"the rule": 2}, {"the rule": "visit 7"})
    for partition, verdict in (("2026-05-02", good), (D, bad)):
        shop.instance.report_runless_asset_event(no_leak_evaluation(asset, partition, verdict))
    history = shop.instance.event_log_storage.get_asset_check_execution_history(spec.key, limit=10)
    found = {one.partition: one.event.dagster_event.asset_check_evaluation_data for one in history if one.event}
    assert [found["2026-05-02"].passed, found[D].passed] == [True, False]
    assert found[D].description == "2 of 9 rows: the rule, such as visit 7"
    assert found["2026-05-02"].description == "9 rows keep to every rule"
    assert {name: value.value for name, value in found[D].metadata.items()} == {"rows": 9, "the rule": 2}
    assert found[D].blocking
