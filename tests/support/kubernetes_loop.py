"""The whole loop on a cluster: its manifests, and a namespace to run it in that is deleted afterwards."""

import copy
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import jupytext
import kubernetes
import nbformat
from kubernetes import client
from kubernetes.stream import stream

from tests.support.manifests import MANIFESTS, documents, instance_config
from tests.support.projects import REPOSITORY

Manifest = dict[str, Any]
T = TypeVar("T")
ROOT = "/opt/ml-assets"
IN_PODS = REPOSITORY / "tests" / "support" / "in_pods"
#: The files that the loop has in place of the image's: a model that is quick, and one that takes more than it has.
PROJECT = {
    "ml_assets/defs/ads/cvr/defs.yaml": """\
type: ml_assets.EvaluatedModel
attributes:
  name: ads/cvr
  exposures: ads/impressions
  outcomes: ads/conversions
  join: {id: [impression_id]}
  training: {window: 3d, attribution: 1d}
  evaluation: {window: 1d, horizons: [1d]}
  config: {features: [campaign, device], rounds: 20}
  kubernetes:
    cpu: 200m
    memory: 1200Mi
    steps: {model: {cpu: 300m, memory: 1300Mi}}
""",
    "ml_assets/defs/ads/hungry/defs.yaml": """\
type: ml_assets.EvaluatedModel
attributes:
  name: ads/hungry
  exposures: ads/impressions
  outcomes: ads/conversions
  join: {id: [impression_id]}
  training: {window: 5d, attribution: 1d}
  evaluation: {window: 1d, horizons: [1d]}
  notebooks: {model: notebooks/hungry/model.ipynb}
  kubernetes:
    cpu: 200m
    memory: 1200Mi
""",
}
HUNGRY = """\
# %% tags=["parameters"]
from ml_assets.jupyter import context_of

context = context_of("ads/hungry/model")

# %%
rows = b"x" * (4 << 30)
"""
_DATABASE = r"""
set -e
export PYTHONPATH=/tmp/site
python -c 'import pgserver' || /usr/local/bin/python -m pip install --no-cache-dir --target /tmp/site pgserver
bin=$(python -c 'import pathlib, pgserver; print(pathlib.Path(pgserver.__file__).parent / "pginstall" / "bin")')
printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
"$bin/initdb" -D /tmp/data -U dagster -A scram-sha-256 --pwfile /tmp/password
echo 'host all all all scram-sha-256' >> /tmp/data/pg_hba.conf
exec "$bin/postgres" -D /tmp/data -c listen_addresses='*' -c unix_socket_directories=/tmp -c max_connections=200
"""
_STORE = r"""
set -e
export PYTHONPATH=/tmp/site
python -c 'import moto.server' || /usr/local/bin/python -m pip install --no-cache-dir --target /tmp/site 'moto[server]'
exec python -m moto.server -H 0.0.0.0 -p 5000
"""


def hungry_notebook() -> str:
    """The notebook that takes more memory than its pod has, as a file."""
    return nbformat.writes(jupytext.reads(HUNGRY, fmt="py:percent"))


def loop_manifests(image: str, *, password: str, postgres: str | None = None) -> dict[str, list[Manifest]]:
    """All that is made, in the order in which it is made, by stage.

    Args: `image`: ours; `password`: of the database; `postgres`: an image of PostgreSQL's own; None: a package in ours.
    """
    files = {**PROJECT, "notebooks/hungry/model.ipynb": hungry_notebook()}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "project"}}
    project = {**config, "data": {_key(path): text for path, text in files.items()}}
    keys = {"AWS_ACCESS_KEY_ID": "loop", "AWS_SECRET_ACCESS_KEY": password}
    return {
        "settings": [
            *documents(MANIFESTS / "access.yaml"),
            _settings(),
            _instance(files),
            project,
            _secret("dagster-postgresql", {"postgresql-password": password}),
            _secret("ml-assets-storage", keys),
        ],
        "servers": [
            *_server("postgresql", 5432, postgres or image, [] if postgres else ["/bin/sh", "-c", _DATABASE], image),
            *_server("s3", 5000, image, ["/bin/sh", "-c", _STORE], image),
        ],
        "events": [_events_job(image)],
        "dagster": [
            _with_project(document, image, files)
            for name in ("code", "webserver", "daemon")
            for document in documents(MANIFESTS / f"{name}.yaml")
        ],
    }


def _key(path: str) -> str:
    return path.replace("/", "__")


def _volume() -> Manifest:
    return {"name": "project", "configMap": {"name": "project"}}


def _mounts(files: dict[str, str]) -> list[Manifest]:
    return [{"name": "project", "mountPath": f"{ROOT}/{path}", "subPath": _key(path)} for path in files]


def _settings() -> Manifest:
    [settings] = documents(MANIFESTS / "settings.yaml")
    settings["data"] |= {
        "ML_ASSETS_STORAGE": "s3://loop/production",
        "AWS_ENDPOINT_URL": "http://s3:5000",
        "AWS_DEFAULT_REGION": "us-east-1",
        "DAGSTER_PG_DB": "postgres",
    }
    return settings


def _instance(files: dict[str, str]) -> Manifest:
    """The instance of the manifests; its runs are smaller and fewer, and have the loop's files."""
    [instance] = documents(MANIFESTS / "instance.yaml")
    config = instance_config()
    config["concurrency"]["runs"]["max_concurrent_runs"] = 2
    launcher = config["run_launcher"]["config"]
    launcher["volumes"].append(_volume())
    launcher["volume_mounts"] += _mounts(files)
    launcher["resources"] = {"requests": {"cpu": "100m", "memory": "700Mi"}, "limits": {"memory": "700Mi"}}
    # JSON is YAML.
    instance["data"]["dagster.yaml"] = json.dumps(config)
    return instance


def _secret(name: str, values: dict[str, str]) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def _with_project(document: Manifest, image: str, files: dict[str, str]) -> Manifest:
    document = copy.deepcopy(document)
    if document["kind"] != "Deployment":
        return document
    spec = document["spec"]["template"]["spec"]
    spec["volumes"].append(_volume())
    [container] = spec["containers"]
    container["image"] = image
    container["volumeMounts"] += _mounts(files)
    for variable in container["env"]:
        if variable["name"] == "DAGSTER_CURRENT_IMAGE":
            variable["value"] = image
    return document


def _pod_like_ours(image: str) -> tuple[Manifest, Manifest]:
    """A pod and a container of it with the rights of ours, and no others."""
    [code] = [one for one in documents(MANIFESTS / "code.yaml") if one["kind"] == "Deployment"]
    spec = code["spec"]["template"]["spec"]
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": spec["containers"][0]["securityContext"],
        "envFrom": spec["containers"][0]["envFrom"],
        "resources": {"requests": {"cpu": "100m", "memory": "600Mi"}, "limits": {"memory": "600Mi"}},
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "dagster-home", "mountPath": "/opt/dagster/home"},
        ],
    }
    volumes = [{"name": name, "emptyDir": {}} for name in ("tmp", "dagster-home")]
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": spec["securityContext"],
        "containers": [container],
        "volumes": volumes,
    }
    return pod, container


def _server(name: str, port: int, image: str, command: list[str], ours: str) -> list[Manifest]:
    pod, container = _pod_like_ours(image)
    # How packages are installed here, where the image has none of moto and pgserver.
    container["env"] = [{"name": key, "value": value} for key, value in os.environ.items() if key.startswith("PIP_")]
    reference = {"secretKeyRef": {"name": "dagster-postgresql", "key": "postgresql-password"}}
    if name == "postgresql":
        container["env"] += [
            {"name": "POSTGRES_PASSWORD", "valueFrom": reference},
            {"name": "POSTGRES_USER", "value": "dagster"},
            {"name": "POSTGRES_DB", "value": "postgres"},
            {"name": "PGDATA", "value": "/tmp/data"},
        ]
    if command:
        container["command"] = command
    if image != ours:
        # It has a user of its own, and writes a lock where it likes.
        pod["securityContext"] = {**pod["securityContext"], "runAsUser": 999, "runAsGroup": 999, "fsGroup": 999}
        pod["volumes"].append({"name": "lock", "emptyDir": {}})
        container["volumeMounts"].append({"name": "lock", "mountPath": "/var/run/postgresql"})
    container["ports"] = [{"name": "main", "containerPort": port}]
    container["readinessProbe"] = {"tcpSocket": {"port": "main"}, "periodSeconds": 2}
    labels = {"app": name}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    spec = {"selector": labels, "ports": [{"name": "main", "port": port, "targetPort": "main"}]}
    return [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}, deployment]


def _events_job(image: str) -> Manifest:
    pod, container = _pod_like_ours(image)
    container["command"] = ["python", "-c", (IN_PODS / "events.py").read_text(encoding="utf-8")]
    pod["restartPolicy"] = "Never"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "events"},
        "spec": {"backoffLimit": 3, "template": {"spec": pod}},
    }


class LateError(Exception):
    """Something did not happen in time."""


def until(what: str, ask: Callable[[], T | None], *, seconds: float, pause: float = 2) -> T:
    """Ask again until there is an answer. Raises: LateError, with what the cluster last refused."""
    end, refused = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        try:
            if (answer := ask()) is not None:
                return answer
        except client.ApiException as error:
            # A cluster refuses now and then, when a pod has just gone.
            refused = f"; the cluster said {error}"
        time.sleep(pause)
    raise LateError(f"{what}: not within {seconds:.0f} s{refused}")


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
            for pod in self.pods(f"app={app}"):
                conditions = {one.type: one.status for one in pod.status.conditions or []}
                if conditions.get("Ready") == "True":
                    return pod
            return None

        return until(f"{app} is ready", ask, seconds=seconds)

    def job_ended(self, name: str, *, seconds: float = 600) -> client.V1JobStatus:
        """The status of a Job that has ended."""

        def ask() -> client.V1JobStatus | None:
            status = client.BatchV1Api(self.api).read_namespaced_job(name, self.name).status
            return status if any(one.status == "True" for one in status.conditions or []) else None

        return until(f"job {name} has ended", ask, seconds=seconds)

    def log(self, pod: str, **options: Any) -> str:
        """What a pod has printed; why not, where it cannot be read."""
        try:
            return self.core.read_namespaced_pod_log(pod, self.name, **options)
        except client.ApiException as error:
            return f"(no log: {error.reason})"

    def report(self) -> dict[str, Any]:
        """What Dagster knows, asked in the pod of its daemon."""
        script = (IN_PODS / "report.py").read_text(encoding="utf-8")
        # A stream changes the client that it is given.
        core = client.CoreV1Api(client.ApiClient(self.api.configuration))
        answer = stream(
            core.connect_get_namespaced_pod_exec,
            self.ready("dagster-daemon").metadata.name,
            self.name,
            command=["python", "-W", "ignore", "-c", script],
            stderr=True,
            stdin=False,
            stdout=True,
            tty=False,
            _request_timeout=180,
        )
        found = re.search(r"^REPORT (.*)$", answer, flags=re.MULTILINE)
        if found is None:
            raise AssertionError(f"the report failed:\n{answer}")
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
