"""A step's pod in the words of dagster-k8s, as tags of its op: tags of a job do not reach the pods of steps."""

from typing import Any

from ml_assets.domain.declared.pods import Pod

#: Where dagster-k8s looks.
CONFIG_TAG = "dagster-k8s/config"


def op_tags(pod: Pod) -> dict[str, Any]:
    """The tags of the op that runs in a pod; none where the deployment's own settings do.

    The limit of memory is what is requested, so that a container is killed for what itself takes, and not because its
    node is full. Cores are not limited: one that is idle is there for whoever can use it.
    """
    container = {**_resources(pod), **_mounts(pod)}
    if pod.image:
        container["image"] = pod.image
    if pod.secrets:
        container["env_from"] = [{"secret_ref": {"name": secret}} for secret in pod.secrets]
    spec: dict[str, Any] = {}
    if pod.node_selector:
        spec["node_selector"] = dict(pod.node_selector)
    if pod.tolerations:
        spec["tolerations"] = [dict(toleration) for toleration in pod.tolerations]
    if pod.volumes:
        spec["volumes"] = [{"name": volume.name, **volume.source} for volume in pod.volumes]
    if pod.service_account:
        spec["service_account_name"] = pod.service_account
    config = {"container_config": container, "pod_spec_config": spec}
    given = {name: value for name, value in config.items() if value}
    return {CONFIG_TAG: given} if given else {}


def _resources(pod: Pod) -> dict[str, Any]:
    requests = {name: value for name, value in (("cpu", pod.cpu), ("memory", pod.memory)) if value}
    limits = {"memory": pod.memory} if pod.memory else {}
    found = {"requests": requests, "limits": limits}
    resources = {name: value for name, value in found.items() if value}
    return {"resources": resources} if resources else {}


def _mounts(pod: Pod) -> dict[str, Any]:
    mounts = [
        {"name": volume.name, "mount_path": volume.mount, "read_only": volume.read_only} for volume in pod.volumes
    ]
    return {"volume_mounts": mounts} if mounts else {}
