"""Runs that a restored database shows as begun, on a machine of another name: failed by hand, and then repeated."""

import time
from pathlib import Path

import dagster as dg
import psutil
import pytest
from click.testing import CliRunner
from dagster._daemon.types import DaemonHeartbeat

from ml_assets.cli.main import main
from ml_assets.orchestration.launcher import WORKER_TAG, worker_of
from ml_assets.project.answers.fail_runs import DaemonAliveError, fail_runs
from ml_assets.project.home import open_instance, prepare_home

ELSEWHERE = "another-machine 4711 1767225600.00"
STATUS = dg.DagsterRunStatus


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of an instance that repeats a killed run once."""
    home = prepare_home(tmp_path / "home")
    with (home / "dagster.yaml").open("a") as config:
        config.write("run_retries: {enabled: true, max_retries: 1, retry_on_asset_or_op_failure: false}\n")
    return home


def begun(instance: dg.DagsterInstance, worker: str | None, status: STATUS = STATUS.STARTED) -> str:
    tags = {} if worker is None else {WORKER_TAG: worker}
    return instance.add_run(dg.DagsterRun("job", tags=tags, status=status)).run_id


def test_what_has_begun_elsewhere_fails_and_is_to_be_repeated_and_all_else_stays(home: Path) -> None:
    with open_instance(home) as instance:
        elsewhere = [begun(instance, ELSEWHERE), begun(instance, None, STATUS.STARTING)]
        canceling = begun(instance, ELSEWHERE, STATUS.CANCELING)
        alive = begun(instance, worker_of(psutil.Process().pid))
        others = [begun(instance, None, status) for status in (STATUS.NOT_STARTED, STATUS.SUCCESS)]
        done = CliRunner().invoke(main, ["fail-runs", "--home", str(home)])
        assert done.exit_code == 0, done.output
        assert {line.split()[1] for line in done.output.splitlines()} == {*elsewhere, canceling}
        runs = {run.run_id: run for run in instance.get_runs()}
        assert [runs[run_id].status for run_id in elsewhere] == [STATUS.FAILURE] * 2
        assert {runs[run_id].tags["dagster/will_retry"] for run_id in elsewhere} == {"true"}
        assert runs[canceling].status is STATUS.CANCELED
        assert [runs[run_id].status for run_id in (alive, *others)] == [
            STATUS.STARTED,
            STATUS.NOT_STARTED,
            STATUS.SUCCESS,
        ]
        again = CliRunner().invoke(main, ["fail-runs", "--home", str(home)])
        assert again.output == "no run has begun that has not ended, or is alive here\n"


def test_while_a_daemon_is_alive_nothing_is_failed(home: Path) -> None:
    with open_instance(home) as instance:
        run_id = begun(instance, ELSEWHERE)

        def beat(_: str = "") -> None:
            instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "SENSOR", None, None))

        beat()
        # Its next heartbeat is waited for.
        with pytest.raises(DaemonAliveError, match=r"a daemon is running \(.*the last heartbeat was .*stop it first"):
            fail_runs(instance, say=beat)
        (run,) = instance.get_runs(filters=dg.RunsFilter(run_ids=[run_id]))
        assert run.status is STATUS.STARTED
