"""What a pod may ask for."""

from typing import Any

import pytest

from ml_assets.domain.declared.pods import Pod, Volume, bytes_of
from ml_assets.domain.errors import SpecError


def volume(**changes: Any) -> Volume:
    return Volume(**{"name": "cache", "mount": "/cache", "source": {"emptyDir": {}}, **changes})


@pytest.mark.parametrize("cpu", ["500m", "2", "0.5", "1.25"])
def test_cores_are_numbers_or_thousandths(cpu: str) -> None:
    assert Pod(cpu=cpu).cpu == cpu


@pytest.mark.parametrize(
    ("memory", "size"),
    [("4Gi", 4 * 1024**3), ("512Mi", 512 * 1024**2), ("1.5Gi", 3 * 512 * 1024**2), ("2G", 2 * 10**9)],
)
def test_memory_has_a_unit(memory: str, size: int) -> None:
    assert bytes_of(memory) == size
    assert Pod(memory=memory).memory == memory


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [
        ("cpu", "two", "cores, such as 2"),
        ("cpu", "0", "cores, such as 2"),
        ("cpu", "-1", "cores, such as 2"),
        ("cpu", "0.5m", "cores, such as 2"),
        ("memory", "4", "such as 4Gi"),
        ("memory", "4GB", "such as 4Gi"),
        ("memory", "500m", "such as 4Gi"),
        ("memory", "0Gi", "such as 4Gi"),
        ("memory", "4gi", "such as 4Gi"),
        ("image", "My Image", "an image's name"),
        ("image", "models:1;rm", "an image's name"),
        ("service_account", "Trainer", "RFC 1123"),
        ("secrets", ("a_b",), "RFC 1123"),
        ("secrets", ("a" * 254,), "RFC 1123"),
        ("node_selector", {"bad key": "x"}, "a label of nodes"),
        ("node_selector", {"Upper.example/gpu": "x"}, "RFC 1123"),
        ("node_selector", {"gpu": "a b"}, "a label's value"),
        ("tolerations", ({"key": "gpu", "operater": "Exists"},), "there is no such key"),
        ("tolerations", ({"key": "gpu", "operator": "In"},), "Equal or Exists"),
        ("tolerations", ({"key": "gpu", "operator": "Exists", "value": "1"},), "no value"),
        ("tolerations", ({"value": "1"},), "a key, or the operator Exists"),
        ("tolerations", ({"key": "gpu", "effect": "Never"},), "NoSchedule"),
        ("tolerations", ({"key": "gpu", "tolerationSeconds": "soon"},), "whole number of seconds"),
        ("volumes", (volume(), volume(mount="/other")), "a name of its own"),
        ("volumes", (volume(), volume(name="other")), "a mount of its own"),
    ],
)
def test_what_kubernetes_would_not_take_is_refused(key: str, value: Any, right: str) -> None:
    with pytest.raises(SpecError, match=right) as refused:
        Pod(**{key: value})
    assert refused.value.key.startswith(key)


@pytest.mark.parametrize(
    ("changes", "right"),
    [
        ({"name": "Cache"}, "small letters"),
        ({"name": "c" * 64}, "at most 63"),
        ({"name": "tmp"}, "another name"),
        ({"mount": "cache"}, "an absolute path"),
        ({"mount": "/a/../b"}, "an absolute path"),
        ({"mount": "/tmp"}, "which each pod has"),
        ({"mount": "/"}, "which each pod has"),
        ({"source": {}}, "one of configMap"),
        ({"source": {"emptyDir": {}, "secret": {}}}, "one of configMap"),
        ({"source": {"empty_dir": {}}}, "one of configMap"),
        ({"source": {"hostPath": {"path": "/etc"}}}, "one of configMap"),
    ],
)
def test_volumes_that_no_pod_can_have_are_refused(changes: dict[str, Any], right: str) -> None:
    with pytest.raises(SpecError, match=right):
        volume(**changes)


def test_a_pod_may_ask_for_all_of_it() -> None:
    Pod(
        cpu="2",
        memory="8Gi",
        image="models/training:2026-01-05",
        node_selector={"node.kubernetes.io/instance-type": "m5.4xlarge", "spot": ""},
        tolerations=({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}, {"operator": "Exists"}),
        volumes=(volume(), volume(name="features", mount="/features", source={"persistentVolumeClaim": {}})),
        service_account="trainer",
        secrets=("feature-store", "warehouse.credentials"),
    )
