"""The values for Dagster's Helm chart."""

import copy
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from tests.deploy.chart import validator
from tests.support.manifests import MANIFESTS, check_resources, documents, instance_config
from tests.support.projects import REPOSITORY

VALUES = yaml.safe_load((REPOSITORY / "deploy" / "k8s" / "values.yaml").read_text(encoding="utf-8"))
[CODE] = VALUES["dagster-user-deployments"]["deployments"]
PODS = {"code": CODE, "webserver": VALUES["dagsterWebserver"], "daemon": VALUES["dagsterDaemon"]}


def test_the_chart_takes_them() -> None:
    assert [error.message for error in validator().iter_errors(VALUES)] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("dagsterDaemon.replicas", 1),
        ("dagsterDaemon.runMonitoring.maxRuntime", 3),
        ("dagsterWebserver.image.tag", 3.1),
        ("dagsterWebserver.volumes", [{"name": "tmp", "emptyDirectory": {}}]),
        ("dagsterWebserver.readinessProbe", {"httpGet": {"path": "/"}}),
        ("runLauncher.config.customRunLauncher.env", []),
        ("runLauncher.type", "KubernetesRunLauncher"),
        ("retention.sensor.purgeAfterDays", {"skipped": 7}),
        ("generatePostgresqlPassword", False),
    ],
)
def test_what_the_chart_would_not_take_is_found(path: str, value: Any) -> None:
    wrong = copy.deepcopy(VALUES)
    *parents, last = path.split(".")
    at = wrong
    for key in parents:
        at = at[key]
    at[last] = value
    assert list(validator().iter_errors(wrong))


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
def test_pods_are_those_of_the_plain_manifests(pod: dict[str, Any]) -> None:
    [code] = [one for one in documents(MANIFESTS / "code.yaml") if one["kind"] == "Deployment"]
    spec = code["spec"]["template"]["spec"]
    [container] = spec["containers"]
    check_resources(pod["resources"])
    assert pod["podSecurityContext"] == spec["securityContext"]
    assert pod["securityContext"] == container["securityContext"]
    assert pod["volumes"] == [volume for volume in spec["volumes"] if "emptyDir" in volume]
    assert pod["volumeMounts"] == [mount for mount in container["volumeMounts"] if "subPath" not in mount]
    settings = documents(MANIFESTS / "settings.yaml")[0]["data"]
    given = {variable["name"]: variable.get("value") for variable in pod["env"]}
    assert given == {**settings, "DAGSTER_NAMESPACE": None}
    assert pod["envSecrets"] == [{"name": "ml-assets-storage"}]


def test_the_code_server_is_started_as_in_the_image() -> None:
    [code] = [one for one in documents(MANIFESTS / "code.yaml") if one["kind"] == "Deployment"]
    [container] = code["spec"]["template"]["spec"]["containers"]
    assert container["args"][3:5] == CODE["dagsterApiGrpcArgs"]
    assert container["ports"][0]["containerPort"] == CODE["port"]


def test_no_password_is_in_them() -> None:
    text = yaml.safe_dump(VALUES).lower()
    assert VALUES["generatePostgresqlPasswordSecret"] is False
    assert "postgresqlpassword:" not in text
    assert VALUES["global"]["postgresqlSecretName"] == "dagster-postgresql"


def test_the_instance_is_that_of_the_plain_manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, own = instance_config(), VALUES["additionalInstanceConfig"]
    for key in ("concurrency", "run_monitoring", "run_retries", "nux"):
        assert own[key] == plain[key]
    kept = plain["retention"]["sensor"]["purge_after_days"]
    assert kept.items() <= VALUES["retention"]["sensor"]["purgeAfterDays"].items()
    # The chart writes these beside its own; a key that both have would be there twice.
    for name in ("runCoordinator", "runMonitoring", "runRetries"):
        assert VALUES["dagsterDaemon"][name] == {"enabled": False}
    for name in ("DAGSTER_NAMESPACE", "DAGSTER_HOME"):
        monkeypatch.setenv(name, "of-the-pod")
    launcher = VALUES["runLauncher"]["config"]["customRunLauncher"]
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({**own, "run_launcher": launcher}), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 20
        assert instance.run_monitoring_max_runtime_seconds == 86400


def test_the_webserver_listens_where_a_user_without_rights_may() -> None:
    webserver = VALUES["dagsterWebserver"]
    assert webserver["service"]["port"] > 1024
    # The chart gives its port this name.
    assert webserver["readinessProbe"]["httpGet"]["port"] == "http"


def test_the_database_is_the_same_for_dagster_and_for_what_probes_ask() -> None:
    database = VALUES["postgresql"]
    given = {variable["name"]: variable.get("value") for variable in VALUES["dagsterDaemon"]["env"]}
    assert given["DAGSTER_PG_HOST"] == database["postgresqlHost"]
    assert given["DAGSTER_PG_PORT"] == str(database["service"]["port"])
    assert given["DAGSTER_PG_USERNAME"] == database["postgresqlUsername"]
    assert given["DAGSTER_PG_DB"] == database["postgresqlDatabase"]
