"""A namespace of a cluster that is deleted afterwards, and what tests ask of it."""

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import kubernetes
from kubernetes import client
from kubernetes.stream import stream
from urllib3.exceptions import HTTPError

from tests.support.projects import REPOSITORY

Manifest = dict[str, Any]
T = TypeVar("T")
#: Scripts that are run in pods.
IN_PODS = REPOSITORY / "tests" / "support" / "in_pods"


class LateError(Exception):
    """Something did not happen in time."""


class NoAnswerError(Exception):
    """What was run in a pod did not end well, such as where the pod was ended meanwhile."""


def until(what: str, ask: Callable[[], T | None], *, seconds: float, pause: float = 2) -> T:
    """Ask again until there is an answer. Raises: LateError, with what the cluster or a pod last refused."""
    end, refused = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        try:
            if (answer := ask()) is not None:
                return answer
        except (client.ApiException, HTTPError, NoAnswerError) as error:
            # A cluster refuses now and then, when a pod has just gone.
            refused = f"; last refused: {error}"
        time.sleep(pause)
    raise LateError(f"{what}: not within {seconds:.0f} s{refused}")


def is_ready(pod: client.V1Pod) -> bool:
    """Whether a pod serves, and is not about to end."""
    if pod.metadata.deletion_timestamp is not None:
        return False
    return any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions or [])


def has_ended(status: client.V1JobStatus) -> bool:
    """Whether a Job has ended: that it is about to is a condition, too."""
    return any(one.type in ("Complete", "Failed") and one.status == "True" for one in status.conditions or [])


@dataclass
class Namespace:
    """A namespace of the cluster that KUBECONFIG names."""

    name: str
    api: client.ApiClient

    @property
    def core(self) -> client.CoreV1Api:
        """The API of pods."""
        return client.CoreV1Api(self.api)

    def create(self, manifests: list[Manifest]) -> None:
        """Create resources."""
        for manifest in manifests:
            kubernetes.utils.create_from_dict(self.api, manifest, namespace=self.name)

    def pods(self, selector: str) -> list[client.V1Pod]:
        """The pods with some labels."""
        return self.core.list_namespaced_pod(self.name, label_selector=selector).items

    def ready(self, app: str, *, seconds: float = 600) -> client.V1Pod:
        """The pod of a Deployment, once it is ready."""

        def ask() -> client.V1Pod | None:
            return next(filter(is_ready, self.pods(f"app={app}")), None)

        return until(f"{app} is ready", ask, seconds=seconds)

    def job_ended(self, name: str, *, seconds: float = 600) -> client.V1JobStatus:
        """The status of a Job that has ended."""

        def ask() -> client.V1JobStatus | None:
            status = client.BatchV1Api(self.api).read_namespaced_job(name, self.name).status
            return status if has_ended(status) else None

        return until(f"job {name} has ended", ask, seconds=seconds)

    def log(self, pod: str, **options: Any) -> str:
        """What a pod has printed; why not, where it cannot be read."""
        try:
            # Of what it preloads, the client shows the bytes.
            answer = self.core.read_namespaced_pod_log(pod, self.name, _preload_content=False, **options)
            return answer.data.decode("utf-8", errors="replace")
        except client.ApiException as error:
            return f"(no log: {error.reason})"

    def report(self) -> dict[str, Any]:
        """What Dagster knows, asked in the pod of its daemon. Raises: NoAnswerError, ApiException."""
        return self._run("dagster-daemon", "report.py")

    def cancel(self, run_id: str) -> None:
        """Cancel a run as a person does, by the webserver. Raises: NoAnswerError, ApiException."""
        answer = self._run("dagster-webserver", "cancel.py", run_id)
        if answer["terminateRun"]["__typename"] != "TerminateRunSuccess":
            raise NoAnswerError(f"run {run_id} was not canceled: {answer}")

    def _run(self, app: str, script: str, *arguments: str) -> dict[str, Any]:
        """Run a script in the pod of a Deployment; what it reports."""
        text = (IN_PODS / script).read_text(encoding="utf-8")
        # A stream changes the client that it is given.
        core = client.CoreV1Api(client.ApiClient(self.api.configuration))
        answer = stream(
            core.connect_get_namespaced_pod_exec,
            self.ready(app).metadata.name,
            self.name,
            command=["python", "-W", "ignore", "-c", text, *arguments],
            stderr=True,
            stdin=False,
            stdout=True,
            tty=False,
            _request_timeout=180,
        )
        found = re.search(r"^REPORT (.*)$", answer, flags=re.MULTILINE)
        if found is None:
            raise NoAnswerError(f"{script} failed in {app}:\n{answer}")
        return json.loads(found[1])

    def describe(self) -> str:
        """The states, events and last lines of all pods, for a person who looks for what went wrong."""
        lines = []
        for event in self.core.list_namespaced_event(self.name).items:
            if event.type != "Normal":
                lines.append(f"{event.involved_object.name}: {event.reason}: {event.message}")
        for pod in self.core.list_namespaced_pod(self.name).items:
            states = [str(one.state.to_dict()) for one in pod.status.container_statuses or []]
            lines.append(f"--- {pod.metadata.name} {pod.status.phase} {' '.join(states)}")
            lines.append(self.log(pod.metadata.name, tail_lines=60))
        return "\n".join(lines)


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A namespace of its own, whose pods must be restricted; deleted at the end."""
    configuration = client.Configuration()
    kubernetes.config.load_kube_config(os.environ["KUBECONFIG"], client_configuration=configuration)
    found = Namespace(f"ml-assets-{secrets.token_hex(4)}", client.ApiClient(configuration))
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    found.core.create_namespace({"metadata": {"name": found.name, "labels": labels}})
    try:
        yield found
    finally:
        found.core.delete_namespace(found.name)
