"""The whole loop as pods of a cluster: events in an object store, state in PostgreSQL, each run and step a pod.

Needs KUBECONFIG and ML_ASSETS_IMAGE; CONTRIBUTING.md says how to run it. Its manifests are checked without a cluster, too.
"""

import json
import os
import runpy
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import graphql
import pytest
import s3fs
from dagster_graphql.schema import create_schema
from kubernetes import client
from moto.server import ThreadedMotoServer

from ml_assets.definitions import build_definitions
from tests.support.kubernetes_loop import NOTEBOOKS, PROJECT, loop_manifests
from tests.support.kubernetes_namespace import IN_PODS, Namespace, namespace, until
from tests.support.manifests import check, check_restricted
from tests.support.projects import REPOSITORY, TeamProject

on_a_cluster = [
    pytest.mark.k8s,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        not (os.environ.get("KUBECONFIG") and os.environ.get("ML_ASSETS_IMAGE")),
        reason="KUBECONFIG and ML_ASSETS_IMAGE name no cluster and image",
    ),
]
STEP = "app.kubernetes.io/component=step_worker"
#: What is to serve all along.
APPS = ("ml-assets-code", "dagster-daemon", "dagster-webserver")
#: Of five days of events: three trainings, and the one evaluation whose outcomes are in.
MADE = {
    "ads/cvr/training_data": ["2025-12-14", "2025-12-15", "2025-12-16"],
    "ads/cvr/model": ["2025-12-14", "2025-12-15", "2025-12-16"],
    "ads/cvr/evaluation_data_1d": ["2025-12-14"],
    "ads/cvr/metrics_1d": ["2025-12-14"],
}


@pytest.mark.parametrize("postgres", [None, "postgres:15"])
def test_the_manifests_of_the_loop_are_ones_that_a_cluster_takes(postgres: str | None) -> None:
    stages = loop_manifests("models:test", password="x", postgres=postgres)
    assert list(stages) == ["settings", "servers", "events", "dagster"]
    for manifest in [one for stage in stages.values() for one in stage]:
        check(manifest)
        if manifest["kind"] in ("Deployment", "Job"):
            check_restricted(manifest)
            for container in manifest["spec"]["template"]["spec"]["containers"]:
                assert container["image"] in ("models:test", postgres)


def test_the_files_of_the_loop_are_a_project(tmp_path: Path) -> None:
    logs = (REPOSITORY / "ml_assets" / "defs" / "ads" / "logs" / "defs.yaml").read_text(encoding="utf-8")
    models = {path.removeprefix("ml_assets/defs/").removesuffix("/defs.yaml"): text for path, text in PROJECT.items()}
    team = TeamProject.make(tmp_path, "loop_project", {"ads/logs": logs, **models})
    for path, text in NOTEBOOKS.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
        # As those that people write: papermill asks for it.
        assert json.loads(text)["metadata"]["kernelspec"]["name"] == "python3"
    graph = build_definitions(dg.ComponentTree.for_project(team.root)).resolve_asset_graph()
    made = {key.to_user_string() for key in graph.materializable_asset_keys}
    assert {*MADE, "ads/hungry/model", "ads/slow/model"} <= made

    def first(model: str) -> str:
        return graph.get(dg.AssetKey(["ads", model, "model"])).partitions_def.get_first_partition_key()

    assert first("cvr") == MADE["ads/cvr/model"][0]
    # Each is to be trained once, on the last of the days that there are.
    assert first("hungry") == first("slow") == MADE["ads/cvr/model"][-1]


@pytest.fixture
def object_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The object store of the loop, on this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    variables = {
        "ML_ASSETS_STORAGE": "s3://loop/production",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "loop",
        "AWS_SECRET_ACCESS_KEY": "loop",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    yield
    server.stop()


@pytest.mark.slow
def test_what_is_run_in_pods_runs(object_store: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").touch()
    run_script("events.py")
    store = s3fs.S3FileSystem()
    assert len(store.glob("loop/production/events/ads/*/*/_SUCCESS")) == 10
    path = "ads/cvr/model/2025-12-14/run.ipynb"
    store.pipe_file(f"loop/production/notebooks/{path}", b'{"cells": [{"execution_count": 1}, {}]}')
    report = json.loads(run_script("report.py").removeprefix("REPORT "))
    assert report == {"runs": [], "made": {asset: [] for asset in MADE}, "notebooks": {path: 1}}


def test_a_run_is_canceled_by_what_the_webserver_takes() -> None:
    script = runpy.run_path(str(IN_PODS / "cancel.py"))
    assert graphql.validate(create_schema().graphql_schema, graphql.parse(script["MUTATION"])) == []


def run_script(name: str) -> str:
    """What a script prints, run as it is in a pod."""
    text = (IN_PODS / name).read_text(encoding="utf-8")
    command = [sys.executable, "-W", "ignore", "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass
class Loop:
    """What happened: the final report, the pods of steps as made, what was deleted and canceled, what serves at the end."""

    report: dict[str, Any]
    step_pods: list[client.V1Pod]
    deleted: client.V1Pod
    canceled: str
    first_daemon: client.V1Pod
    serving: dict[str, client.V1Pod]

    def run(self, run_id: str) -> dict[str, Any]:
        return next(run for run in self.report["runs"] if run["id"] == run_id)


@pytest.fixture(scope="module")
def loop(request: pytest.FixtureRequest) -> Iterator[Loop]:
    stages = loop_manifests(
        os.environ["ML_ASSETS_IMAGE"],
        password=secrets.token_hex(16),
        postgres=os.environ.get("ML_ASSETS_POSTGRES_IMAGE"),
    )
    failed = request.session.testsfailed
    with namespace() as here:
        ended = False
        try:
            played = _play(here, stages)
            ended = True
            yield played
        finally:
            if not ended or request.session.testsfailed > failed:
                print(here.describe())  # noqa: T201


def _play(here: Namespace, stages: dict[str, Any]) -> Loop:
    here.create(stages["settings"])
    here.create(stages["servers"])
    for server in ("postgresql", "s3"):
        here.ready(server)
    here.create(stages["events"])
    assert here.job_ended("events").succeeded, "the event logs could not be written"
    here.create(stages["dagster"])
    for app in APPS:
        here.ready(app)
    # From here on nobody launches anything: the sensor sees what has arrived.
    pods: dict[str, client.V1Pod] = {}

    def training(model: str) -> client.V1Pod:
        words = f"{model} is in the middle of its training"
        return until(words, lambda: _in_training(here, pods, model), seconds=900, pause=1)

    deleted = training("cvr")
    here.core.delete_namespaced_pod(deleted.metadata.name, here.name)
    daemon = here.ready("dagster-daemon")
    here.core.delete_namespaced_pod(daemon.metadata.name, here.name)
    canceled = training("slow").metadata.labels["dagster/run-id"]
    until("a run is canceled", lambda: here.cancel(canceled) or True, seconds=300, pause=5)
    until("the steps of a canceled run have ended", lambda: _left(here, canceled) or None, seconds=120)
    report = until("all is made that is due", lambda: _made(here, pods), seconds=1800, pause=10)
    return Loop(report, list(pods.values()), deleted, canceled, daemon, {app: here.ready(app) for app in APPS})


def _look(here: Namespace, pods: dict[str, client.V1Pod]) -> None:
    """Remember the pods of steps, which may be deleted later."""
    pods.update({pod.metadata.name: pod for pod in here.pods(STEP)})


def _in_training(here: Namespace, pods: dict[str, client.V1Pod], model: str) -> client.V1Pod | None:
    _look(here, pods)
    for pod in here.pods(f"dagster/op=ads__{model}__model"):
        if pod.status.phase == "Running" and "running model.ipynb" in here.log(pod.metadata.name):
            return pod
    return None


def _left(here: Namespace, run_id: str) -> bool:
    """Whether no step of a run is at work any more."""
    pods = here.pods(f"dagster/run-id={run_id},{STEP}")
    return all(pod.status.phase in ("Succeeded", "Failed") for pod in pods)


def _of(report: dict[str, Any], prefix: str) -> list[dict[str, Any]]:
    """The runs of some assets."""
    return [run for run in report["runs"] if any(asset.startswith(prefix) for asset in run["assets"])]


def _made(here: Namespace, pods: dict[str, client.V1Pod]) -> dict[str, Any] | None:
    _look(here, pods)
    report = here.report()
    hungry = [run for run in _of(report, "ads/hungry/model") if run["status"] == "FAILURE"]
    ended = all(run["status"] in ("SUCCESS", "FAILURE", "CANCELED") for run in _of(report, "ads/cvr/"))
    return report if hungry and ended and report["made"] == MADE else None


class TestOnACluster:
    """One loop, and what is asked of it."""

    pytestmark = on_a_cluster

    def test_every_run_ends_well(self, loop: Loop) -> None:
        ours = _of(loop.report, "ads/cvr/")
        assert ours
        assert {run["status"] for run in ours} == {"SUCCESS"}, json.dumps(ours, indent=1)

    def test_all_is_made_that_was_due(self, loop: Loop) -> None:
        assert loop.report["made"] == MADE

    def test_each_pod_of_a_step_asks_for_what_is_declared(self, loop: Loop) -> None:
        assert len(loop.step_pods) >= 5
        for pod in loop.step_pods:
            [container] = pod.spec.containers
            assert pod.spec.automount_service_account_token is False
            training = pod.metadata.labels["dagster/op"] == "ads__cvr__model"
            asked = {"cpu": "300m", "memory": "1300Mi"} if training else {"cpu": "200m", "memory": "1200Mi"}
            assert container.resources.requests == asked, pod.metadata.name
            assert container.resources.limits == {"memory": asked["memory"]}
            assert pod.spec.restart_policy == "Never"

    def test_executed_notebooks_can_be_read_afterwards(self, loop: Loop) -> None:
        for asset, partitions in MADE.items():
            for partition in partitions:
                cells = [
                    count
                    for path, count in loop.report["notebooks"].items()
                    if path.startswith(f"{asset}/{partition}/")
                ]
                assert any(count > 0 for count in cells), f"{asset} {partition}: {cells}"

    def test_a_pod_deleted_in_the_middle_of_training_recovers(self, loop: Loop) -> None:
        run_id, job = (loop.deleted.metadata.labels[name] for name in ("dagster/run-id", "job-name"))
        assert loop.run(run_id)["status"] == "SUCCESS"
        jobs = {pod.metadata.labels["job-name"] for pod in loop.step_pods}
        assert f"{job}-1" in jobs, "the step did not begin again in its run"

    def test_an_out_of_memory_kill_is_reported_as_one(self, loop: Loop) -> None:
        failed = [run for run in _of(loop.report, "ads/hungry/model") if run["failures"]]
        words = "\n".join(text for run in failed for text in run["failures"])
        # The first where the container was killed, the second where the kernel of the notebook alone was.
        assert "ran out of memory: it was killed at its limit of 1200Mi" in words or "lack of memory" in words, words

    def test_a_canceled_run_ends_with_its_steps_and_is_not_launched_again(self, loop: Loop) -> None:
        # That no pod of a step was left is what the loop waited for.
        assert loop.run(loop.canceled)["status"] == "CANCELED"
        assert [run["id"] for run in _of(loop.report, "ads/slow/model")] == [loop.canceled]

    def test_another_daemon_goes_on_where_one_was_lost(self, loop: Loop) -> None:
        assert loop.serving["dagster-daemon"].metadata.name != loop.first_daemon.metadata.name

    def test_no_probe_has_ended_what_was_in_good_health(self, loop: Loop) -> None:
        restarts = {
            app: [one.restart_count for one in pod.status.container_statuses] for app, pod in loop.serving.items()
        }
        assert restarts == {app: [0] for app in APPS}
