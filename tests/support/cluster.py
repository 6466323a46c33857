"""The part of a cluster that dagster-k8s talks to: Jobs become processes of this machine, and pods their states.

Given to dagster-k8s in place of the clients of Kubernetes' API; what it makes of definitions is its own.
"""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kubernetes
import yaml
from kubernetes import client

from tests.support import forks

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "nowhere",
    "clusters": [{"name": "nowhere", "cluster": {"server": "http://localhost:1"}}],
    "users": [{"name": "nobody", "user": {}}],
    "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
}


def write_kubeconfig(folder: Path) -> Path:
    """A kubeconfig that leads nowhere, for what insists on one before it takes other clients."""
    path = folder / "kubeconfig.yaml"
    path.write_text(yaml.safe_dump(KUBECONFIG), encoding="utf-8")
    return path


@dataclass
class RunningJob:
    """A Job, and the process that is its pod. `pod`: None once it was deleted."""

    body: client.V1Job
    process: forks.Program | None
    pod: client.V1Pod | None
    failed: bool = False


@dataclass
class Cluster:
    """Jobs by name, in the order in which they were created. `starts`: whether Jobs become processes."""

    environment: Mapping[str, str] = field(default_factory=dict)
    starts: bool = True
    jobs: dict[str, RunningJob] = field(default_factory=dict)
    on_create: Callable[[str], None] = lambda name: None
    #: Called with the name of a Job that is to be deleted; it may refuse.
    on_delete: Callable[[str], None] = lambda name: None
    #: Each Job that was ever created.
    created: list[client.V1Job] = field(default_factory=list)
    #: Each Job that was deleted; its pod goes on until it is deleted, too.
    deleted: dict[str, RunningJob] = field(default_factory=dict)

    # As kubernetes.client.BatchV1Api.

    def create_namespaced_job(self, body: client.V1Job, namespace: str, **_: Any) -> client.V1Job:
        name = body.metadata.name
        if name in self.jobs:
            raise kubernetes.client.ApiException(status=409, reason="AlreadyExists")
        [container] = body.spec.template.spec.containers
        given = {variable.name: variable.value for variable in container.env or [] if variable.value is not None}
        process = None
        if self.starts:
            environment = {**os.environ, **given, **self.environment}
            process = forks.start(container.args, env=environment)
        metadata = client.V1ObjectMeta(name=f"{name}-x", namespace=namespace)
        pod = client.V1Pod(metadata=metadata, spec=body.spec.template.spec, status=client.V1PodStatus(phase="Running"))
        self.jobs[name] = RunningJob(body, process, pod)
        self.created.append(body)
        self.on_create(name)
        return body

    def read_namespaced_job_status(self, name: str, namespace: str, **_: Any) -> client.V1Job:
        if name not in self.jobs:
            raise kubernetes.client.ApiException(status=404, reason="NotFound")
        job = self._refreshed(name)
        pod = job.pod
        phase = pod.status.phase if pod else "Failed"
        status = client.V1JobStatus(
            active=int(phase == "Running") or None,
            succeeded=int(phase == "Succeeded") or None,
            failed=int(job.failed or phase == "Failed") or None,
        )
        return client.V1Job(metadata=job.body.metadata, status=status)

    def list_namespaced_job(self, namespace: str, *, label_selector: str, **_: Any) -> client.V1JobList:
        asked = dict(one.split("=") for one in label_selector.split(","))
        labels = {name: job.body.metadata.labels for name, job in self.jobs.items()}
        found = [name for name in self.jobs if asked.items() <= labels[name].items()]
        return client.V1JobList(items=[self.read_namespaced_job_status(name, namespace) for name in found])

    def delete_namespaced_job(self, name: str, namespace: str, **_: Any) -> None:
        if name not in self.jobs:
            raise kubernetes.client.ApiException(status=404, reason="NotFound")
        self.on_delete(name)
        self.deleted[name] = self.jobs.pop(name)

    # As kubernetes.client.CoreV1Api.

    def list_namespaced_pod(self, namespace: str, *, label_selector: str = "", **_: Any) -> client.V1PodList:
        name = label_selector.removeprefix("job-name=")
        job = self._refreshed(name) if name in self.jobs else self.deleted.get(name)
        return client.V1PodList(items=[job.pod] if job and job.pod else [])

    def delete_namespaced_pod(self, name: str, namespace: str, **_: Any) -> None:
        job = name.removesuffix("-x")
        if job not in {**self.jobs, **self.deleted}:
            raise kubernetes.client.ApiException(status=404, reason="NotFound")
        self.delete_pod(job)

    # What happens to pods.

    def delete_pod(self, job: str, *, kill: bool = False) -> None:
        """Delete the pod of a Job: its process is asked to end, or killed as when its node is lost."""
        running = {**self.jobs, **self.deleted}[job]
        running.failed = True
        if running.process is None:
            running.pod = None
        elif kill:
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()
            running.pod = None
        else:
            assert running.pod is not None
            running.pod.metadata.deletion_timestamp = datetime.now(UTC)
            # As the kubelet does: the first process of the container alone.
            running.process.terminate()

    def kill_for_memory(self, job: str) -> None:
        """Kill the container of a Job's pod as the kernel does where its limit is reached."""
        running = self.jobs[job]
        assert running.process is not None
        os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()
        self._end(running, 137, "OOMKilled")

    def _refreshed(self, name: str) -> RunningJob:
        job = self.jobs[name]
        if job.process is not None and job.pod is not None and job.process.poll() is not None:
            if job.pod.metadata.deletion_timestamp:
                job.pod = None
            elif job.pod.status.phase == "Running":
                self._end(job, job.process.returncode, "Completed" if job.process.returncode == 0 else "Error")
        return job

    @staticmethod
    def _end(job: RunningJob, exit_code: int, reason: str) -> None:
        assert job.pod is not None
        [container] = job.pod.spec.containers
        terminated = client.V1ContainerStateTerminated(exit_code=exit_code, reason=reason)
        state = client.V1ContainerState(terminated=terminated)
        status = client.V1ContainerStatus(
            name=container.name, image="models:1", image_id="", ready=False, restart_count=0, state=state
        )
        phase = "Succeeded" if exit_code == 0 else "Failed"
        job.pod.status = client.V1PodStatus(phase=phase, container_statuses=[status])

    def stop(self) -> None:
        """End what still runs."""
        for job in [*self.jobs.values(), *self.deleted.values()]:
            if job.process is not None and job.process.poll() is None:
                os.killpg(job.process.pid, signal.SIGKILL)
                job.process.wait()
