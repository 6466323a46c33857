"""When a run is over, and what that does to a step that runs apart from it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.retries import RetryMode
from dagster._utils.interrupts import raise_interrupts_as

from ml_assets.orchestration.running import over
from ml_assets.orchestration.running.over import ending_with_its_run, is_over

ENDS: dict[str, Callable[[dg.DagsterInstance, dg.DagsterRun], Any]] = {
    "canceling": lambda instance, run: instance.report_run_canceling(run),
    "canceled": lambda instance, run: instance.report_run_canceled(run),
    "failed": lambda instance, run: instance.report_run_failed(run),
    "deleted": lambda instance, run: instance.delete_run(run.run_id),
}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def run(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterRun:
    monkeypatch.setattr(over, "SECONDS_BETWEEN_LOOKS", 0.05)
    monkeypatch.setattr(over, "SECONDS_TO_END", 0.2)
    return instance.add_run(dg.DagsterRun("job", status=dg.DagsterRunStatus.STARTED))


def step_of(instance: dg.DagsterInstance, run: dg.DagsterRun, mode: RetryMode) -> dg.AssetExecutionContext:
    """The context of a step, as far as it is looked at: of a pod, or of its run's own process."""
    own = SimpleNamespace(retry_mode=mode)
    found = SimpleNamespace(instance=instance, run=run, get_step_execution_context=lambda: own)
    return cast(dg.AssetExecutionContext, found)


def work(step: dg.AssetExecutionContext, end: Callable[[], object], *, seconds: float) -> None:
    """A step that goes on after the end of its run, for some seconds or until it is interrupted."""
    with raise_interrupts_as(DagsterExecutionInterruptedError), ending_with_its_run(step):
        time.sleep(0.1)
        end()
        time.sleep(seconds)


@pytest.mark.parametrize("end", ENDS)
def test_a_step_in_a_pod_is_interrupted_once_its_run_is_over(
    instance: dg.DagsterInstance, run: dg.DagsterRun, end: str
) -> None:
    assert not is_over(instance, run.run_id)
    with pytest.raises(DagsterExecutionInterruptedError):
        work(step_of(instance, run, RetryMode.DEFERRED), lambda: ENDS[end](instance, run), seconds=30)
    assert is_over(instance, run.run_id)


def test_a_step_that_was_asked_to_end_writes_down_why_without_a_second_interruption(
    instance: dg.DagsterInstance, run: dg.DagsterRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(over, "SECONDS_TO_END", 30)
    seen = threading.Event()
    written: list[str] = []

    def look(of: dg.DagsterInstance, run_id: str) -> bool:
        found = is_over(of, run_id)
        if found:
            seen.set()
        return found

    monkeypatch.setattr(over, "is_over", look)

    def cancel() -> None:
        # As the executor does: the run is canceling, and the pod of the step is asked to end.
        instance.report_run_canceling(run)
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            assert seen.wait(30)
            time.sleep(0.3)
            written.append("why")

    with pytest.raises(DagsterExecutionInterruptedError):
        work(step_of(instance, run, RetryMode.DEFERRED), cancel, seconds=30)
    assert written == ["why"]


def test_a_step_in_the_process_of_its_run_is_left_to_that(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    work(step_of(instance, run, RetryMode.ENABLED), lambda: instance.report_run_canceling(run), seconds=0.3)


def test_a_database_that_is_away_ends_no_step(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = []

    def away(of: dg.DagsterInstance, run_id: str) -> bool:
        asked.append(run_id)
        if len(asked) < 3:
            raise ConnectionError("no database")
        return is_over(of, run_id)

    monkeypatch.setattr(over, "is_over", away)
    with pytest.raises(DagsterExecutionInterruptedError):
        work(step_of(instance, run, RetryMode.DEFERRED), lambda: instance.report_run_canceling(run), seconds=30)
    assert caplog.text.count("cannot be asked: no database") == 2
