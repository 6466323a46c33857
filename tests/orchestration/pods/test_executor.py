"""What the executor of pods says and does when pods end without a word."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import kubernetes
import pytest
import yaml
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.executor.init import InitExecutorContext
from kubernetes import client

from ml_assets.orchestration import kubernetes_launcher
from ml_assets.orchestration.kubernetes_launcher import NoTokenError
from ml_assets.orchestration.pods import executor as kubernetes_executor
from ml_assets.orchestration.recorded.facts import asset_key
from ml_assets.orchestration.recorded.lineage import versions
from ml_assets.orchestration.running import runner
from tests.orchestration.pods.ended import _empty_job, pod
from tests.support import pods, shop
from tests.support.cluster import Cluster, write_kubeconfig
from tests.support.projects import TeamProject

DATA, MODEL = "shop/order/training_data", "shop/order/model"


# The partition of the second day waits until it is let go, at its first attempt.
NOTEBOOK = """\
# %%
from pathlib import Path
import time

(root,) = [parent for parent in Path.cwd().parents if (parent / "definitions_here").exists()]
if step.partition == "2026-03-05" and not (root / "let_go").exists():
    (root / "training").touch()
    time.sleep(600)

# %%
step.save(step.read("training_data").head(3))
"""


DEFS = {
    **shop.DEFS,
    "shop/order": shop.DEFS["shop/order"]
    + "  notebooks: {model: notebooks/own/model.ipynb}\n"
    + "  kubernetes: {memory: 1Gi, steps: {model: {cpu: 500m, memory: 2Gi}}}\n",
}


def test_a_run_whose_pod_has_no_token_is_refused_by_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes_launcher, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    config = {"service_account_name": "dagster", "instance_config_map": "dagster", "dagster_home": "/home"}
    launcher = {
        "module": "ml_assets.orchestration.kubernetes_launcher",
        "class": "KubernetesRunLauncher",
        "config": config,
    }
    made = kubernetes_executor.pod_executor()
    with dg.instance_for_test(overrides={"run_launcher": launcher}) as instance:
        context = InitExecutorContext(
            job=InMemoryJob(_empty_job), executor_def=made, executor_config={}, instance=instance
        )
        with pytest.raises(NoTokenError, match="automount_service_account_token"):
            made.executor_creation_fn(context)


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kubeconfig(tmp_path_factory.mktemp("kube"))


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> TeamProject:
    root = tmp_path_factory.mktemp("pods")
    launcher = {
        "module": "ml_assets.orchestration.kubernetes_launcher",
        "class": "KubernetesRunLauncher",
        "config": {
            "service_account_name": "dagster",
            "instance_config_map": "dagster-instance",
            "dagster_home": str(root / "home"),
            "job_image": "models:1",
            "job_namespace": "ml",
            # Steps have no token to load: they must not ask.
            "load_incluster_config": True,
        },
    }
    (root / "home").mkdir()
    config = {
        "run_launcher": launcher,
        # As in the manifests: a run whose own pod is lost goes on in another.
        "run_monitoring": {"enabled": True, "max_resume_run_attempts": 3},
        "telemetry": {"enabled": False},
    }
    (root / "home" / "dagster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    team = TeamProject.make(root, "pods_shop", DEFS)
    for log in ("visits", "orders"):
        shop.arrive(team, log, 1, 8)
    team.write_notebook("notebooks/own/model.ipynb", NOTEBOOK)
    (team.root / team.package / "definitions.py").write_text(pods.DEFINITIONS, encoding="utf-8")
    (team.root / "definitions_here").touch()
    return team


@pytest.fixture(autouse=True)
def in_the_pod_of_a_run(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has a token, which opens nothing; the processes of steps have none."""
    monkeypatch.setattr(kubernetes_launcher, "SERVICE_TOKEN_FILENAME", str(kubeconfig))
    config = kubernetes.config
    monkeypatch.setattr(config, "load_incluster_config", lambda: config.load_kube_config(str(kubeconfig)))


def then(team: TeamProject, act: "object") -> threading.Thread:
    """Do something once the training of the second day has begun."""

    def wait() -> None:
        until = time.monotonic() + 120
        while not (team.root / "training").exists() and time.monotonic() < until:
            time.sleep(0.1)
        act()  # type: ignore[operator]

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def cluster(team: TeamProject, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    for name in ("training", "let_go"):
        (team.root / name).unlink(missing_ok=True)
    # A second is as good as ten here.
    for module in (runner, kubernetes_executor):
        monkeypatch.setattr(module, "LOST_POD_SECONDS", 1)
    cluster = Cluster(environment={"DAGSTER_HOME": str(team.home)})
    yield cluster
    cluster.stop()


def training_job(cluster: Cluster) -> str:
    return list(cluster.jobs)[-1]


def run(team: TeamProject, cluster: Cluster, kubeconfig: Path) -> dg.DagsterRun:
    return pods.run_in_pods(team, cluster, kubeconfig, DATA, MODEL, first="2026-03-04", last="2026-03-05")


def messages(team: TeamProject, run: dg.DagsterRun) -> str:
    return "\n".join(entry.user_message for entry in team.project.instance.all_logs(run.run_id))


@pytest.mark.slow
@pytest.mark.parametrize("kill", [False, True], ids=["asked_to_end", "lost_with_its_node"])
def test_a_pod_that_is_deleted_in_the_middle_of_training_begins_again(
    team: TeamProject, cluster: Cluster, kubeconfig: Path, kill: bool
) -> None:
    def delete() -> None:
        (team.root / "let_go").touch()
        cluster.delete_pod(training_job(cluster), kill=kill)

    then(team, delete)
    ended = run(team, cluster, kubeconfig)
    assert ended.status is dg.DagsterRunStatus.SUCCESS, messages(team, ended)
    names = list(cluster.jobs)
    assert len(names) == 3
    assert names[2] == f"{names[1]}-1"
    # What the first pod had made before it was deleted is not made again.
    again = f"{MODEL} 2026-03-04 was made by run {ended.run_id}, before this step was begun again"
    assert again in messages(team, ended)
    data, model, begun_again = [job.body.spec.template.spec.containers[0].resources for job in cluster.jobs.values()]
    assert (data.requests, data.limits) == ({"memory": "1Gi"}, {"memory": "1Gi"})
    assert (model.requests, model.limits) == ({"cpu": "500m", "memory": "2Gi"}, {"memory": "2Gi"})
    assert begun_again == model
    instance = team.project.instance
    for day in ("2026-03-04", "2026-03-05"):
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=asset_key(MODEL), asset_partitions=[day]), limit=10
        ).records
        assert [record.run_id for record in records].count(ended.run_id) == 1
    assert versions(instance, MODEL, "2026-03-05")[-1] == ended.run_id


@pytest.mark.slow
def test_a_pod_that_is_killed_for_memory_fails_its_run_in_words_and_does_not_begin_again(
    team: TeamProject, cluster: Cluster, kubeconfig: Path
) -> None:
    then(team, lambda: cluster.kill_for_memory(training_job(cluster)))
    ended = run(team, cluster, kubeconfig)
    assert ended.status is dg.DagsterRunStatus.FAILURE
    assert len(cluster.jobs) == 2
    entries = team.project.instance.all_logs(ended.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    [failure] = [entry.dagster_event.step_failure_data.error.message for entry in entries]
    assert "ran out of memory: it was killed at its limit of 2Gi" in failure


def step_job(run_id: str, name: str) -> client.V1Job:
    """A Job of a step that another process made."""
    labels = {"dagster/run-id": run_id, "app.kubernetes.io/component": "step_worker"}
    container = client.V1Container(name="dagster", args=[])
    template = client.V1PodTemplateSpec(spec=client.V1PodSpec(containers=[container]))
    metadata = client.V1ObjectMeta(name=name, labels=labels)
    return client.V1Job(metadata=metadata, spec=client.V1JobSpec(template=template))


def interrupted(
    team: TeamProject, kubeconfig: Path, first: Callable[[Cluster, dg.DagsterRun], object]
) -> tuple[Cluster, dg.DagsterRun]:
    """A run whose pod is asked to end once its first step has a Job, which does nothing, and the cluster.

    Args: `first`: done before that.
    """
    cluster, instance = Cluster(starts=False), team.project.instance

    def ask_to_end(_: str) -> None:
        [begun] = instance.get_runs(limit=1)
        first(cluster, begun)
        os.kill(os.getpid(), signal.SIGTERM)

    cluster.on_create = ask_to_end
    return cluster, run(team, cluster, kubeconfig)


@pytest.mark.parametrize("end", ["report_run_canceling", "report_run_canceled", "report_run_failed"])
def test_a_run_that_is_over_deletes_what_runs_of_its_steps_and_nothing_else(
    team: TeamProject, kubeconfig: Path, end: str
) -> None:
    def over(cluster: Cluster, begun: dg.DagsterRun) -> None:
        cluster.on_create = lambda _: None
        for name, run_id in (
            ("of-its-first-attempt", begun.run_id),
            ("ended", begun.run_id),
            ("of-another", "another"),
        ):
            cluster.create_namespaced_job(step_job(run_id, name), "ml")
        cluster.jobs["ended"].pod = pod(phase="Succeeded")
        # By a person, by one who does not wait for its end, and by the monitor of runs that take too long.
        getattr(team.project.instance, end)(begun)

    cluster, ended = interrupted(team, kubeconfig, over)
    assert ended.is_finished
    assert ended.status is not dg.DagsterRunStatus.SUCCESS
    own, earlier = cluster.deleted
    assert own.startswith("dagster-step-")
    assert earlier == "of-its-first-attempt"
    assert [job.pod for job in cluster.deleted.values()] == [None, None]
    assert list(cluster.jobs) == ["ended", "of-another"]
    assert f"The run is over: deleting Kubernetes job {own} of its step" in messages(team, ended)


def test_steps_go_on_where_only_the_pod_of_their_run_is_lost(team: TeamProject, kubeconfig: Path) -> None:
    cluster, _ = interrupted(team, kubeconfig, lambda *_: None)
    assert not cluster.deleted
    assert len(cluster.jobs) == 1


@pytest.mark.parametrize("resumes", [True, False], ids=["would_be_resumed", "at_its_last_attempt"])
@pytest.mark.parametrize("refused", [404, 403])
def test_a_job_that_cannot_be_deleted_does_not_hide_that_the_run_is_canceled(
    team: TeamProject, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch, refused: int, resumes: bool
) -> None:
    def refuse(_: str) -> None:
        raise client.ApiException(status=refused, reason="as the cluster says")

    def cancel(cluster: Cluster, begun: dg.DagsterRun) -> None:
        cluster.on_delete = refuse
        team.project.instance.report_run_canceling(begun)

    # Dagster's own executor hands on the end of what is not resumed, and of runs of Dagster+.
    monkeypatch.setattr(dg.DagsterInstance, "run_will_resume", lambda *_: resumes)
    _, ended = interrupted(team, kubeconfig, cancel)
    assert ended.status is dg.DagsterRunStatus.CANCELED
    told = "could not be deleted; where it runs, it sees that its run is over, and ends within 40 seconds"
    # What is not there has ended.
    assert (told in messages(team, ended)) is (refused == 403)


@pytest.mark.slow
def test_a_step_whose_run_is_canceled_and_has_lost_its_pod_ends_by_itself(
    team: TeamProject, cluster: Cluster, kubeconfig: Path
) -> None:
    instance = team.project.instance
    # The process of the step reads this; nobody is to ask it to end, so that it need not wait for that.
    impatient = "from ml_assets.orchestration.running import over\n\nover.SECONDS_TO_END = 0.5\n"
    (team.root / team.package / "__init__.py").write_text(impatient)

    # The executor is told nothing, as if its pod was gone.
    then(team, lambda: instance.report_run_canceling(instance.get_runs(limit=1)[0]))
    ended = run(team, cluster, kubeconfig)
    # It has said how it ends before anybody deletes what is left of its process.
    before, said, _ = str(instance.all_logs(ended.run_id)).partition(f"a person canceled run {ended.run_id}")
    assert said
    assert "deleting Kubernetes job" not in before
    assert ended.status is dg.DagsterRunStatus.CANCELED, messages(team, ended)
