"""The group `kubernetes` of a model's declaration."""

from typing import Any

import pytest

from ml_assets.declarations.pods import read_pods
from ml_assets.domain.declared.pods import STEPS, Pod, Volume
from ml_assets.domain.errors import SpecError

DECLARED = {
    "cpu": 1,
    "memory": "2Gi",
    "node_selector": {"pool": "ml", "zone": 7},
    "secrets": ["warehouse"],
    "steps": {"model": {"cpu": "4", "memory": "16Gi", "node_selector": {"pool": "large"}}},
}


def test_a_step_has_what_the_model_has_where_it_says_nothing() -> None:
    pods = read_pods(DECLARED)
    assert set(pods) == set(STEPS)
    assert pods["metrics"] == Pod(
        cpu="1", memory="2Gi", node_selector={"pool": "ml", "zone": "7"}, secrets=("warehouse",)
    )
    assert pods["model"] == Pod(cpu="4", memory="16Gi", node_selector={"pool": "large"}, secrets=("warehouse",))


def test_a_model_that_says_nothing_has_pods_as_the_deployment_has_them() -> None:
    assert read_pods({}) == dict.fromkeys(STEPS, Pod())


def test_numbers_of_yaml_become_the_text_that_kubernetes_wants() -> None:
    pods = read_pods({"cpu": 0.5, "tolerations": [{"key": "generation", "value": 3}]})
    assert pods["model"].cpu == "0.5"
    assert pods["model"].tolerations == ({"key": "generation", "value": "3"},)


def test_volumes_are_read() -> None:
    declared = {"name": "cache", "mount": "/cache", "source": {"emptyDir": {"sizeLimit": "1Gi"}}, "read_only": True}
    [volume] = read_pods({"volumes": [declared]})["model"].volumes
    assert volume == Volume("cache", "/cache", {"emptyDir": {"sizeLimit": "1Gi"}}, read_only=True)


@pytest.mark.parametrize(
    ("declared", "key", "right"),
    [
        ({"memroy": "4Gi"}, "kubernetes.memroy", "did you mean memory?"),
        ({"memory": "4GB"}, "kubernetes.memory", "such as 4Gi"),
        ({"memory": 4}, "kubernetes.memory", "such as 4Gi"),
        ({"steps": {"train": {}}}, "kubernetes.steps.train", "training_data, model"),
        ({"steps": {"model": {"cpus": 4}}}, "kubernetes.steps.model.cpus", "did you mean cpu?"),
        ({"steps": {"model": {"memory": "lots"}}}, "kubernetes.steps.model.memory", "such as 4Gi"),
        ({"steps": {"model": {"steps": {}}}}, "kubernetes.steps.model.steps", "there is no such key"),
        ({"volumes": [{"name": "a", "mount": "/a"}]}, "kubernetes.volumes.source", "the key is required"),
        ({"volumes": [{"name": "A", "mount": "/a", "source": {"emptyDir": {}}}]}, "kubernetes.volumes.name", "small"),
    ],
)
def test_what_is_wrong_is_refused_by_its_key(declared: dict[str, Any], key: str, right: str) -> None:
    with pytest.raises(SpecError) as refused:
        read_pods(declared)
    assert refused.value.key == key
    assert right in refused.value.expected
