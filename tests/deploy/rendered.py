"""The pods that come of our values and manifests: those of the chart's templates, and those that its launcher makes.

Of the templates of Dagster's Helm chart this writes down what pods are made of; Jobs are made by dagster-k8s itself.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._config import process_config, resolve_to_config_type
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import UserDefinedDagsterK8sConfig, construct_dagster_k8s_job

from ml_assets.domain.declared.pods import Pod, Volume
from ml_assets.orchestration.kubernetes_launcher import KubernetesRunLauncher
from ml_assets.orchestration.pods.executor import WITHOUT_TOKEN
from ml_assets.orchestration.pods.tags import CONFIG_TAG, op_tags
from tests.support.cluster import write_kubeconfig
from tests.support.manifests import as_manifest

Manifest = dict[str, Any]
#: What a model may ask for without a word on security.
ASKED = Pod(memory="2Gi", image="models/own:1", volumes=(Volume("data", "/data", {"emptyDir": {}}),))


def of_chart(values: Mapping[str, Any]) -> Iterator[Manifest]:
    """The Deployments of the chart: the code server, the webserver, the daemon."""
    [code] = values["dagster-user-deployments"]["deployments"]
    account = values["dagster-user-deployments"]["serviceAccount"]["name"]
    labels = {"component": "user-deployments", "deployment": code["name"]}
    yield _deployment(code["name"], code, labels, account=account, instance=[])
    for component, key in (("dagster-webserver", "dagsterWebserver"), ("dagster-daemon", "dagsterDaemon")):
        pod = values[key]
        init = [
            {"name": name, "image": "of the chart", "securityContext": pod["securityContext"]}
            for name in ("check-db-ready", f"init-user-deployment-{code['name']}")
        ]
        home = values["global"]["dagsterHome"]
        instance = [{"name": "dagster-instance", "mountPath": f"{home}/dagster.yaml", "subPath": "dagster.yaml"}]
        deployment = _deployment(component, pod, {"component": component}, account="dagster", instance=instance)
        deployment["spec"]["template"]["spec"]["initContainers"] = init
        yield deployment


def _deployment(
    name: str, pod: Mapping[str, Any], labels: Mapping[str, str], *, account: str, instance: list[Manifest]
) -> Manifest:
    probes = {
        probe: {key: value for key, value in pod[probe].items() if key != "enabled"}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        if probe in pod
    }
    container = {
        "name": name,
        "image": f"{pod['image']['repository']}:{pod['image']['tag']}",
        "env": pod["env"],
        "envFrom": [{"secretRef": secret} for secret in pod["envSecrets"]],
        "securityContext": pod["securityContext"],
        "resources": pod["resources"],
        "volumeMounts": [*instance, *pod["volumeMounts"]],
        **probes,
    }
    if port := pod.get("service", {}).get("port"):
        container["ports"] = [{"name": "http", "containerPort": port}]
    config = [{"name": one["name"], "configMap": {"name": one["name"]}} for one in instance]
    spec = {
        "serviceAccountName": account,
        "securityContext": pod["podSecurityContext"],
        "containers": [container],
        "volumes": [*config, *pod["volumes"]],
    }
    template = {"metadata": {"labels": dict(labels)}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": dict(labels)}, "template": template},
    }


def launcher_of(config: Mapping[str, Any], folder: Path) -> KubernetesRunLauncher:
    """The run launcher of a dagster.yaml; no cluster is here."""
    taken = process_config(resolve_to_config_type(KubernetesRunLauncher.config_type()), dict(config))
    assert taken.success, taken.errors
    nowhere = {"load_incluster_config": False, "kubeconfig_file": str(write_kubeconfig(folder))}
    found = KubernetesRunLauncher.from_config_value(None, {**taken.value, **nowhere})
    assert isinstance(found, KubernetesRunLauncher)
    return found


def of_launcher(launcher: KubernetesRunLauncher) -> tuple[Manifest, Manifest]:
    """The Jobs of a run and of a step whose model asks for much."""
    run = dg.DagsterRun("job")
    of_run = K8sContainerContext.create_for_run(run, launcher, include_run_tags=True)
    asked = UserDefinedDagsterK8sConfig.from_dict(op_tags(ASKED)[CONFIG_TAG])
    of_step = K8sContainerContext.create_for_run(run, launcher, include_run_tags=False)
    of_step = of_step.merge(WITHOUT_TOKEN).merge(K8sContainerContext(run_k8s_config=asked))
    return _job("run", of_run, launcher), _job("step", of_step, launcher)


def _job(name: str, context: K8sContainerContext, launcher: KubernetesRunLauncher) -> Manifest:
    config = context.get_k8s_job_config("models:1", launcher)
    job = construct_dagster_k8s_job(
        config, ["dagster"], name, component=f"{name}_worker", user_defined_k8s_config=context.run_k8s_config
    )
    return as_manifest(job)
