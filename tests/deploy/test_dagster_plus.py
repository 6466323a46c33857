"""dagster_cloud.yaml: Dagster+ takes it, and its pods are those of Kubernetes."""

import yaml
from dagster_cloud_cli.config.models import load_dagster_cloud_yaml
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import DagsterK8sJobConfig, construct_dagster_k8s_job

from tests.support.dockerfile import instructions
from tests.support.manifests import as_manifest, check, containers
from tests.support.projects import REPOSITORY

[LOCATION] = load_dagster_cloud_yaml((REPOSITORY / "dagster_cloud.yaml").read_text(encoding="utf-8")).locations


def test_the_location_is_loaded_in_its_environment_from_the_image() -> None:
    assert LOCATION.code_source.module_name == "ml_assets.definitions"
    assert LOCATION.build.directory == "."
    folders = [one.rest for one in instructions(REPOSITORY / "deploy" / "Dockerfile") if one.name == "WORKDIR"]
    assert LOCATION.working_directory == folders[-1]
    environment = {one["name"]: one["value"] for one in LOCATION.container_context["k8s"]["env"]}
    assert environment["ML_ASSETS_ENVIRONMENT"] == "dagster_plus"
    assert environment["ML_ASSETS_STORAGE"].startswith("s3://")


def test_no_registry_is_named_that_is_not_yours() -> None:
    assert LOCATION.build.registry is None
    assert LOCATION.image == "ml-assets:latest"


def test_the_jobs_that_dagster_makes_of_its_container_context_are_taken() -> None:
    context = K8sContainerContext.create_from_config(LOCATION.container_context)
    config = DagsterK8sJobConfig(job_image=LOCATION.image, dagster_home="/opt/dagster/home")
    job = construct_dagster_k8s_job(config, ["dagster"], "run", user_defined_k8s_config=context.run_k8s_config)
    manifest = as_manifest(job)
    check(manifest)
    [container] = containers(manifest)
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["runAsNonRoot"] is True
    assert container["resources"]["limits"] == {"memory": "1Gi"}
    assert "ml-assets-storage" in yaml.safe_dump(container["envFrom"])


def test_the_code_server_has_sizes_of_its_own() -> None:
    server = K8sContainerContext.create_from_config(LOCATION.container_context).server_k8s_config
    assert server.container_config["resources"]["limits"] == {"memory": "1Gi"}
