"""Checks of Kubernetes manifests without a cluster: their schema in strict mode, and what schemas do not say."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from kubernetes import client

from tests.support.projects import REPOSITORY

#: The version of Kubernetes whose schemas are held against the manifests.
KUBERNETES = "1.31"
MANIFESTS = REPOSITORY / "deploy" / "k8s" / "manifests"
# Kubernetes' own grammar of quantities.
_QUANTITY = re.compile(r"(\d+|\d+\.\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?")
_RESTRICTED_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"),
}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


def as_manifest(resource: Any) -> dict[str, Any]:
    """A resource of Kubernetes' client as it is sent to the API."""
    return client.ApiClient(client.Configuration()).sanitize_for_serialization(resource)


def documents(path: Path) -> list[dict[str, Any]]:
    """The manifests in a file."""
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def check(manifest: Mapping[str, Any]) -> None:
    """Raises: AssertionError or kubernetes_validate's error for what a cluster would refuse, or run wrongly."""
    kubernetes_validate.validate(dict(manifest), KUBERNETES, strict=True)
    assert _NAME.fullmatch(manifest["metadata"]["name"]), manifest["metadata"]["name"]
    assert len(manifest["metadata"]["name"]) <= 63
    template = manifest.get("spec", {}).get("template")
    if not template:
        return
    policy = template["spec"].get("restartPolicy", "Always")
    assert policy == ("Never" if manifest["kind"] == "Job" else "Always"), policy
    volumes = [volume["name"] for volume in template["spec"].get("volumes", [])]
    assert len(set(volumes)) == len(volumes), volumes
    for container in template["spec"]["containers"]:
        check_resources(container.get("resources", {}))
        mounts = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
        assert len(set(mounts)) == len(mounts), mounts
        assert {mount["name"] for mount in container.get("volumeMounts", [])} <= set(volumes)


def check_resources(resources: Mapping[str, Any]) -> None:
    """Quantities are quantities; memory is limited to what is requested, cores are not limited."""
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    for quantity in (*requests.values(), *limits.values()):
        assert isinstance(quantity, str), quantity
        assert _QUANTITY.fullmatch(quantity), quantity
    assert requests.get("memory") == limits.get("memory"), resources
    assert not re.fullmatch(r"\d+m?", requests.get("memory", "")), "bytes, or thousandths of one"
    assert "cpu" not in limits, resources


def check_restricted(manifest: Mapping[str, Any]) -> None:
    """A pod fits the restricted profile of Kubernetes' pod security standards, and its root file systems are read-only."""
    spec = manifest["spec"]["template"]["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    kinds = {kind for volume in spec.get("volumes", []) for kind in volume} - {"name"}
    assert kinds <= _RESTRICTED_VOLUMES, kinds
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        # What a container says comes before what its pod does.
        own = {**spec.get("securityContext", {}), **container["securityContext"]}
        assert own["runAsNonRoot"] is True
        assert own["runAsUser"] > 0
        assert own["seccompProfile"] == {"type": "RuntimeDefault"}
        assert own["allowPrivilegeEscalation"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert not own.get("privileged")
        assert not [port for port in container.get("ports", []) if "hostPort" in port]
    for container in spec["containers"]:
        writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("subPath")}
        assert {"/tmp", "/opt/dagster/home"} <= writable


def instance_config() -> dict[str, Any]:
    """The dagster.yaml of the plain manifests."""
    [config] = documents(MANIFESTS / "instance.yaml")
    return yaml.safe_load(config["data"]["dagster.yaml"])


def containers(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The containers of a workload."""
    yield from manifest["spec"]["template"]["spec"]["containers"]
