"""The instance of the manifests, opened where there is a token of the cluster and where there is none."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import kubernetes
import pytest
import yaml
from dagster._core.launcher import LaunchRunContext
from dagster_k8s import K8sRunLauncher

from ml_assets.orchestration import kubernetes_launcher
from ml_assets.orchestration.kubernetes_launcher import KubernetesRunLauncher, NoTokenError
from tests.support.cluster import write_kubeconfig
from tests.support.manifests import instance_config


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """As the manifests have it, but for its database."""
    monkeypatch.setenv("DAGSTER_NAMESPACE", "ml")
    monkeypatch.setenv("DAGSTER_HOME", "/opt/dagster/home")
    config = {key: value for key, value in instance_config().items() if key not in ("storage", "compute_logs")}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def test_a_pod_without_a_token_opens_the_instance_and_launches_nothing(instance: dg.DagsterInstance) -> None:
    run = instance.add_run(dg.DagsterRun("job"))
    assert instance.run_monitoring_max_resume_run_attempts == 3
    with pytest.raises(NoTokenError, match=f"run {run.run_id} is not launched here"):
        instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
    with pytest.raises(NoTokenError, match=f"run {run.run_id} is not ended here"):
        instance.run_launcher.terminate(run.run_id)
    # What goes to other processes names the launcher that those with a token have.
    [named] = [data for data in [instance.get_ref().run_launcher_data] if data]
    assert (named.module_name, named.class_name) == (KubernetesRunLauncher.__module__, KubernetesRunLauncher.__name__)


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = str(write_kubeconfig(tmp_path))
    monkeypatch.setattr(kubernetes_launcher, "SERVICE_TOKEN_FILENAME", opened)
    monkeypatch.setattr(kubernetes.config, "load_incluster_config", lambda: None)


def test_a_pod_with_a_token_launches_as_dagster_does(token: None, instance: dg.DagsterInstance) -> None:
    launcher = instance.run_launcher
    assert isinstance(launcher, K8sRunLauncher)
    assert (launcher.job_namespace, launcher.service_account_name) == ("ml", "dagster-run")
