"""The whole loop on a cluster: its manifests, and the files of its project."""

import copy
import json
import os

from ml_assets.authoring.percent import to_ipynb
from tests.support.kubernetes_namespace import IN_PODS, Manifest
from tests.support.manifests import MANIFESTS, documents, instance_config

ROOT = "/opt/ml-assets"
_ONE_TRAINING = """\
type: ml_assets.EvaluatedModel
attributes:
  name: ads/{name}
  exposures: ads/impressions
  outcomes: ads/conversions
  join: {{id: [impression_id]}}
  training: {{window: 5d, attribution: 1d}}
  evaluation: {{window: 1d, horizons: [1d]}}
  notebooks: {{model: notebooks/{name}/model.ipynb}}
  kubernetes:
    cpu: 200m
    memory: 1200Mi
"""
_NOTEBOOK = """\
# %% tags=["parameters"]
from ml_assets.jupyter import context_of

context = context_of("ads/{name}/model")

# %%
{code}
"""
#: The notebooks that the loop has: one that takes more memory than its pod has, and one that a person cancels.
NOTEBOOKS = {
    f"notebooks/{name}/model.ipynb": to_ipynb(_NOTEBOOK.format(name=name, code=code))
    for name, code in {"hungry": 'rows = b"x" * (4 << 30)', "slow": "import time\n\ntime.sleep(7200)"}.items()
}
#: The declarations that the loop has in place of the image's: a model that is quick, and those of the two notebooks.
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
    "ml_assets/defs/ads/hungry/defs.yaml": _ONE_TRAINING.format(name="hungry"),
    "ml_assets/defs/ads/slow/defs.yaml": _ONE_TRAINING.format(name="slow"),
}
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


def loop_manifests(image: str, *, password: str, postgres: str | None = None) -> dict[str, list[Manifest]]:
    """All that is made, in the order in which it is made, by stage.

    Args: `image`: ours; `password`: of the database; `postgres`: an image of PostgreSQL's own; None: a package in ours.
    """
    files = {**PROJECT, **NOTEBOOKS}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "project"}}
    project = {**config, "data": {_key(path): text for path, text in files.items()}}
    keys = {"AWS_ACCESS_KEY_ID": "loop", "AWS_SECRET_ACCESS_KEY": password}
    return {
        "settings": [
            *documents(MANIFESTS / "access.yaml"),
            *documents(MANIFESTS / "network.yaml"),
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
