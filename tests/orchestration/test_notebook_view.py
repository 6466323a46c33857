"""The link that opens an executed notebook in the UI, wherever its run was launched."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.code_pointer import FileCodePointer, ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from ml_assets.orchestration.notebook_view import link_to
from ml_assets.paths import path_of

EXECUTED = Path("/home/notebooks/shop/order/model/2026-03-04/run.ipynb")
WORKSPACE = "load_from:\n  - python_module: {module_name: shop.definitions, location_name: the shop}\n"


def launched_in_the_ui(location: str) -> dg.DagsterRun:
    origin = GrpcServerCodeLocationOrigin(host="code", port=3030, location_name=location)
    return dg.DagsterRun("job", remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(origin, "repository"), "job"))


def launched_by_hand(pointer: ModuleCodePointer | FileCodePointer) -> dg.DagsterRun:
    return dg.DagsterRun("job", job_code_origin=JobPythonOrigin("job", RepositoryPythonOrigin("python", pointer)))


def test_it_names_the_path_and_the_code_location_of_the_run(tmp_path: Path) -> None:
    link = link_to(EXECUTED, launched_in_the_ui("Ads & more"), tmp_path)
    assert link == dg.MetadataValue.url(f"/notebook?path={EXECUTED}&repoLocName=Ads%20%26%20more")


def test_the_path_may_be_in_an_object_store_and_of_any_letters(tmp_path: Path) -> None:
    remote = path_of("memory://models/shop team/näher?#1.ipynb")
    link = link_to(remote, launched_in_the_ui("shop"), tmp_path)
    expected = "/notebook?path=memory://models/shop%20team/n%C3%A4her%3F%231.ipynb&repoLocName=shop"
    assert link == dg.MetadataValue.url(expected)


@pytest.mark.parametrize(("workspace", "name"), [(WORKSPACE, "the%20shop"), (None, "shop.definitions")])
def test_a_run_launched_by_hand_is_shown_by_the_code_location_of_its_project(
    tmp_path: Path, workspace: str | None, name: str
) -> None:
    if workspace:
        (tmp_path / "workspace.yaml").write_text(workspace)
    link = link_to(EXECUTED, launched_by_hand(ModuleCodePointer("shop.definitions", "defs", None)), tmp_path)
    assert link == dg.MetadataValue.url(f"/notebook?path={EXECUTED}&repoLocName={name}")


def test_where_no_code_location_is_known_the_path_is_shown(tmp_path: Path) -> None:
    (tmp_path / "workspace.yaml").write_text(WORKSPACE)
    path = dg.MetadataValue.notebook(str(EXECUTED))
    others = ModuleCodePointer("others.definitions", "defs", None)
    for run in (launched_by_hand(others), launched_by_hand(FileCodePointer("a.py", "defs")), dg.DagsterRun("job")):
        assert link_to(EXECUTED, run, tmp_path) == path
