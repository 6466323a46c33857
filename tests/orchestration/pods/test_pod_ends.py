"""How a pod has ended, in words, and which instances the executor refuses."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.executor.init import InitExecutorContext
from kubernetes import client

from ml_assets.orchestration.pods import executor as kubernetes_executor
from ml_assets.orchestration.pods.executor import NoKubernetesLauncherError, what_became_of
from tests.orchestration.pods.ended import _empty_job, pod


def test_a_container_at_its_limit_is_said_to_have_run_out_of_memory_with_what_to_change() -> None:
    words = what_became_of([pod(code=137, why="OOMKilled")])
    assert words.startswith("ran out of memory: it was killed at its limit of 2Gi (OOMKilled, exit code 137)")
    assert "`kubernetes.memory`" in words
    assert "`kubernetes.steps`" in words


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (pod(reason="Evicted", message="The node was low on resource: memory."), "was lost (Evicted: The node was low"),
        (pod(code=137, why="Error"), "ended with exit code 137 (Error) without a word"),
        (pod(code=1, why="Error"), "ended with exit code 1 (Error) without a word"),
        (pod(code=0, why="Completed", phase="Succeeded"), "ended without saying how its step did"),
    ],
)
def test_other_ends_are_said_in_words(ended: client.V1Pod, words: str) -> None:
    said = what_became_of([ended])
    assert words in said
    assert kubernetes_executor.OUT_OF_MEMORY not in said


def test_a_pod_that_is_gone_was_deleted() -> None:
    assert what_became_of([]) == "is gone: it was deleted, or its node was"


@pytest.mark.parametrize(("seconds_ago", "alive"), [(-20, True), (30, True), (600, False)])
def test_a_pod_that_is_to_end_counts_as_alive_for_a_while(seconds_ago: int, alive: bool) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ending = pod(phase="Running")
    ending.metadata.deletion_timestamp = now - timedelta(seconds=seconds_ago)
    assert kubernetes_executor._is_alive(ending, now) is alive


def test_an_instance_that_launches_elsewhere_is_refused() -> None:
    made = kubernetes_executor.pod_executor()
    with dg.instance_for_test() as instance:
        context = InitExecutorContext(
            job=InMemoryJob(_empty_job), executor_def=made, executor_config={}, instance=instance
        )
        with pytest.raises(NoKubernetesLauncherError, match="ML_ASSETS_ENVIRONMENT"):
            made.executor_creation_fn(context)
