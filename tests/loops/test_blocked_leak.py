"""A notebook that leaks: the check fails, nothing is published, and nothing is made of it."""

from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from ml_assets.domain.owed.debt import Cause
from ml_assets.orchestration.recorded.lineage import current_runs
from ml_assets.project.answers.debt import find_debts
from tests.support import shop
from tests.support.projects import TeamProject

pytestmark = pytest.mark.slow

TRAINING = "shop/order/training_data"
#: Of the third of March alone, one exposure is of the very instant of the cutoff.
LEAKING = """
# %%
import pandas as pd

examples = step.history(step.examples())
if step.partition == "2026-03-03":
    examples.loc[examples.index[-1], "event_time"] = pd.Timestamp(step.cutoff)

# %%
step.save(examples)
"""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> TeamProject:
    model = shop.DEFS["shop/order"] + "  notebooks: {training_data: notebooks/leaking/training_data.ipynb}\n"
    team = TeamProject.make(tmp_path_factory.mktemp("leak"), "leaking_shop", {**shop.DEFS, "shop/order": model})
    team.write_notebook("notebooks/leaking/training_data.ipynb", LEAKING)
    for log in ("visits", "orders"):
        shop.arrive(team, log, 1, 4)
    team.make_due("shop")
    return team


def test_the_leaking_partition_is_not_published_and_its_neighbour_is(team: TeamProject) -> None:
    assert sorted(current_runs(team.project.instance, TRAINING)) == ["2026-03-04"]
    assert sorted(current_runs(team.project.instance, "shop/order/model")) == ["2026-03-04"]
    assert not list((team.home / "artifacts" / TRAINING / "2026-03-03").rglob("manifest.json"))


def test_the_check_of_the_partition_failed_and_names_the_row(team: TeamProject) -> None:
    key = dg.AssetCheckKey(dg.AssetKey(TRAINING.split("/")), "no_leak")
    records = team.project.instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
    evaluations = {
        record.event.dagster_event.asset_check_evaluation_data.partition: record
        for record in records
        if record.event and record.event.dagster_event
    }
    assert evaluations["2026-03-04"].status is AssetCheckExecutionRecordStatus.SUCCEEDED
    assert evaluations["2026-03-03"].status is AssetCheckExecutionRecordStatus.FAILED
    found = evaluations["2026-03-03"].event.dagster_event.asset_check_evaluation_data
    assert found.blocking
    assert "1 of 900 rows: the exposure is not before 2026-03-03T23:00:00+00:00, such as visit_id" in found.description


def test_the_debt_and_the_tick_name_the_leak(team: TeamProject) -> None:
    tick = team.project.look(["shop"])
    assert tick.launches == []
    assert "shop/order/training_data: 2026-03-03 failed" in tick.message
    (debt,) = find_debts(team.project, list(team.project.models.values()), as_of=datetime.now(UTC))
    (failed,) = (entry for entry in debt.debt.entries if entry.cause is Cause.FAILED)
    assert (failed.partition, failed.asset) == ("2026-03-03", TRAINING)
    assert "LeakError: shop/order/training_data 2026-03-03 leaks" in str(debt.error(failed))
