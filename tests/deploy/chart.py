"""What Dagster's Helm chart 1.13.27 takes, as far as our values touch it: names of keys and kinds of values.

Written down from the chart's own schema (helm/dagster/values.schema.json in dagster-io/dagster at commit
bdb8547fab497826eeec292bc160b549a0a329ef), as a JSON schema. Every object here is closed, where the chart's is open too:
a misspelt key would have no effect there. What is Kubernetes' own is held against Kubernetes' own definitions. The keys
that the chart requires are filled in by its defaults, so that values need not have them.
"""

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.support.manifests import KUBERNETES

Schema = dict[str, Any]
_URI = "/api/_definitions.json"
_SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
_DEFINITIONS = json.loads(
    (_SCHEMAS / f"v{KUBERNETES}.0-local-strict" / "_definitions.json").read_text(encoding="utf-8")
)
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
YES_NO: Schema = {"type": "boolean"}
ANY: Schema = {"type": "object"}
TEXTS: Schema = {"type": "array", "items": TEXT}


def closed(**keys: Schema) -> Schema:
    """An object with these keys and no others."""
    return {"type": "object", "properties": keys, "additionalProperties": False}


def core(kind: str) -> Schema:
    """One of Kubernetes' own kinds."""
    return {"$ref": f"{_URI}#/$defs/io.k8s.api.core.v1.{kind}"}


def probe() -> Schema:
    """A probe, which may be switched off; where it does not say what to ask, the chart asks the code server."""
    text = json.dumps(_DEFINITIONS["$defs"]["io.k8s.api.core.v1.Probe"])
    # What it refers to stays where it is.
    own = json.loads(text.replace('"#/$defs', f'"{_URI}#/$defs'))
    return {**own, "properties": {**own["properties"], "enabled": YES_NO}}


def listed(item: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": item}


IMAGE = {**closed(repository=TEXT, tag=TEXT, pullPolicy={"enum": ["Always", "IfNotPresent", "Never"]})}
IMAGE["required"] = ["repository", "pullPolicy"]
#: What all pods of the chart have in common.
POD = {
    "image": IMAGE,
    "env": {"anyOf": [{"type": "object", "additionalProperties": TEXT}, listed(core("EnvVar"))]},
    "envConfigMaps": listed(core("ConfigMapEnvSource")),
    "envSecrets": listed(core("SecretEnvSource")),
    "podSecurityContext": core("PodSecurityContext"),
    "securityContext": core("SecurityContext"),
    "resources": core("ResourceRequirements"),
    "readinessProbe": probe(),
    "livenessProbe": probe(),
    "startupProbe": probe(),
    "volumes": listed(core("Volume")),
    "volumeMounts": listed(core("VolumeMount")),
}
CODE = closed(
    **POD,
    name=TEXT,
    dagsterApiGrpcArgs=TEXTS,
    port=NUMBER,
    includeConfigInLaunchedRuns={**closed(enabled=YES_NO), "required": ["enabled"]},
)
CODE["required"] = ["name", "image", "port"]
ACCOUNT = closed(create=YES_NO, name=TEXT, annotations={"type": "object", "additionalProperties": TEXT})
# What the launcher takes is its own affair.
RUN_LAUNCHER = {**closed(**{"module": TEXT, "class": TEXT, "config": ANY}), "required": ["module", "class", "config"]}
TICKS = {**closed(skipped=NUMBER, success=NUMBER, failure=NUMBER, started=NUMBER)}
TICKS["required"] = ["skipped", "success", "failure", "started"]
KEPT = {**closed(purgeAfterDays={"anyOf": [NUMBER, TICKS]}), "required": ["purgeAfterDays"]}
VALUES = closed(
    **{
        "dagster-user-deployments": closed(
            enabled=YES_NO, deployments=listed(CODE), serviceAccount=ACCOUNT, rbacEnabled=YES_NO
        )
    },
    **{"global": closed(dagsterHome=TEXT, postgresqlSecretName=TEXT, serviceAccountName=TEXT)},
    runLauncher=closed(
        type={"enum": ["CeleryK8sRunLauncher", "K8sRunLauncher", "CustomRunLauncher"]},
        config=closed(customRunLauncher=RUN_LAUNCHER),
    ),
    postgresql=closed(
        enabled=YES_NO,
        postgresqlHost=TEXT,
        postgresqlUsername=TEXT,
        postgresqlDatabase=TEXT,
        service=closed(port=NUMBER),
    ),
    generatePostgresqlPasswordSecret=YES_NO,
    computeLogManager=closed(
        type={
            "enum": [
                "NoOpComputeLogManager",
                "AzureBlobComputeLogManager",
                "GCSComputeLogManager",
                "S3ComputeLogManager",
                "CustomComputeLogManager",
            ]
        },
        config=closed(),
    ),
    dagsterWebserver=closed(**POD, replicaCount=NUMBER, service=closed(type=TEXT, port=NUMBER)),
    dagsterDaemon=closed(
        **POD,
        enabled=YES_NO,
        runCoordinator=closed(enabled=YES_NO),
        # Open in the chart, whose template of dagster.yaml reads more.
        runMonitoring=closed(enabled=YES_NO),
        runRetries=closed(enabled=YES_NO, maxRetries=NUMBER),
    ),
    retention=closed(enabled=YES_NO, sensor=KEPT, schedule=KEPT),
    telemetry=closed(enabled=YES_NO),
    rabbitmq=closed(enabled=YES_NO),
    redis=closed(enabled=YES_NO),
    additionalInstanceConfig=ANY,
)


def validator() -> Draft202012Validator:
    """What holds values against this."""
    registry: Registry[Any] = Registry().with_resource(_URI, DRAFT202012.create_resource(_DEFINITIONS))
    return Draft202012Validator(VALUES, registry=registry)
