"""Reads the group `kubernetes` of a model's declaration: for all its steps, and for single ones."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, StrictFloat, StrictInt, StrictStr

from ml_assets.declarations.reading import Group, read_group
from ml_assets.domain.declared.pods import STEPS, Pod, Volume
from ml_assets.domain.errors import SpecError

_KEY = "kubernetes"


class VolumeGroup(Group):
    """A volume, and where the notebook finds it."""

    name: str = Field(description="Its name in the pod.")
    mount: str = Field(description="An absolute path.")
    source: dict[str, Any] = Field(description="One kind of volume with its settings, as Kubernetes writes them.")
    read_only: bool = Field(False, description="Whether the notebook can only read it.")


class PodGroup(Group):
    """What a pod asks for."""

    cpu: StrictStr | StrictInt | StrictFloat | None = Field(None, description="Requested, not limited.")
    memory: StrictStr | StrictInt | None = Field(None, description="Requested, and the limit, such as 4Gi.")
    image: str | None = Field(None, description="Default: the code server's.")
    node_selector: dict[str, StrictStr | StrictInt] = Field(
        default_factory=dict, description="Labels of the nodes that may run it."
    )
    tolerations: list[dict[str, Any]] = Field(default_factory=list, description="As Kubernetes writes them.")
    volumes: list[dict[str, Any]] = Field(
        default_factory=list,
        description="What it mounts.",
        json_schema_extra={"keys": VolumeGroup.model_json_schema()},
    )
    service_account: str | None = Field(None, description="That of the step, without a token. Default: its run's.")
    secrets: list[str] = Field(
        default_factory=list, description="Secrets of the namespace whose keys become environment variables."
    )


class ModelGroup(PodGroup):
    """What the pods of all steps ask for, and in `steps` those of single ones."""

    steps: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="By step, such as `model` or `training_data`: the keys above, which stand there in place of these.",
    )


def read_pods(declared: Mapping[str, Any]) -> dict[str, Pod]:
    """The pod of each step. A key that a step has of its own stands in place of the model's.

    Raises: SpecError that names the key, the value and what would be right.
    """
    common = read_group(ModelGroup, declared, key=_KEY)
    for step in common.steps:
        if step not in STEPS:
            raise SpecError(f"{_KEY}.steps.{step}", common.steps[step], f"a step: {', '.join(STEPS)}")
    shared = {key: value for key, value in declared.items() if key != "steps"}
    of_model = _pod(shared, key=_KEY)
    own = {step: _pod({**shared, **values}, key=f"{_KEY}.steps.{step}") for step, values in common.steps.items()}
    return {step: own.get(step, of_model) for step in STEPS}


def _pod(declared: Mapping[str, Any], *, key: str) -> Pod:
    group = read_group(PodGroup, declared, key=key)
    volumes = [read_group(VolumeGroup, one, key=f"{key}.volumes") for one in group.volumes]
    try:
        return Pod(
            cpu=None if group.cpu is None else str(group.cpu),
            memory=None if group.memory is None else str(group.memory),
            image=group.image,
            node_selector={name: str(value) for name, value in group.node_selector.items()},
            tolerations=tuple(_with_text(toleration) for toleration in group.tolerations),
            volumes=tuple(Volume(**volume.model_dump()) for volume in volumes),
            service_account=group.service_account,
            secrets=tuple(group.secrets),
        )
    except SpecError as error:
        raise SpecError(f"{key}.{error.key}", error.value, error.expected) from None


def _with_text(toleration: Mapping[str, Any]) -> dict[str, Any]:
    """The toleration of a taint whose value is a whole number to YAML, and text to Kubernetes."""
    if not isinstance(value := toleration.get("value", ""), (str, int)) or isinstance(value, bool):
        raise SpecError("tolerations.value", value, "a text, in quotes")
    return {key: str(value) if key == "value" else value for key, value in toleration.items()}
