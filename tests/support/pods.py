"""Runs of a team's project by the real executor of pods, on a cluster that is processes of this machine."""

from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.executor_definition import multiple_process_executor_requirements
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.execution.retries import RetryMode

from ml_assets.orchestration.pods.executor import WITHOUT_TOKEN, KubernetesExecutor, KubernetesSteps
from ml_assets.orchestration.recorded.facts import asset_key
from tests.support.cluster import Cluster
from tests.support.projects import TeamProject

#: The clients in place of Kubernetes' own, set by the test whose process executes a run.
CLUSTER: list[Cluster] = []
KUBECONFIG: list[Path] = []
DEFINITIONS = """
from pathlib import Path

import dagster as dg
from dagster_shared.record import copy

from ml_assets.definitions import build_definitions
from tests.support.pods import executor


@dg.definitions
def defs():
    return copy(build_definitions(dg.ComponentTree.for_project(Path(__file__).parents[1])), executor=executor)
"""


@dg.executor(name="pods", requirements=multiple_process_executor_requirements())
def executor(_: dg.InitExecutorContext) -> KubernetesExecutor:
    """Our executor, with clients of the test's cluster, and without its pauses."""
    handler = KubernetesSteps(
        image=None,
        container_context=WITHOUT_TOKEN,
        load_incluster_config=False,
        kubeconfig_file=str(KUBECONFIG[-1]),
        k8s_client_batch_api=CLUSTER[-1],
        k8s_client_core_api=CLUSTER[-1],
    )
    return KubernetesExecutor(
        handler,
        retries=RetryMode.ENABLED,
        sleep_seconds=0.2,
        check_step_health_interval_seconds=1,
        should_verify_step=True,
    )


def run_in_pods(
    team: TeamProject, cluster: Cluster, kubeconfig: Path, *assets: str, first: str, last: str, raises: bool = False
) -> dg.DagsterRun:
    """A run of some assets over some days; each step is a process of its own."""
    CLUSTER.append(cluster)
    KUBECONFIG.append(kubeconfig)
    job, options = _job(team, assets, first, last)
    instance = team.project.instance
    try:
        result = dg.execute_job(job, instance, **options, raise_on_error=raises)
    finally:
        cluster.stop()
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    return run


def created(team: TeamProject, *assets: str, first: str, last: str) -> dg.DagsterRun:
    """A run of some assets over some days that has not begun."""
    job, options = _job(team, assets, first, last)
    instance = team.project.instance
    return instance.create_run_for_job(
        job.get_definition(),
        **options | {"asset_selection": frozenset(options["asset_selection"])},
        job_code_origin=job.get_python_origin(),
    )


def _job(
    team: TeamProject, assets: tuple[str, ...], first: str, last: str
) -> tuple[ReconstructableJob, dict[str, Any]]:
    repository = ReconstructableRepository.for_module(f"{team.package}.definitions", "defs", str(team.root))
    keys = frozenset(map(asset_key, assets))
    job = repository.get_reconstructable_job("__ASSET_JOB").get_subset(asset_selection=keys)
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return job, {"tags": tags, "asset_selection": list(keys)}
