"""How many runs an instance executes at once, what a run over partitions is asked by, and how its job is found."""

import os
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin

from ml_assets.orchestration.launcher import WORKER_TAG
from ml_assets.orchestration.launching.runs import (
    REQUEST_TAG,
    NoLocationError,
    Runs,
    evaluation_pool,
    parallelism_of,
    pool_limit,
    range_tags,
    run_over,
    set_up_pools,
)
from ml_assets.project.home import open_instance
from tests.orchestration.conftest import STORAGES, Service
from tests.support import shop
from tests.support.projects import TeamProject

DATA, MODEL = "shop/order/training_data", "shop/order/model"
COORDINATOR = "run_coordinator: {module: dagster._core.run_coordinator, class: DefaultRunCoordinator}\n"


def instance(home: Path, text: str) -> dg.DagsterInstance:
    home.mkdir()
    (home / "dagster.yaml").write_text(f"{text}\ntelemetry: {{enabled: false}}\n", encoding="utf-8")
    return open_instance(home)


def runs_at_once(number: int) -> str:
    return f"concurrency: {{runs: {{max_concurrent_runs: {number}}}}}"


@pytest.mark.parametrize("bound", [1, 7])
def test_so_many_runs_execute_at_once_as_the_instance_is_bound_to(bound: int, tmp_path: Path) -> None:
    assert parallelism_of(instance(tmp_path / "home", runs_at_once(bound))) == bound


@pytest.mark.parametrize("text", [runs_at_once(-1), COORDINATOR], ids=["no bound", "no queue"])
def test_without_a_bound_one_run_executes_on_each_core(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 13)
    assert parallelism_of(instance(tmp_path / "home", text)) == 13
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert parallelism_of(dg.DagsterInstance.from_config(str(tmp_path / "home"))) == 1


@pytest.mark.parametrize("storage", STORAGES)
def test_a_pool_has_the_limit_of_the_home_until_it_has_its_own(
    new_home: Callable[[Path], Path], tmp_path: Path
) -> None:
    home = open_instance(new_home(tmp_path / "home"))
    assert pool_limit(home, "shop/order") == 1
    home.event_log_storage.set_concurrency_slots("shop/order", 4)
    home.event_log_storage.set_concurrency_slots("shop/other", 2)
    assert pool_limit(home, "shop/order") == 4
    assert pool_limit(home, "shop/third") == 1


def test_a_pool_without_a_limit_has_none(tmp_path: Path) -> None:
    assert pool_limit(instance(tmp_path / "home", ""), "shop/order") is None


def test_a_run_over_partitions_is_asked_for_with_its_key_its_assets_its_range_and_its_tags() -> None:
    asked = run_over([DATA, MODEL], ["2026-03-04", "2026-03-05", "2026-03-06"], key="once", tags={"why": "repair"})
    assert asked.run_key == "once"
    assert asked.asset_selection == [dg.AssetKey(["shop", "order", one]) for one in ("training_data", "model")]
    first, last = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
    assert asked.tags.items() >= {first: "2026-03-04", last: "2026-03-06", "why": "repair"}.items()
    assert asked.partition_key is None


def test_the_range_of_one_partition_begins_and_ends_with_it() -> None:
    assert set(range_tags(["2026-03-04"]).values()) == {"2026-03-04"}
    assert len(range_tags(["2026-03-04"])) == 3


def test_the_list_of_runs_shows_the_partitions_of_a_run_and_no_digest() -> None:
    tags = range_tags(["2026-03-04", "2026-03-05", "2026-03-06"])
    assert tags["partitions"] == "2026-03-04..2026-03-06"
    # What begins so, and Dagster's own, the UI leaves out.
    assert all(name.startswith((".dagster/", "dagster/")) for name in {*tags, REQUEST_TAG, WORKER_TAG} - {"partitions"})


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> TeamProject:
    return TeamProject.make(tmp_path_factory.mktemp("runs"), "shop_of_runs", shop.DEFS)


def create(team: TeamProject) -> dg.DagsterRun:
    runs = Runs(team.project.instance, team.root, team.project.definitions_module, team.project.imports)
    return runs.create([DATA, MODEL], ["2026-03-04", "2026-03-05"], {"why": "by hand"})


def workspace(team: TeamProject, text: str) -> None:
    (team.root / "workspace.yaml").write_text(text, encoding="utf-8")


def location(run: dg.DagsterRun) -> ManagedGrpcPythonEnvCodeLocationOrigin:
    assert run.remote_job_origin is not None
    origin = run.remote_job_origin.repository_origin.code_location_origin
    assert isinstance(origin, ManagedGrpcPythonEnvCodeLocationOrigin)
    return origin


@pytest.fixture
def without_workspace(team: TeamProject) -> None:
    (team.root / "workspace.yaml").unlink(missing_ok=True)


@pytest.mark.usefixtures("without_workspace")
def test_a_run_is_recorded_with_its_assets_and_tags_and_has_not_begun(team: TeamProject) -> None:
    created = team.project.instance.get_run_by_id(create(team).run_id)
    assert created is not None
    assert created.status is dg.DagsterRunStatus.NOT_STARTED
    assert created.asset_selection == {dg.AssetKey(["shop", "order", one]) for one in ("training_data", "model")}
    assert created.tags["why"] == "by hand"
    assert created.tags["dagster/max_retries"] == "0"
    assert created.tags["dagster/asset_partition_range_start"] == "2026-03-04"
    assert created.tags["dagster/asset_partition_range_end"] == "2026-03-05"
    assert location(created).loadable_target_origin.module_name == "shop_of_runs.definitions"


def test_a_run_is_found_under_the_name_that_workspace_yaml_gives_the_location(team: TeamProject) -> None:
    other = "- python_module: {module_name: another.definitions}\n"
    ours = "- python_module: {module_name: shop_of_runs.definitions, location_name: our shop}\n"
    workspace(team, f"load_from:\n{other}{ours}")
    assert location(create(team)).location_name == "our shop"


@pytest.mark.parametrize(
    "entry",
    [
        "python_module: {module_name: another.definitions}",
        "python_file: {relative_path: shop_of_runs/definitions.py}",
        "grpc_server: {host: localhost, port: 4266, location_name: shop_of_runs.definitions}",
    ],
)
def test_a_workspace_that_does_not_name_the_module_is_refused_by_file_and_module(entry: str, team: TeamProject) -> None:
    workspace(team, f"load_from:\n- {entry}\n")
    with pytest.raises(NoLocationError) as refusal:
        create(team)
    path = team.root / "workspace.yaml"
    wanted = "name a python_module whose module_name is shop_of_runs.definitions"
    assert str(refusal.value) == f"{path}: load_from: {wanted}"


@pytest.mark.parametrize("storage", STORAGES)
def test_pools_have_their_limit_before_a_run_is_queued(service: Service) -> None:
    storage = service.instance.event_log_storage
    assert evaluation_pool(service.model) not in storage.get_concurrency_keys()
    set_up_pools(service.instance, [service.model])
    assert evaluation_pool(service.model) in storage.get_concurrency_keys()
    assert pool_limit(service.instance, evaluation_pool(service.model)) == 1
    storage.set_concurrency_slots(evaluation_pool(service.model), 3)
    set_up_pools(service.instance, [service.model])
    assert pool_limit(service.instance, evaluation_pool(service.model)) == 3
