"""Every container that comes of the plain manifests, of the chart's values and of Dagster+'s file, by the same checks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster_cloud_cli.config.models import load_dagster_cloud_yaml
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import DagsterK8sJobConfig, construct_dagster_k8s_job

from ml_assets import variables
from tests.deploy.rendered import launcher_of, of_chart, of_launcher
from tests.support.manifests import (
    MANIFESTS,
    as_manifest,
    check,
    check_resources,
    check_restricted,
    containers,
    documents,
    instance_config,
)
from tests.support.projects import REPOSITORY

K8S = REPOSITORY / "deploy" / "k8s"
VALUES = yaml.safe_load((K8S / "values.yaml").read_text(encoding="utf-8"))
BESIDE = documents(K8S / "beside-the-chart.yaml")
PLAIN = [
    document for path in MANIFESTS.glob("*.yaml") if path.name != "kustomization.yaml" for document in documents(path)
]
Manifest = dict[str, Any]
#: What listens, and the account that it has, by where it is installed from.
NAMES = ("ml-assets-code", "dagster-webserver", "dagster-daemon")
HOW = ("manifests", "chart")


@pytest.fixture(autouse=True)
def in_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DAGSTER_NAMESPACE", "ML_ASSETS_ENVIRONMENT", "ML_ASSETS_STORAGE"):
        monkeypatch.setenv(name, "of-the-daemon")
    monkeypatch.setenv("DAGSTER_HOME", "/opt/dagster/home")


def deployments(how: str) -> dict[str, Manifest]:
    found = PLAIN if how == "manifests" else of_chart(VALUES)
    return {one["metadata"]["name"]: one for one in found if one["kind"] == "Deployment"}


def launcher_config(how: str) -> Mapping[str, Any]:
    if how == "manifests":
        return instance_config()["run_launcher"]["config"]
    return VALUES["runLauncher"]["config"]["customRunLauncher"]["config"]


def jobs(how: str, folder: Path) -> tuple[Manifest, Manifest]:
    return of_launcher(launcher_of(launcher_config(how), folder))


def spec(manifest: Manifest) -> Manifest:
    return manifest["spec"]["template"]["spec"]


@pytest.mark.parametrize("how", HOW)
def test_a_restricted_namespace_takes_every_pod(how: str, tmp_path: Path) -> None:
    assert set(deployments(how)) == set(NAMES)
    for manifest in (*deployments(how).values(), *jobs(how, tmp_path)):
        check(manifest)
        check_restricted(manifest)
        for container in containers(manifest):
            check_resources(container["resources"])


@pytest.mark.parametrize("of", ["run", "server"])
def test_a_restricted_namespace_takes_those_of_dagster_plus(of: str) -> None:
    text = (REPOSITORY / "dagster_cloud.yaml").read_text(encoding="utf-8")
    [location] = load_dagster_cloud_yaml(text).locations
    context = K8sContainerContext.create_from_config(location.container_context)
    config = DagsterK8sJobConfig(job_image=location.image, dagster_home="/opt/dagster/home")
    asked = getattr(context, f"{of}_k8s_config")
    check_restricted(as_manifest(construct_dagster_k8s_job(config, ["dagster"], of, user_defined_k8s_config=asked)))


def test_runs_and_steps_of_the_chart_are_those_of_the_plain_manifests(tmp_path: Path) -> None:
    custom = VALUES["runLauncher"]["config"]["customRunLauncher"]
    plain = instance_config()["run_launcher"]
    assert (custom["module"], custom["class"]) == (plain["module"], plain["class"])
    settings = next(one for one in PLAIN if one["kind"] == "ConfigMap" and one["metadata"]["name"] == "ml-assets")
    # The chart makes no ConfigMap of them. Under which names the UI is opened no run asks.
    named = [name for name in settings["data"] if name.startswith("ML_ASSETS_") and name != variables.HOSTS]
    same = {key: value for key, value in plain["config"].items() if key != "env_config_maps"}
    assert custom["config"] == {**same, "env_vars": [*plain["config"]["env_vars"], *named]}


@pytest.mark.parametrize("name", NAMES)
def test_pods_of_the_chart_have_the_probes_of_the_plain_manifests(name: str) -> None:
    [plain], [chart] = (containers(deployments(how)[name]) for how in HOW)
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        times = [
            {key: (one.get(probe) or {}).get(key) for key in ("periodSeconds", "failureThreshold")}
            for one in (plain, chart)
        ]
        assert times[0] == times[1], probe
        # The chart knows no probes by gRPC for the code server.
        if name != "ml-assets-code":
            assert plain.get(probe) == chart.get(probe)


@pytest.mark.parametrize("how", HOW)
def test_no_probe_starts_a_python_that_imports_dagster_and_none_is_impatient(how: str) -> None:
    for name, manifest in deployments(how).items():
        for container in containers(manifest):
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                probe = container.get(kind, {})
                command = probe.get("exec", {}).get("command", [])
                assert command[:3] in ([], ["python", "-m", "ml_assets.alive"]), (name, kind)
                if kind == "livenessProbe":
                    assert probe["periodSeconds"] * probe["failureThreshold"] >= 150, name


def bindings(how: str) -> dict[str, set[tuple[str, str]]]:
    """What each account may do."""
    found = PLAIN if how == "manifests" else BESIDE
    roles = {
        one["metadata"]["name"]: {
            (resource, verb) for rule in one["rules"] for resource in rule["resources"] for verb in rule["verbs"]
        }
        for one in found
        if one["kind"] == "Role"
    }
    allowed: dict[str, set[tuple[str, str]]] = {
        one["metadata"]["name"]: set() for one in found if one["kind"] == "ServiceAccount"
    }
    for one in found:
        if one["kind"] == "RoleBinding":
            for subject in one["subjects"]:
                allowed[subject["name"]] |= roles[one["roleRef"]["name"]]
    return allowed


#: What dagster_k8s.client calls where runs are launched, and where one is canceled.
LAUNCHES = {
    *{("jobs", verb) for verb in ("create", "delete", "get", "list")},
    *{("pods", verb) for verb in ("delete", "get", "list")},
    *{("jobs/status", "get"), ("pods/log", "get"), ("events", "list")},
}
CANCELS = {("jobs", "delete"), ("pods", "delete"), ("pods", "list")}


def test_each_account_of_the_manifests_may_do_what_it_does() -> None:
    allowed = bindings("manifests")
    assert set(allowed) == {"dagster", "dagster-run", "dagster-webserver", "ml-assets-code"}
    assert allowed["dagster"] >= LAUNCHES
    assert allowed["dagster-run"] >= LAUNCHES
    # It answers whoever reaches it, and so makes nothing: who makes Jobs can mount any Secret.
    assert allowed["dagster-webserver"] == CANCELS
    assert allowed["ml-assets-code"] == set()


def test_pods_of_the_manifests_have_the_account_of_their_work_and_a_token_where_it_needs_one(tmp_path: Path) -> None:
    run, step = jobs("manifests", tmp_path)
    has = {name: spec(manifest) for name, manifest in {**deployments("manifests"), "run": run, "step": step}.items()}
    assert {name: (pod["serviceAccountName"], pod["automountServiceAccountToken"]) for name, pod in has.items()} == {
        "ml-assets-code": ("ml-assets-code", False),
        "dagster-webserver": ("dagster-webserver", True),
        "dagster-daemon": ("dagster", True),
        "run": ("dagster-run", True),
        "step": ("dagster-run", False),
    }


def test_runs_and_the_code_server_of_the_chart_have_accounts_of_their_own(tmp_path: Path) -> None:
    run, step = jobs("chart", tmp_path)
    assert spec(run)["serviceAccountName"] == spec(step)["serviceAccountName"] == "dagster-run"
    assert (spec(run)["automountServiceAccountToken"], spec(step)["automountServiceAccountToken"]) == (True, False)
    assert bindings("chart") == {"dagster-run": bindings("manifests")["dagster-run"]}
    code = VALUES["dagster-user-deployments"]
    assert spec(deployments("chart")["ml-assets-code"])["serviceAccountName"] == "ml-assets-code"
    # The chart binds no role to it, and does not hand it on to runs.
    assert code["rbacEnabled"] is False
    assert code["deployments"][0]["includeConfigInLaunchedRuns"] == {"enabled": False}
    assert "serviceAccountName" not in VALUES["global"]


def policies(how: str) -> Iterator[Manifest]:
    yield from (one for one in (PLAIN if how == "manifests" else BESIDE) if one["kind"] == "NetworkPolicy")


def reaches(how: str, source: Mapping[str, str], target: str, *, namespace: str | None = None) -> set[int] | None:
    """The ports of a pod that others of some labels may reach; None: all, as no policy is about it."""
    labels = deployments(how)[target]["spec"]["template"]["metadata"]["labels"]
    about = [
        one["spec"] for one in policies(how) if one["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    ]
    if not about:
        return None
    open_to = set()
    for rule in [rule for one in about for rule in one["ingress"]]:
        for who in rule["from"]:
            if "namespaceSelector" in who:
                matches = namespace == who["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
            else:
                matches = namespace is None and who["podSelector"]["matchLabels"].items() <= source.items()
            open_to |= {port["port"] for port in rule["ports"]} if matches else set()
    return open_to


@pytest.mark.parametrize("how", HOW)
def test_the_daemon_and_the_webserver_alone_reach_the_code_server_and_what_stands_before_it_the_ui(how: str) -> None:
    labels = {name: one["spec"]["template"]["metadata"]["labels"] for name, one in deployments(how).items()}
    step = {"app.kubernetes.io/component": "step_worker", "dagster/op": "ads__cvr__model"}
    for name in ("dagster-daemon", "dagster-webserver"):
        assert reaches(how, labels[name], "ml-assets-code") == {3030}
    for others in (step, {"app": "postgresql"}):
        assert reaches(how, others, "ml-assets-code") == set()
        assert reaches(how, others, "dagster-webserver") == set()
    assert reaches(how, {}, "dagster-webserver", namespace="ingress-nginx") == {3000}
    assert reaches(how, {}, "dagster-webserver", namespace="another") == set()
    assert reaches(how, {}, "ml-assets-code", namespace="ingress-nginx") == set()


@pytest.mark.parametrize("document", BESIDE, ids=lambda one: f"{one['kind']}/{one['metadata']['name']}")
def test_a_cluster_takes_what_stands_beside_the_chart(document: Manifest) -> None:
    check(document)
    assert "namespace" not in document["metadata"]
