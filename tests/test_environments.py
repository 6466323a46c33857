"""The environments: each differs in what the map says, and nothing else asks where the project runs."""

import ast
from pathlib import Path

import dagster as dg
import pytest
import yaml

from ml_assets import variables
from ml_assets.definitions import build_definitions
from ml_assets.demo_services import CHECKOUT
from ml_assets.environments import ENVIRONMENTS, UnknownEnvironmentError, current
from ml_assets.orchestration.resources import ExecutedNotebooks, NoStorageError, Storage, default_resources
from ml_assets.paths import path_of
from ml_assets.project.home import prepare_home
from tests.support.manifests import instance_config
from tests.support.projects import REPOSITORY

#: A process that is forked takes over the environment of who asked for it; a library is told something before it loads.
HANDS_ON = {"ml_assets/warm/host.py", "ml_assets/notebooks/preloaded.py"}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (variables.ENVIRONMENT, variables.STORAGE, variables.BRANCH_DEPLOYMENT):
        monkeypatch.delenv(name, raising=False)


def loaded() -> dg.Definitions:
    return build_definitions(dg.ComponentTree.for_project(CHECKOUT))


def automation(definitions: dg.Definitions) -> set[bool]:
    """Whether sensors and schedules run from the start."""
    sensors = {one.default_status is dg.DefaultSensorStatus.RUNNING for one in definitions.sensors or ()}
    schedules = {one.default_status is dg.DefaultScheduleStatus.RUNNING for one in definitions.schedules or ()}
    assert sensors
    return sensors | schedules


def test_without_the_variable_it_is_this_machine() -> None:
    assert current() is ENVIRONMENTS["local"]


def test_an_unknown_name_is_refused_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variables.ENVIRONMENT, "prod")
    with pytest.raises(UnknownEnvironmentError, match="is 'prod'; there are local, test, kubernetes, dagster_plus"):
        loaded()


@pytest.mark.parametrize(
    ("name", "executor"),
    [("local", "in_process"), ("test", "in_process"), ("kubernetes", "kubernetes"), ("dagster_plus", "kubernetes")],
)
def test_each_has_its_executor(name: str, executor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variables.ENVIRONMENT, name)
    found = loaded().executor
    assert isinstance(found, dg.ExecutorDefinition)
    assert found.name == executor


@pytest.mark.parametrize(
    ("name", "runs"), [("local", True), ("test", False), ("kubernetes", True), ("dagster_plus", True)]
)
def test_automation_is_on_or_off(name: str, runs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variables.ENVIRONMENT, name)
    assert automation(loaded()) == {runs}


def test_each_instance_names_the_launcher_of_its_environment(tmp_path: Path) -> None:
    def launcher(config: dict[str, dict[str, str]]) -> str:
        return f"{config['run_launcher']['module']}.{config['run_launcher']['class']}"

    production = yaml.safe_load((REPOSITORY / "deploy" / "dagster.yaml").read_text(encoding="utf-8"))
    generated = yaml.safe_load((prepare_home(tmp_path / "home") / "dagster.yaml").read_text(encoding="utf-8"))
    assert launcher(generated) == launcher(production) == ENVIRONMENTS["local"].launcher
    assert launcher(instance_config()) == ENVIRONMENTS["kubernetes"].launcher


@pytest.mark.parametrize(("value", "runs"), [("1", False), ("0", True)])
def test_the_deployment_of_a_branch_starts_no_automation(
    value: str, runs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variables.ENVIRONMENT, "dagster_plus")
    monkeypatch.setenv(variables.BRANCH_DEPLOYMENT, value)
    assert automation(loaded()) == {runs}


@pytest.mark.parametrize("name", ["kubernetes", "dagster_plus"])
def test_where_runs_share_no_disk_nothing_is_kept_on_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for resource in ENVIRONMENTS[name].resources().values():
        if isinstance(resource, Storage):
            with pytest.raises(NoStorageError, match="ML_ASSETS_STORAGE is not set, .* such as s3://bucket/team"):
                resource.below("/home/of/a/pod")


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_one_variable_moves_everything(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variables.STORAGE, "memory://bucket/team")
    resources = ENVIRONMENTS[name].resources()
    found = {key: str(one.below("/home")) for key, one in resources.items() if isinstance(one, Storage)}
    assert found == {
        "events": "memory://bucket/team/events",
        "artifacts": "memory://bucket/team/artifacts",
        "executed_notebooks": "memory://bucket/team/notebooks",
    }


@pytest.mark.parametrize("place", ["models", "s3:/models", "gopher://models/team"])
def test_what_is_no_place_is_refused_by_the_name_of_the_variable(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variables.STORAGE, place)
    with pytest.raises(NoStorageError, match=f"ML_ASSETS_STORAGE is '{place}'.*write a URL such as s3://bucket/team"):
        default_resources()["events"].below("/home")  # type: ignore[attr-defined]


def test_without_it_everything_lies_in_the_folder_of_the_instance() -> None:
    assert default_resources()["events"].below("/home/of/instance") == Path("/home/of/instance/events")


@pytest.mark.parametrize("root", ["/data/events", "memory://bucket/events"])
def test_a_root_of_its_own_is_taken_as_it_is(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variables.STORAGE, "memory://bucket/team")
    assert Storage(root=root).below("/home") == path_of(root)


def test_in_pods_kernels_are_not_forked_from_a_warm_process() -> None:
    def is_warm(name: str) -> bool:
        executed = ENVIRONMENTS[name].resources()["executed_notebooks"]
        assert isinstance(executed, ExecutedNotebooks)
        return executed.warm

    assert {name: is_warm(name) for name in ENVIRONMENTS} == {
        "local": True,
        "test": True,
        "kubernetes": False,
        "dagster_plus": False,
    }


def test_no_other_place_reads_the_environment() -> None:
    def reads(path: Path) -> bool:
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        ours = (node for node in nodes if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"})
        # psutil tells the environment of another process.
        return any(isinstance(node.value, ast.Name) and node.value.id == "os" for node in ours)

    found = {
        path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "ml_assets").rglob("*.py") if reads(path)
    }
    assert found == {"ml_assets/variables.py", *HANDS_ON}
