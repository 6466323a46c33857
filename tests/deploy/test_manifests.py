"""The plain manifests: a cluster takes them, their pods are restricted, and they agree with the rest."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster._core.workspace.load import location_origins_from_yaml_paths

from ml_assets.orchestration.kubernetes_launcher import KubernetesRunLauncher
from tests.support.cluster import write_kubeconfig
from tests.support.dockerfile import instructions
from tests.support.manifests import (
    MANIFESTS,
    check,
    check_resources,
    check_restricted,
    containers,
    documents,
    instance_config,
)
from tests.support.projects import REPOSITORY

KUSTOMIZATION = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text(encoding="utf-8"))
ALL = [
    document
    for path in sorted(MANIFESTS.glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for document in documents(path)
]
WORKLOADS = [document for document in ALL if document["kind"] == "Deployment"]
USER = next(one.rest for one in instructions(REPOSITORY / "deploy" / "Dockerfile") if one.name == "USER")
PG = ("DAGSTER_PG_HOST", "DAGSTER_PG_PORT", "DAGSTER_PG_USERNAME", "DAGSTER_PG_PASSWORD", "DAGSTER_PG_DB")


def named(document: dict[str, Any]) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


@pytest.mark.parametrize("document", ALL, ids=named)
def test_a_cluster_takes_it_in_any_namespace(document: dict[str, Any]) -> None:
    check(document)
    assert "namespace" not in document["metadata"]


@pytest.mark.parametrize("document", WORKLOADS, ids=named)
def test_its_pods_are_restricted_small_and_probed(document: dict[str, Any]) -> None:
    check_restricted(document)
    for container in containers(document):
        check_resources(container["resources"])
        assert container["resources"]["requests"]["memory"]
        assert {"startupProbe", "livenessProbe"} <= set(container)
        assert container["image"] == "ml-assets"
    pod = document["spec"]["template"]["spec"]["securityContext"]
    assert f"{pod['runAsUser']}:{pod['runAsGroup']}" == USER


def test_there_are_a_code_server_a_webserver_and_one_daemon() -> None:
    assert [named(document) for document in WORKLOADS] == [
        "Deployment/ml-assets-code",
        "Deployment/dagster-daemon",
        "Deployment/dagster-webserver",
    ]
    daemon = WORKLOADS[1]["spec"]
    assert (daemon["replicas"], daemon["strategy"]) == (1, {"type": "Recreate"})


def test_the_webserver_is_that_which_sandboxes_notebooks() -> None:
    (container,) = containers(WORKLOADS[2])
    assert container["args"][:2] == ["ml-assets", "webserver"]


def test_each_file_is_listed_but_the_example_of_secrets() -> None:
    files = {path.name for path in MANIFESTS.glob("*.yaml")} - {"kustomization.yaml"}
    assert files - set(KUSTOMIZATION["resources"]) == {"secrets.example.yaml"}
    assert set(KUSTOMIZATION["resources"]) <= files


def test_no_secret_has_a_value() -> None:
    secrets = [document for document in ALL if document["kind"] == "Secret"]
    assert len(secrets) == 2
    assert {value for secret in secrets for value in secret["stringData"].values()} == {""}
    settings = next(document for document in ALL if named(document) == "ConfigMap/ml-assets")
    assert not [key for key in settings["data"] if "PASSWORD" in key or "SECRET" in key]


@pytest.mark.parametrize("document", WORKLOADS, ids=named)
def test_what_a_pod_refers_to_is_there(document: dict[str, Any]) -> None:
    there = {named(one) for one in ALL}
    spec = document["spec"]["template"]["spec"]
    asked = {f"ServiceAccount/{spec['serviceAccountName']}"}
    for container in containers(document):
        for source in container["envFrom"]:
            asked |= {
                f"{'ConfigMap' if kind == 'configMapRef' else 'Secret'}/{one['name']}" for kind, one in source.items()
            }
        for variable in container["env"]:
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            asked |= {f"Secret/{reference['name']}"} if reference else set()
    asked |= {f"ConfigMap/{volume['configMap']['name']}" for volume in spec["volumes"] if "configMap" in volume}
    assert asked <= there
    assert (
        document["spec"]["selector"]["matchLabels"].items()
        <= document["spec"]["template"]["metadata"]["labels"].items()
    )


def test_each_variable_that_the_instance_reads_is_given_to_each_pod() -> None:
    settings = next(document for document in ALL if named(document) == "ConfigMap/ml-assets")["data"]
    for document in WORKLOADS:
        for container in containers(document):
            given = set(settings) | {variable["name"] for variable in container["env"]} | {"DAGSTER_HOME"}
            assert set(variables(instance_config())) <= given


def variables(config: Any) -> list[str]:
    """Each environment variable that a configuration names."""
    if isinstance(config, dict):
        own = [config["env"]] if set(config) == {"env"} else []
        return own + [name for value in config.values() for name in variables(value)]
    return [name for value in config for name in variables(value)] if isinstance(config, list) else []


def test_the_instance_is_one_that_dagster_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PG:
        monkeypatch.setenv(name, "5432" if name.endswith("PORT") else "x")
    monkeypatch.setenv("DAGSTER_NAMESPACE", "ml")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    launcher = instance_config()["run_launcher"]
    taken = process_config(resolve_to_config_type(KubernetesRunLauncher.config_type()), launcher["config"])
    assert taken.success, taken.errors
    assert (taken.value["job_namespace"], taken.value["dagster_home"]) == ("ml", str(tmp_path))
    # No cluster and no database is here.
    launcher["config"].update(load_incluster_config=False, kubeconfig_file=str(write_kubeconfig(tmp_path)))
    rest = {key: value for key, value in instance_config().items() if key != "storage"} | {"run_launcher": launcher}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(rest), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
        assert instance.run_retries_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert isinstance(instance.run_launcher, KubernetesRunLauncher)


def test_the_instance_is_that_of_one_machine_but_for_launcher_sizes_and_times() -> None:
    path = REPOSITORY / "deploy" / "dagster.yaml"
    one, here = yaml.safe_load(path.read_text(encoding="utf-8")), instance_config()
    for key in ("storage", "run_retries", "retention", "telemetry", "nux"):
        assert here[key] == one[key], key
    assert here["concurrency"]["pools"] == one["concurrency"]["pools"]
    assert here["run_monitoring"]["enabled"] is one["run_monitoring"]["enabled"] is True
    assert set(here) - set(one) <= {"compute_logs"}


def test_the_workspace_is_the_code_server(tmp_path: Path) -> None:
    [config] = documents(MANIFESTS / "instance.yaml")
    (tmp_path / "workspace.yaml").write_text(config["data"]["workspace.yaml"], encoding="utf-8")
    [origin] = location_origins_from_yaml_paths([str(tmp_path / "workspace.yaml")])
    service = next(document for document in ALL if named(document) == "Service/ml-assets-code")
    assert (origin.host, origin.port) == (service["metadata"]["name"], service["spec"]["ports"][0]["port"])
    assert origin.location_name == "ml_assets"


def test_nothing_is_allowed_in_other_namespaces_and_nothing_at_large() -> None:
    assert not [document for document in ALL if document["kind"].startswith("Cluster")]
    roles = [rule for document in ALL if document["kind"] == "Role" for rule in document["rules"]]
    assert "*" not in {word for rule in roles for words in rule.values() for word in words}


def test_the_runs_image_is_that_of_the_code_server() -> None:
    [replacement] = KUSTOMIZATION["replacements"]
    assert replacement["source"]["name"] == "ml-assets-code"
    code = next(document for document in WORKLOADS if document["metadata"]["name"] == "ml-assets-code")
    [container] = containers(code)
    [image] = [variable["value"] for variable in container["env"] if variable["name"] == "DAGSTER_CURRENT_IMAGE"]
    assert image == container["image"]
