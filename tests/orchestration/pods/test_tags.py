"""What dagster-k8s makes of a model's `kubernetes:`, with the launcher that the plain manifests configure."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.launcher import LaunchRunContext
from dagster_k8s import K8sRunLauncher
from dagster_k8s.client import DagsterKubernetesClient
from kubernetes import client

from ml_assets.definitions import build_definitions
from ml_assets.domain.declared.pods import VOLUME_SOURCES, Pod, Volume
from ml_assets.orchestration.pods.tags import CONFIG_TAG, op_tags
from ml_assets.orchestration.recorded.facts import asset_key
from tests.support import pods, shop
from tests.support.cluster import Cluster, write_kubeconfig
from tests.support.manifests import as_manifest, check, check_restricted, containers, instance_config
from tests.support.projects import TeamProject

DATA, MODEL = "shop/order/training_data", "shop/order/model"
EVALUATION = "shop/order/evaluation_data_2d"
ASKED = """
  kubernetes:
    cpu: 1
    memory: 2Gi
    secrets: [warehouse]
    steps:
      model:
        cpu: 7500m
        memory: 30Gi
        image: models/training:gpu
        node_selector: {pool: gpu}
        tolerations: [{key: gpu, operator: Exists, effect: NoSchedule}]
        volumes:
          - {name: features, mount: /features, read_only: true, source: {persistentVolumeClaim: {claimName: features}}}
          - {name: scratch, mount: /scratch, source: {emptyDir: {sizeLimit: 50Gi}}}
        service_account: trainer
"""
DEFS = {**shop.DEFS, "shop/order": shop.DEFS["shop/order"].rstrip() + ASKED}


class Enough(Exception):
    """The Job was created; what would run in it is not asked here."""


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kubeconfig(tmp_path_factory.mktemp("kube"))


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, kubeconfig: Path) -> TeamProject:
    """A project whose instance launches runs as the plain manifests say; its database alone is another."""
    root = tmp_path_factory.mktemp("asked")
    config = {key: value for key, value in instance_config().items() if key not in ("storage", "compute_logs")}
    own = {"load_incluster_config": False, "kubeconfig_file": str(kubeconfig), "job_image": "models:1"}
    config["run_launcher"]["config"].update(own)
    (root / "home").mkdir()
    (root / "home" / "dagster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    team = TeamProject.make(root, "asked_shop", DEFS)
    (team.root / team.package / "definitions.py").write_text(pods.DEFINITIONS, encoding="utf-8")
    return team


@pytest.fixture(autouse=True)
def in_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_NAMESPACE", "ml")
    monkeypatch.setenv("DAGSTER_HOME", "/opt/dagster/home")


def step_job(team: TeamProject, kubeconfig: Path, asset: str) -> dict[str, Any]:
    """The Job of a step, as dagster-k8s sends it."""

    def stop(_: str) -> None:
        raise Enough

    cluster = Cluster(starts=False, on_create=stop)
    with pytest.raises(Enough):
        pods.run_in_pods(team, cluster, kubeconfig, asset, first="2026-03-04", last="2026-03-05", raises=True)
    [job] = cluster.created
    return as_manifest(job)


@pytest.mark.parametrize("asset", [DATA, MODEL, EVALUATION])
def test_the_job_of_a_step_is_one_that_a_cluster_takes(team: TeamProject, kubeconfig: Path, asset: str) -> None:
    job = step_job(team, kubeconfig, asset)
    check(job)
    check_restricted(job)
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["ttlSecondsAfterFinished"] == 86400
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    # Whatever account it has: what a model declares, for a bucket, needs none of the cluster's tokens.
    assert job["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_a_step_has_what_is_declared_for_all_of_the_model(team: TeamProject, kubeconfig: Path) -> None:
    job = step_job(team, kubeconfig, DATA)
    [container] = containers(job)
    assert container["resources"] == {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "2Gi"}}
    assert container["image"] == "models:1"
    sources = [source for reference in container["envFrom"] for source in reference.values()]
    assert [source["name"] for source in sources] == ["ml-assets", "ml-assets-storage", "warehouse"]
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "dagster-run"


def test_a_step_has_what_is_declared_for_it_alone(team: TeamProject, kubeconfig: Path) -> None:
    job = step_job(team, kubeconfig, MODEL)
    [container], spec = containers(job), job["spec"]["template"]["spec"]
    assert container["resources"] == {"requests": {"cpu": "7500m", "memory": "30Gi"}, "limits": {"memory": "30Gi"}}
    assert container["image"] == "models/training:gpu"
    assert spec["nodeSelector"] == {"pool": "gpu"}
    assert spec["tolerations"] == [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert spec["serviceAccountName"] == "trainer"
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert volumes["features"]["persistentVolumeClaim"] == {"claimName": "features"}
    assert volumes["scratch"]["emptyDir"] == {"sizeLimit": "50Gi"}
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert mounts["features"] == {"name": "features", "mountPath": "/features", "readOnly": True}
    assert set(volumes) == set(mounts) == {"features", "scratch", "tmp", "dagster-home"}


def test_no_secret_is_in_the_job_of_a_step(
    team: TeamProject, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_PG_PASSWORD", "hunter2")
    job = step_job(team, kubeconfig, MODEL)
    assert "hunter2" not in json.dumps(job)
    [container] = containers(job)
    [password] = [variable for variable in container["env"] if variable["name"] == "DAGSTER_PG_PASSWORD"]
    assert password["valueFrom"]["secretKeyRef"] == {"name": "dagster-postgresql", "key": "postgresql-password"}


def run_job(team: TeamProject, kubeconfig: Path) -> tuple[dict[str, Any], dg.DagsterRun]:
    """The Job of a run, as the launcher of the manifests sends it."""
    cluster, instance = Cluster(starts=False), team.project.instance
    launcher = instance.run_launcher
    assert isinstance(launcher, K8sRunLauncher)
    launcher._api_client = DagsterKubernetesClient.production_client(
        batch_api_override=cluster, core_api_override=cluster
    )
    run = pods.created(team, DATA, MODEL, first="2026-03-04", last="2026-03-05")
    launcher.launch_run(LaunchRunContext(run, workspace=None))
    [job] = cluster.created
    return as_manifest(job), run


def test_the_job_of_a_run_is_one_that_a_cluster_takes_and_is_small(team: TeamProject, kubeconfig: Path) -> None:
    job, run = run_job(team, kubeconfig)
    check(job)
    check_restricted(job)
    [container] = containers(job)
    # What a model asks for is for its steps; the run waits for them.
    assert container["resources"] == {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
    assert container["args"][:3] == ["dagster", "api", "execute_run"]
    spec = job["spec"]["template"]["spec"]
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("dagster-run", True)
    assert job["metadata"]["name"] == f"dagster-run-{run.run_id}"
    assert (job["spec"]["backoffLimit"], job["spec"]["template"]["spec"]["restartPolicy"]) == (0, "Never")
    assert "models:1" in shlex.join(container["args"]) or container["image"] == "models:1"


def test_the_run_monitor_tells_a_run_that_lost_its_pod(team: TeamProject, kubeconfig: Path) -> None:
    cluster, instance = Cluster(starts=False), team.project.instance
    launcher = instance.run_launcher
    launcher._api_client = DagsterKubernetesClient.production_client(
        batch_api_override=cluster, core_api_override=cluster
    )
    run = pods.created(team, DATA, first="2026-03-04", last="2026-03-05")
    launcher.launch_run(LaunchRunContext(run, workspace=None))
    assert launcher.check_run_worker_health(run).status.value == "RUNNING"
    [running] = cluster.jobs.values()
    running.pod, running.failed = None, True
    assert launcher.check_run_worker_health(run).status.value == "FAILED"
    assert instance.run_monitoring_max_resume_run_attempts == 3
    assert launcher.supports_resume_run


def test_a_model_that_asks_for_nothing_has_no_tag() -> None:
    assert op_tags(Pod()) == {}


def test_what_a_pod_asks_for_is_no_part_of_the_code_version(team: TeamProject, tmp_path: Path) -> None:
    other = TeamProject.make(tmp_path, "unasked_shop", shop.DEFS)
    assert versions(team) == versions(other)


def versions(team: TeamProject) -> Mapping[str, str | None]:
    graph = build_definitions(dg.ComponentTree.for_project(team.root)).resolve_asset_graph()
    return {key.to_user_string(): graph.get(key).code_version for key in graph.materializable_asset_keys}


def test_the_tags_are_on_the_op_because_tags_of_a_job_do_not_reach_steps(team: TeamProject) -> None:
    graph = build_definitions(dg.ComponentTree.for_project(team.root)).resolve_asset_graph()
    assert CONFIG_TAG in graph.get(asset_key(MODEL)).assets_def.op.tags


@pytest.mark.parametrize("source", VOLUME_SOURCES)
def test_each_kind_of_volume_is_one_of_kubernetes_own(source: str) -> None:
    assert source in client.V1Volume.attribute_map.values()
    volume = Volume("data", "/data", {source: {}})
    assert op_tags(Pod(volumes=(volume,)))[CONFIG_TAG]["pod_spec_config"]["volumes"] == [{"name": "data", source: {}}]
