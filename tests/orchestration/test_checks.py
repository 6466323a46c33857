"""The check `no_leak`: which artifacts it compares, what was read, and how Dagster is told."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from ml_assets.data.artifacts.store import ArtifactStore
from ml_assets.data.no_leak import LeakError, Verdict
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.notebooks.order import TABLE, ReadRecord
from ml_assets.orchestration.checks import no_leak_evaluation, no_leak_spec, verify_no_leak
from ml_assets.orchestration.partitions import partitions_definition
from ml_assets.orchestration.recorded.current import LostError
from ml_assets.orchestration.recorded.facts import materialization
from ml_assets.project.home import open_instance
from tests.orchestration.checked import CUTOFF, HOUR, LONG, SHORT, D, declared

SHARED = "the exposure is in training and in evaluation data"


# --- artifacts


@dataclass
class Shop:
    """A model with a real instance and a real store."""

    instance: dg.DagsterInstance
    store: ArtifactStore
    home: Path
    model: Model

    def table(self, *rows: dict[str, Any]) -> Path:
        """A folder with the rows; each a visit half an hour before the cutoff, but for what it says."""
        folder = self.home / f"folder {len(list(self.home.iterdir()))}"
        folder.mkdir()
        at = CUTOFF - HOUR / 2
        plain = {
            "shop": "a",
            "visit": 1,
            "at": at,
            "known": at,
            "label": 0,
            "outcome_time": None,
            "outcome_known": None,
        }
        times = dict.fromkeys(("at", "known", "outcome_time", "outcome_known"), "datetime64[us, UTC]")
        frame = pd.DataFrame([plain | row for row in rows], columns=[*plain]).astype(times)
        frame.to_parquet(folder / TABLE, index=False)
        return folder

    def publish(self, asset: str, rows: Path, partition: str = D, version: str = "v1") -> None:
        """The current version of a partition. Reported from outside of a run, it belongs to the run without a name."""
        folder = self.store.folder(f"shop/order/{asset}", partition, "")
        folder.mkdir(parents=True, exist_ok=True)
        for path in rows.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        self.store.publish(folder, {"data_version": version})
        self.instance.report_runless_asset_event(materialization(f"shop/order/{asset}", partition, version))

    def verify(
        self, rows: Path, horizon: Duration | None = None, *reads: ReadRecord, cutoff: datetime = CUTOFF
    ) -> Verdict:
        return verify_no_leak(
            self.instance, self.store, self.model, horizon, D, cutoff=cutoff, folder=rows, reads=reads
        )


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    (tmp_path / "tables").mkdir()
    return Shop(open_instance(tmp_path / "home"), ArtifactStore(tmp_path / "store"), tmp_path / "tables", declared())


LATER = {"at": CUTOFF + HOUR, "known": CUTOFF + HOUR}


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


# --- what was read


def read(role: str, *, known: datetime | None = None, event: datetime | None = None) -> ReadRecord:
    return ReadRecord(
        log=f"shop/{role}", role=role, partitions=[D], rows=5, latest_event=event or CUTOFF - HOUR, latest_known=known
    )


MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("late", "in_time", "words"),
    [
        (
            read("outcomes", known=CUTOFF + 3 * HOUR),
            read("outcomes", known=CUTOFF + 3 * HOUR - MOMENT),
            "outcomes of shop/outcomes were read that were known at or after 2026-05-04T03:00:00+00:00",
        ),
        (
            read("exposures", known=CUTOFF + 2 * HOUR),
            read("exposures", known=CUTOFF + 2 * HOUR - MOMENT),
            "exposures of shop/exposures were read that were known at or after 2026-05-04T02:00:00+00:00",
        ),
        (
            read("outcomes", event=CUTOFF),
            read("outcomes", event=CUTOFF - MOMENT),
            "outcomes of shop/outcomes were read that happened at or after 2026-05-04T00:00:00+00:00",
        ),
    ],
    ids=["outcomes", "exposures", "event time"],
)
def test_what_was_read_too_late_is_caught_though_it_left_no_row(
    late: ReadRecord, in_time: ReadRecord, words: str, shop: Shop
) -> None:
    """As a retraction does, which takes a label back before anyone could know."""
    rows = shop.table({})
    assert shop.verify(rows, None, in_time).passed
    verdict = shop.verify(rows, None, in_time, late)
    assert verdict.leaks == {words: 1}
    assert str(verdict).endswith(f"such as {(late.latest_known or late.latest_event).isoformat()}")


def test_what_was_read_for_history_is_a_matter_of_each_exposure(shop: Shop) -> None:
    later = CUTOFF + 1000 * HOUR
    assert shop.verify(shop.table({}), None, read("history", known=later, event=later)).passed


def test_an_evaluation_reads_the_newest_knowledge_of_events_within_its_horizon(shop: Shop) -> None:
    later, end = CUTOFF + 1000 * HOUR, CUTOFF + 48 * HOUR
    rows = shop.table(LATER)
    assert shop.verify(rows, SHORT, read("outcomes", known=later, event=end - MOMENT)).passed
    assert not shop.verify(rows, SHORT, read("outcomes", known=later, event=end)).passed
    assert shop.verify(rows, LONG, read("outcomes", known=later, event=end)).passed


def test_nothing_read_is_nothing_too_late(shop: Shop) -> None:
    nothing = read("outcomes").model_copy(update={"rows": 0, "latest_event": None})
    assert shop.verify(shop.table({}), None, nothing).passed


# --- what Dagster is told


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
