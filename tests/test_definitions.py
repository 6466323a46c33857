"""What the code location holds, and what loading it costs."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster.components.core import load_defs
from dagster_cloud_cli.config.models import load_dagster_cloud_yaml

import ml_assets.catalog
from ml_assets.catalog import catalog
from ml_assets.components import EvaluatedModel
from ml_assets.declarations.of_project import event_logs
from ml_assets.definitions import build_definitions, defs
from ml_assets.demo_services import CHECKOUT
from ml_assets.project.project import Project
from tests.support.projects import REPOSITORY

HEAVY = (
    "kubernetes",
    "dagster_k8s",
    "pandas",
    "numpy",
    "ibis",
    "duckdb",
    "pyarrow",
    "pyspark",
    "papermill",
    "dagstermill",
    "lightgbm",
    "matplotlib",
)


@pytest.fixture(scope="module")
def tree() -> dg.ComponentTree:
    return dg.ComponentTree.for_project(CHECKOUT)


@pytest.fixture(scope="module")
def definitions(tree: dg.ComponentTree) -> dg.Definitions:
    return build_definitions(tree)


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    bin_folder = Path(sys.executable).parent
    paths = {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "VIRTUAL_ENV": str(bin_folder.parent)}
    return subprocess.run(
        [str(bin_folder / command[0]), *command[1:]],
        cwd=REPOSITORY,
        env={**os.environ, **paths, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_catalog_of_components_is_made_once_a_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[object] = []
    make = load_defs.get_library_json_enriched_defs

    def making(tree: dg.ComponentTree | None) -> dg.Definitions:
        made.append(tree)
        return make(tree)

    for module in (load_defs, ml_assets.catalog):
        monkeypatch.setattr(module, "get_library_json_enriched_defs", making)
    catalog.cache_clear()
    assert Project(tmp_path).models
    assert made == []
    found = [build_definitions(dg.ComponentTree.for_project(CHECKOUT)) for _ in range(2)]
    assert len(made) == 1
    for one in found:
        (entry,) = (one.metadata or {}).values()
        names = [component["name"] for package in entry.value for component in package["componentTypes"]]
        assert "dagster.DefsFolderComponent" in names
        assert one.component_tree is not None


def test_loading_imports_nothing_heavy() -> None:
    code = (
        f"import sys; from ml_assets.definitions import defs; defs(); print([m for m in {HEAVY} if m in sys.modules])"
    )
    result = run("python", "-c", code)
    assert {name for name, _ in ast.literal_eval(result.stdout)} <= {"ML_ASSETS_ENVIRONMENT"}, result.stdout


def test_loading_asks_where_it_runs_and_for_the_demo_s_days_and_its_version_alone_which_home_it_has() -> None:
    code = """
import os, sys
import dagster, dagster.components
asked = []
class Watched(type(os.environ)):
    def __getitem__(self, key):
        frame, ours = sys._getframe(1), []
        while frame and "site-packages" not in frame.f_code.co_filename:
            if "/ml_assets/" in frame.f_code.co_filename:
                ours.append(frame.f_code.co_filename.rpartition("/ml_assets/")[2])
            frame = frame.f_back
        if ours:
            asked.append((key, ours[1] if ours[0] == "variables.py" else ours[0]))
        return super().__getitem__(key)
os.environ.__class__ = Watched
from ml_assets.definitions import defs
defs()
print(asked)
"""
    result = run("python", "-c", code)
    of_home = {("DAGSTER_HOME", by) for by in ("examples/demo_days.py", "written_by.py")}
    others = {name for name, by in ast.literal_eval(result.stdout) if (name, by) not in of_home}
    assert others <= {"ML_ASSETS_ENVIRONMENT"}, result.stdout


def test_each_defs_yaml_on_disk_is_loaded(tree: dg.ComponentTree) -> None:
    declared = [
        document
        for path in (REPOSITORY / "ml_assets" / "defs").rglob("defs.yaml")
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
    assert declared
    models = {component.name for component in tree.get_all_components(EvaluatedModel)}
    loaded = models | set(event_logs(tree))
    assert loaded == {document["attributes"].get("name") or document["attributes"]["key"] for document in declared}


def test_the_asset_graph_is_the_one_in_this_table(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    edges = {
        key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
        for key in graph.get_all_asset_keys()
        if key.path[0] == "ads"
    }
    logs = ["ads/conversions", "ads/impressions"]
    assert edges == {
        "ads/conversions": [],
        "ads/impressions": [],
        "ads/cvr/training_data": logs,
        "ads/cvr/model": ["ads/cvr/training_data"],
        "ads/cvr/evaluation_data_1d": logs,
        "ads/cvr/metrics_1d": ["ads/cvr/evaluation_data_1d", "ads/cvr/model"],
        "ads/cvr/evaluation_data_7d": logs,
        "ads/cvr/metrics_7d": ["ads/cvr/evaluation_data_7d", "ads/cvr/model"],
    }


def test_evaluations_of_a_model_share_a_pool_and_nothing_else_has_one(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    pools = {
        key.to_user_string(): graph.get(key).pools or set()
        for key in graph.get_all_asset_keys()
        if key.path[0] == "grocery"
    }
    evaluation = {"grocery/revisit/evaluation"}
    assert pools == {
        "grocery/baskets": set(),
        "grocery/revisit/training_data": set(),
        "grocery/revisit/model": set(),
        "grocery/revisit/evaluation_data_3d": evaluation,
        "grocery/revisit/metrics_3d": evaluation,
        "grocery/revisit/evaluation_data_7d": evaluation,
        "grocery/revisit/metrics_7d": evaluation,
    }


def test_there_is_one_sensor_per_service_and_it_runs_by_default(definitions: dg.Definitions) -> None:
    sensors = {sensor.name: sensor.default_status for sensor in definitions.get_repository_def().sensor_defs}
    running = dg.DefaultSensorStatus.RUNNING
    folder = REPOSITORY / "ml_assets" / "defs"
    services = {path.relative_to(folder).parts[0] for path in folder.rglob("defs.yaml")}
    assert sensors == {f"{service}_sensor": running for service in services}


def test_dagster_cloud_yaml_names_the_module_that_workspace_yaml_and_dg_load() -> None:
    cloud = load_dagster_cloud_yaml((REPOSITORY / "dagster_cloud.yaml").read_text(encoding="utf-8"))
    module = cloud.locations[0].code_source.module_name
    workspace = yaml.safe_load((REPOSITORY / "workspace.yaml").read_text(encoding="utf-8"))
    assert module == workspace["load_from"][0]["python_module"]["module_name"] == "ml_assets.definitions"
    assert isinstance(defs(), dg.Definitions)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("dg", "check", "defs"),
        ("dg", "list", "defs"),
        ("dagster", "definitions", "validate", "-w", "workspace.yaml"),
    ],
    ids=" ".join,
)
def test_the_location_loads_by(command: tuple[str, ...]) -> None:
    result = run(*command)
    assert result.returncode == 0, result.stdout + result.stderr
    if command[1] == "list":
        assert "ads/cvr/metrics_7d" in result.stdout
