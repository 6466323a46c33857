"""When a run is over for its steps, and what ends a step that runs apart from it and would go on."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

#: How often a step that runs apart from its run asks whether that is over.
SECONDS_BETWEEN_LOOKS = 10
#: How long it then waits for whoever is to end it. By Kubernetes' default a pod has as long to end, so that what is
#: still there afterwards was not asked: a second interruption would break off what the first one writes down.
SECONDS_TO_END = 30


def is_over(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether nothing of a run is to go on: it has ended, is being canceled, or was deleted."""
    run = instance.get_run_by_id(run_id)
    return run is None or run.is_finished or run.status is dg.DagsterRunStatus.CANCELING


@contextmanager
def ending_with_its_run(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Meanwhile a step that runs apart from its run is interrupted once that is over, as if its pod was asked to end.

    Whoever is to delete its pod may be lost, or may not reach the cluster.
    """
    if not context.get_step_execution_context().retry_mode.deferred:
        yield
        return
    done = threading.Event()
    arguments = (context.instance, context.run.run_id, done)
    threading.Thread(target=_interrupt_when_over, args=arguments, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _interrupt_when_over(instance: dg.DagsterInstance, run_id: str, done: threading.Event) -> None:
    log = logging.getLogger(__name__)
    while not done.wait(SECONDS_BETWEEN_LOOKS):
        try:
            over = is_over(instance, run_id)
        except Exception as error:  # noqa: BLE001  (a database that is away for a while ends no step)
            log.warning("whether run %s is over cannot be asked: %s", run_id, error)
            continue
        if over and not done.wait(SECONDS_TO_END):
            log.warning("run %s is over, so that this step of it ends", run_id)
            os.kill(os.getpid(), signal.SIGTERM)
        if over:
            return
