"""Fails the runs that a restored database shows as begun, and that nothing executes any more."""

from collections.abc import Callable

import dagster as dg

from ml_assets.orchestration.launcher import is_alive, is_of_this_machine, worker_or_launcher
from ml_assets.orchestration.launching.daemons import wait_for_life

_BEGUN = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_WHY = "a person said that nothing executes it any more"


class DaemonAliveError(Exception):
    """A daemon is at work, and may have begun the runs."""


def fail_runs(instance: dg.DagsterInstance, *, say: Callable[[str], None]) -> list[dg.DagsterRun]:
    """Record as failed all runs that have begun and not ended, so that they are repeated as killed ones are.

    The daemon does so by itself, but for runs of a machine of another name, of which it cannot know. A run whose
    process is alive here stays. One that a person was about to cancel is canceled.
    Args: `say`: is told what is waited for.
    Returns: those runs.
    Raises: DaemonAliveError.
    """
    life = wait_for_life(instance, say=say)
    if life.alive:
        raise DaemonAliveError(f"a daemon is running ({life.sign}), and it may have begun the runs; stop it first")
    begun = instance.get_runs(filters=dg.RunsFilter(statuses=_BEGUN))
    gone = [run for run in begun if not _is_alive_here(run)]
    for run in gone:
        if run.status is dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, _WHY)
        else:
            instance.report_run_failed(run, _WHY)
    return gone


def _is_alive_here(run: dg.DagsterRun) -> bool:
    worker = worker_or_launcher(run)
    return worker is not None and is_of_this_machine(worker) and is_alive(worker)
