"""Pods of steps, as Kubernetes tells of them."""

import dagster as dg
from kubernetes import client


def pod(
    *, reason: str = "", message: str = "", code: int | None = None, why: str = "", phase: str = "Failed"
) -> client.V1Pod:
    limits = client.V1ResourceRequirements(limits={"memory": "2Gi"})
    spec = client.V1PodSpec(containers=[client.V1Container(name="dagster", resources=limits)])
    containers = None
    if code is not None:
        state = client.V1ContainerState(terminated=client.V1ContainerStateTerminated(exit_code=code, reason=why))
        one = client.V1ContainerStatus(
            name="dagster", image="m:1", image_id="", ready=False, restart_count=0, state=state
        )
        containers = [one]
    status = client.V1PodStatus(phase=phase, reason=reason, message=message, container_statuses=containers)
    return client.V1Pod(metadata=client.V1ObjectMeta(name="x"), spec=spec, status=status)


@dg.job
def _empty_job() -> None: ...
