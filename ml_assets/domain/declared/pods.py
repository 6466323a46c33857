"""What a team declares of the pods in which the steps of a model run on Kubernetes, as plain values.

Belongs here: fields and the rules between them, in Kubernetes' own words. Does not belong here: its client, YAML.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ml_assets.domain.errors import SpecError

#: The steps that can have pods of their own kind.
STEPS = ("training_data", "model", "evaluation_data", "metrics")
#: The kinds of volumes that a pod can mount, as Kubernetes names them.
VOLUME_SOURCES = ("configMap", "csi", "emptyDir", "ephemeral", "nfs", "persistentVolumeClaim", "projected", "secret")
#: Each pod has these of its deployment.
_TAKEN_NAMES, _TAKEN_PATHS = ("tmp", "dagster-home"), ("/tmp",)  # noqa: S108  (a path inside of a container)
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_TOLERATION = {"key", "operator", "value", "effect", "tolerationSeconds"}
_BYTES = {
    **{f"{letter}i": 1024**power for power, letter in enumerate("KMGT", 1)},
    **{letter: 1000**power for power, letter in enumerate("kMGT", 1)},
}
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_PART = r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"


@dataclass(frozen=True)
class Volume:
    """A volume, and where the notebook finds it.

    `source`: one kind of volume with its settings, as Kubernetes has it.
    """

    name: str
    mount: str
    source: Mapping[str, Any]
    read_only: bool = False

    def __post_init__(self) -> None:
        _check_label("volumes.name", self.name)
        if self.name in _TAKEN_NAMES:
            raise SpecError("volumes.name", self.name, f"another name than {' and '.join(_TAKEN_NAMES)}")
        if not self.mount.startswith("/") or ":" in self.mount or ".." in self.mount.split("/"):
            raise SpecError("volumes.mount", self.mount, "an absolute path, such as /cache")
        if self.mount.rstrip("/") in ("", *_TAKEN_PATHS):
            raise SpecError("volumes.mount", self.mount, "another path than / and /tmp, which each pod has")
        if len(self.source) != 1 or not set(self.source) <= set(VOLUME_SOURCES):
            right = f"one of {', '.join(VOLUME_SOURCES)}, such as {{persistentVolumeClaim: {{claimName: features}}}}"
            raise SpecError("volumes.source", dict(self.source), right)


@dataclass(frozen=True)
class Pod:
    """What the pod of one step asks for; what is None or empty is as the deployment has it.

    `cpu`: requested, not limited; `memory`: requested and the limit; `secrets`: names of Secrets whose keys become
    environment variables.
    """

    cpu: str | None = None
    memory: str | None = None
    image: str | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    volumes: tuple[Volume, ...] = ()
    service_account: str | None = None
    secrets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.cpu is not None and not (re.fullmatch(r"\d+(\.\d+)?|\d+m", self.cpu) and _number(self.cpu) > 0):
            raise SpecError("cpu", self.cpu, "cores, such as 2 or 0.5, or thousandths of one, such as 500m")
        if self.memory is not None:
            bytes_of(self.memory)
        if self.image is not None and not re.fullmatch(r"[a-z0-9][\w.\-/:]*(@sha256:[0-9a-f]{64})?", self.image):
            raise SpecError("image", self.image, "an image's name with its tag or digest")
        for name, value in self.node_selector.items():
            _check_node_label(name, value)
        for toleration in self.tolerations:
            _check_toleration(toleration)
        for key in ("name", "mount"):
            values = [getattr(volume, key) for volume in self.volumes]
            if len(set(values)) < len(values):
                raise SpecError(f"volumes.{key}", values, f"a {key} of its own for each volume")
        if self.service_account is not None:
            _check_name("service_account", self.service_account)
        for secret in self.secrets:
            _check_name("secrets", secret)


def bytes_of(memory: str) -> int:
    """Memory such as `4Gi` in bytes.

    Raises: SpecError when it is no quantity of memory; Kubernetes reads `4` as 4 bytes, and `500m` as half of one.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]i|[kMGT])", memory)
    size = int(Decimal(match[1]) * _BYTES[match[2]]) if match else 0
    if size <= 0:
        raise SpecError("memory", memory, "a number and a unit (Mi, Gi, Ti, or M, G, T), such as 4Gi")
    return size


def check_memory(memory: str | None, pods: Mapping[str, Pod]) -> None:
    """Refuse memory of reading examples that is none, or more than a pod that reads them has.

    Args: `pods`: by step.
    """
    if memory is not None and not re.fullmatch(r"[1-9]\d*(MB|GB|TB)", memory):
        raise SpecError("memory", memory, "a whole number and a unit (MB, GB, TB), such as 4GB")
    for step, pod in pods.items():
        if memory and pod.memory and bytes_of(memory.removesuffix("B")) > bytes_of(pod.memory):
            right = f"at most what the pod of {step} has: kubernetes.memory is {pod.memory}"
            raise SpecError("memory", memory, right)


def _number(cpu: str) -> Decimal:
    return Decimal(cpu.removesuffix("m"))


def _check_label(key: str, name: str) -> None:
    if not re.fullmatch(_LABEL, name) or len(name) > 63:
        raise SpecError(key, name, "at most 63 small letters, digits and -, such as feature-cache")


def _check_name(key: str, name: str) -> None:
    if not re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", name) or len(name) > 253:
        raise SpecError(key, name, "a Kubernetes name: small letters, digits, - and . (RFC 1123)")


def _check_node_label(name: str, value: str) -> None:
    prefix, _, last = name.rpartition("/")
    if not re.fullmatch(_LABEL_PART, last) or len(last) > 63:
        raise SpecError("node_selector", name, "a label of nodes, such as node.kubernetes.io/instance-type")
    if prefix:
        _check_name("node_selector", prefix)
    if value and (not re.fullmatch(_LABEL_PART, value) or len(value) > 63):
        raise SpecError(f"node_selector.{name}", value, "a label's value: letters, digits, -, _ and .")


def _check_toleration(toleration: Mapping[str, Any]) -> None:
    for key in sorted(set(toleration) - _TOLERATION):
        right = f"there is no such key; there are {', '.join(sorted(_TOLERATION))}"
        raise SpecError(f"tolerations.{key}", toleration[key], right)
    operator = toleration.get("operator", "Equal")
    if operator not in ("Equal", "Exists"):
        raise SpecError("tolerations.operator", operator, "Equal or Exists")
    if operator == "Exists" and "value" in toleration:
        raise SpecError("tolerations.value", toleration["value"], "no value with the operator Exists")
    if operator == "Equal" and not isinstance(toleration.get("key"), str):
        raise SpecError("tolerations", dict(toleration), "a key, or the operator Exists")
    if (effect := toleration.get("effect")) not in (None, *_EFFECTS):
        raise SpecError("tolerations.effect", effect, f"one of {', '.join(_EFFECTS)}")
    seconds = toleration.get("tolerationSeconds", 0)
    if not isinstance(seconds, int) or seconds < 0:
        raise SpecError("tolerations.tolerationSeconds", seconds, "a whole number of seconds")
