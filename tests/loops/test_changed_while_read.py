"""An event partition that is written while a notebook reads it: the run fails, and the same partition is launched again."""

from pathlib import Path

import dagster as dg
import pytest

from ml_assets.orchestration.recorded.lineage import current_runs
from tests.support import shop
from tests.support.projects import TeamProject

pytestmark = pytest.mark.slow

TRAINING = "shop/order/training_data"
#: Writes an event partition again in its first run, after it has read it.
MEDDLING = """
# %%
import os
from pathlib import Path

examples = step.examples()
events = Path("{events}")
if not events.with_name("meddled").exists():
    events.with_name("meddled").touch()
    os.utime(events)
step.save(examples)
"""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> TeamProject:
    root = tmp_path_factory.mktemp("meddled")
    # What changes after its restatement window does not count as a change: the request stays the same.
    logs = shop.DEFS["shop/logs"].replace("  lookahead", "  restatement: 0h\n  lookahead")
    model = shop.DEFS["shop/order"] + "  notebooks: {training_data: notebooks/meddling/training_data.ipynb}\n"
    team = TeamProject.make(root, "meddled_shop", {"shop/logs": logs, "shop/order": model})
    events: Path = team.home / "events/shop/orders/date=2026-03-02/part-0.parquet"
    team.write_notebook("notebooks/meddling/training_data.ipynb", MEDDLING.format(events=events))
    for log in ("visits", "orders"):
        shop.arrive(team, log, 1, 3)
    team.make_due("shop")
    return team


def test_the_run_that_read_what_changed_fails_and_says_so(team: TeamProject) -> None:
    failed = team.project.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    assert len(failed) == 1
    errors = [
        event.dagster_event.step_failure_data.error_display_string
        for event in team.project.instance.all_logs(failed[0].run_id)
        if event.dagster_event and event.dagster_event.is_step_failure
    ]
    assert "shop/orders 2026-03-02 changed while it was read" in errors[0]


def test_the_same_partition_is_launched_again_and_made_once(team: TeamProject) -> None:
    assert list(current_runs(team.project.instance, TRAINING)) == ["2026-03-03"]
    assert list(current_runs(team.project.instance, "shop/order/model")) == ["2026-03-03"]
    assert team.project.instance.get_runs_count() == 2


def test_the_late_change_is_told_and_nothing_else_is_made_of_it(team: TeamProject) -> None:
    tick = team.project.look(["shop"])
    assert tick.launches == []
    assert "shop/orders: 2026-03-02 changed after the restatement window of 0h" in tick.message
