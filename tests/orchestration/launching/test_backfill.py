"""A backfill beside others: what they have made since it was planned, or make now, is not made twice."""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._core.events import DagsterEventType, StepMaterializationData

from ml_assets.domain.owed.due import State as Due
from ml_assets.notebooks.kernels.warm import WarmHosts
from ml_assets.orchestration.launcher import fail_dead_runs, recorded_worker
from ml_assets.orchestration.launching import elsewhere
from ml_assets.orchestration.launching.backfill import Backfill
from ml_assets.orchestration.launching.launches import Launch, LaunchHere
from ml_assets.orchestration.launching.outcomes import State
from ml_assets.orchestration.recorded.facts import asset_key, materialization, runs_in_progress
from ml_assets.orchestration.sensors import Tick
from ml_assets.project.answers.plan import Asked, Planned, make_plan
from tests.support import shop
from tests.support.projects import TeamProject

DATA, MODEL = "shop/order/training_data", "shop/order/model"
FIRST, SECOND, THIRD = "2026-03-03", "2026-03-04", "2026-03-05"


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> TeamProject:
    team = TeamProject.make(tmp_path_factory.mktemp("beside"), "beside_others", shop.DEFS)
    for log in ("visits", "orders"):
        shop.arrive(team, log, 1, 5)
    return team


@pytest.fixture(autouse=True)
def new_instance(team: TeamProject) -> None:
    """Each test finds nothing made."""
    instance = team.project.instance
    for run in instance.get_runs():
        instance.delete_run(run.run_id)
    instance.wipe_assets([asset_key(DATA), asset_key(MODEL)])


def make(team: TeamProject, run: dg.DagsterRun) -> None:
    """Record that a run made all that it holds."""
    instance = team.project.instance
    (of,) = {run.tags["dagster/asset_partition_range_start"], run.tags["dagster/asset_partition_range_end"]}
    for key in sorted(run.asset_selection or (), reverse=True):
        event = dg.DagsterEvent(
            DagsterEventType.ASSET_MATERIALIZATION.value,
            run.job_name,
            step_key="__".join(key.path),
            event_specific_data=StepMaterializationData(
                materialization("/".join(key.path), of, f"version of {run.run_id}")
            ),
        )
        instance.report_dagster_event(event, run.run_id)
    instance.report_dagster_event(dg.DagsterEvent(DagsterEventType.RUN_SUCCESS.value, run.job_name), run.run_id)


def begin(team: TeamProject, partition: str, *assets: str) -> dg.DagsterRun:
    """A run of somebody else, as of a sensor or of a person, which has begun."""
    instance = team.project.instance
    run = team.project.runs.create(assets, [partition], {})
    instance.report_dagster_event(dg.DagsterEvent(DagsterEventType.RUN_START.value, run.job_name), run.run_id)
    return run


@dataclass
class AtOnce:
    """Makes each run at once."""

    team: TeamProject
    waits_for_others: bool = False
    why: str | None = None
    parallelism: int = 1
    holds_pools: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)
    started: list[tuple[str, ...]] = field(default_factory=list)

    def obstacle(self) -> str | None:
        return self.why

    def start(self, run: dg.DagsterRun) -> None:
        self.started.append(
            (run.tags["partitions"], *sorted(key.to_user_string() for key in run.asset_selection or ()))
        )
        make(self.team, run)

    def ended(self, run_id: str) -> bool:
        return True

    def kill(self, run_id: str) -> None:
        raise AssertionError(run_id)


def plan(team: TeamProject, *, last: str = SECOND) -> Planned:
    asked = Asked("all", last=last, partitions_per_run=1)
    planned = make_plan(team.project, asked, parallelism=1, as_of=datetime.now(UTC))
    assert [run.partitions for run in planned.runs[:2]] == [(FIRST,), (SECOND,)]
    return planned


def launched(tick: Tick) -> list[str]:
    return [partition for launch in tick.launches for partition in launch.request.partitions]


def execute(
    team: TeamProject, planned: Planned, launch: Launch, on_look: Callable[[], None] = lambda: None
) -> dict[tuple[str, str], tuple[State, str]]:
    backfill = Backfill(team.project.runs, planned.models.values(), planned.runs, launch, planned.made)
    backfill.execute(tags={}, on_look=on_look, until=lambda: False)
    return {item: (one.state, one.why) for item, one in backfill.outcomes.items()}


def test_what_somebody_has_made_since_the_plan_counts_as_made(team: TeamProject) -> None:
    planned, launch = plan(team), AtOnce(team)
    make(team, begin(team, FIRST, DATA, MODEL))
    make(team, begin(team, SECOND, DATA))
    outcomes = execute(team, planned, launch)
    assert launch.started == [(SECOND, MODEL)]
    assert {state for state, _ in outcomes.values()} == {State.MADE}


def test_what_somebody_makes_is_left_out_where_no_daemon_is_there_to_end_it(team: TeamProject) -> None:
    planned, launch = plan(team), AtOnce(team)
    other = begin(team, FIRST, DATA)
    outcomes = execute(team, planned, launch)
    assert launch.started == [(SECOND, MODEL, DATA)]
    assert outcomes[DATA, FIRST] == outcomes[MODEL, FIRST] == (State.LEFT_OUT, f"run {other.run_id} is at it")


def test_beside_a_daemon_what_somebody_makes_is_waited_for(team: TeamProject) -> None:
    planned, launch = plan(team), AtOnce(team, waits_for_others=True)
    other, looks = begin(team, FIRST, DATA), []

    def look() -> None:
        looks.append(list(launch.started))
        if len(looks) == 3:
            make(team, other)

    outcomes = execute(team, planned, launch, look)
    assert looks[2] == [(SECOND, MODEL, DATA)], "the others go on"
    assert launch.started == [(SECOND, MODEL, DATA), (FIRST, MODEL)]
    assert {state for state, _ in outcomes.values()} == {State.MADE}


def test_what_many_runs_wait_for_is_looked_at_about_once_a_second(
    team: TeamProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned, launch = plan(team, last=THIRD), AtOnce(team, waits_for_others=True, parallelism=9)
    others = [begin(team, day, DATA, MODEL) for day in (FIRST, SECOND, THIRD)]
    asked, at_end = list[int](), list[int]()

    def counted(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
        asked.append(1)
        return runs_in_progress(instance)

    def look() -> None:
        at_end.append(len(asked))
        if len(at_end) == 1:
            for other in others:
                make(team, other)

    monkeypatch.setattr(elsewhere, "runs_in_progress", counted)
    outcomes = execute(team, planned, launch, look)
    assert at_end[0] == 1, "three that wait share a look"
    assert launch.started == []
    assert {state for state, _ in outcomes.values()} == {State.MADE}


def test_once_a_daemon_is_there_nothing_more_is_begun(team: TeamProject) -> None:
    planned, launch = plan(team, last=THIRD), AtOnce(team)

    def look() -> None:
        launch.why = "a daemon is running"

    outcomes = execute(team, planned, launch, look)
    assert outcomes[MODEL, FIRST] == (State.MADE, "")
    rest = {(asset, day) for asset in (DATA, MODEL) for day in (SECOND, THIRD)}
    assert {item for item, one in outcomes.items() if one == (State.LEFT_OUT, "a daemon is running")} == rest
    tick = team.project.look(["shop"])
    assert launched(tick) == [SECOND, THIRD], "the daemon makes the rest"


def test_a_tick_sees_a_run_in_progress_before_its_process_has_begun_it(
    team: TeamProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A cold process, which takes seconds to begin.
    monkeypatch.setattr(WarmHosts, "address", lambda _: None)
    project = team.project
    here = LaunchHere(project.instance, 1, say=pytest.fail)
    run = project.runs.create([DATA, MODEL], [FIRST], {})
    here.start(run)
    try:
        tick = project.look(["shop"])
    finally:
        here.kill(run.run_id)
    assert tick.found["shop/order"][MODEL][FIRST].state is Due.RUNNING
    assert launched(tick) == [SECOND, THIRD]
    assert project.instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]


class Killed(LaunchHere):
    """Is killed after a run was created, before it has a process."""

    def start(self, run: dg.DagsterRun) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_run_that_a_killed_backfill_had_only_created_is_failed_and_made_by_the_next(team: TeamProject) -> None:
    project, planned = team.project, plan(team)
    pid = os.fork()
    if pid == 0:
        # Whatever happens, this is no second run of the tests.
        try:
            execute(team, planned, Killed(project.instance, 1, say=print))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    (left,) = project.instance.get_runs()
    assert left.status is dg.DagsterRunStatus.NOT_STARTED
    assert recorded_worker(left) is None, "who cancels the run would end the backfill"
    assert fail_dead_runs(project.instance) == [left.run_id]
    assert launched(project.look(["shop"])) == [FIRST, SECOND, THIRD]
