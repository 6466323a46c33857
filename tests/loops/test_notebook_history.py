"""Notebooks that fail, print, die or are resumed, in real runs: what is left of each, and where it is found."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ml_assets.domain.owed.due import State
from ml_assets.notebooks.running.memory import MemoryGroup
from ml_assets.orchestration.recorded.facts import asset_key, read_error
from ml_assets.orchestration.recorded.lineage import current_runs, versions
from ml_assets.orchestration.running import runner
from ml_assets.project.answers.retry import RetryError, retry
from ml_assets.temporary import PREFIX
from tests.loops.history_shop import (
    BROKEN_IN_A_KERNEL,
    DATA,
    DEFS,
    INSTANCE,
    MODEL,
    MODEL_ASSET,
    SECRET,
    link_to,
    messages,
    run,
    step_error,
    text_of,
)
from tests.support import shop
from tests.support.projects import TeamProject
from tests.support.webserver import webserver

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeamProject]:
    root = tmp_path_factory.mktemp("history")
    # What is launched in the UI runs at once: no daemon runs here, whose sensors would launch more.
    (root / "home").mkdir()
    (root / "home" / "dagster.yaml").write_text(INSTANCE, encoding="utf-8")
    team = TeamProject.make(root, "history_shop", DEFS)
    for log in ("visits", "orders"):
        shop.arrive(team, log, 1, 8)
    team.write_notebook("notebooks/own/model.ipynb", MODEL)
    with (team.root / team.package / "definitions.py").open("a") as definitions:
        definitions.write(BROKEN_IN_A_KERNEL)
    yield team
    shutil.rmtree(Path(tempfile.gettempdir(), SECRET), ignore_errors=True)


@pytest.fixture(scope="module")
def failed(team: TeamProject) -> dg.DagsterRun:
    """Two days: the notebook of the first raises, that of the second trains."""
    return run(team, "2026-03-04", "2026-03-05", DATA, MODEL_ASSET, d04="fail")


def test_a_failing_cell_is_the_error_of_the_step_with_its_number_and_source(
    team: TeamProject, failed: dg.DagsterRun
) -> None:
    assert failed.status is dg.DagsterRunStatus.FAILURE
    failure = step_error(team, failed).step_failure_data.user_failure_data
    assert (
        "model.ipynb failed for shop/order/model 2026-03-04 in cell [4]: ValueError: no gradient" in failure.description
    )
    assert '    raise ValueError("no gradient in " + step.partition)' in failure.description
    assert "Traceback (most recent call last)" in failure.description


def test_nothing_is_materialized_by_a_notebook_that_fails_and_the_others_are(
    team: TeamProject, failed: dg.DagsterRun
) -> None:
    assert current_runs(team.project.instance, MODEL_ASSET) == {"2026-03-05": failed.run_id}
    assert sorted(current_runs(team.project.instance, DATA)) == ["2026-03-04", "2026-03-05"]
    (status,) = [team.project.look(["shop"]).found["shop/order"][MODEL_ASSET]["2026-03-04"]]
    assert status.state is State.FAILED


def test_its_executed_notebook_is_kept_and_linked_from_the_failure_and_from_the_partition(
    team: TeamProject, failed: dg.DagsterRun
) -> None:
    kept = team.home / "notebooks" / MODEL_ASSET / "2026-03-04" / f"{failed.run_id}.ipynb"
    metadata = step_error(team, failed).step_failure_data.user_failure_data.metadata
    assert metadata["executed notebook 2026-03-04"] == link_to(team, kept)
    filters = dg.AssetRecordsFilter(asset_key=asset_key(MODEL_ASSET), asset_partitions=["2026-03-04"])
    observed = team.project.instance.fetch_observations(filters, limit=1).records[0].asset_observation
    assert observed.metadata["executed notebook"] == link_to(team, kept)
    assert "no gradient in 2026-03-04" in text_of(kept)
    assert "ValueError: no gradient" in read_error(team.project.instance, MODEL_ASSET, "2026-03-04")


def test_the_executed_notebook_of_a_success_is_linked_from_its_materialization(
    team: TeamProject, failed: dg.DagsterRun
) -> None:
    kept = team.home / "notebooks" / MODEL_ASSET / "2026-03-05" / f"{failed.run_id}.ipynb"
    filters = dg.AssetRecordsFilter(asset_key=asset_key(MODEL_ASSET), asset_partitions=["2026-03-05"])
    made = team.project.instance.fetch_materializations(filters, limit=1).records[0].asset_materialization
    assert made.metadata["executed notebook"] == link_to(team, kept)
    assert made.metadata["curve"].md_str.startswith("![curve](data:image/png;base64,iVBOR")
    assert "rows are read" in text_of(kept)


def test_no_executed_notebook_and_no_log_holds_a_secret_of_the_instance(team: TeamProject) -> None:
    # A notebook that asks for more than a step needs, of which dagstermill loads the code location.
    broken = team.root / team.package / "broken"
    broken.touch()
    unopened = run(team, "2026-03-06", "2026-03-06", DATA, MODEL_ASSET, d06="ask for all")
    broken.unlink()
    failure = step_error(team, unopened).step_failure_data.user_failure_data
    assert "model.ipynb failed for shop/order/model 2026-03-06 in cell [" in failure.description
    assert "no database in this kernel" in failure.description
    assert SECRET in str(team.project.instance.get_ref())
    kept = list((team.home / "notebooks").rglob("*.ipynb"))
    assert team.home / "notebooks" / MODEL_ASSET / "2026-03-06" / f"{unopened.run_id}.ipynb" in kept
    for text in [*map(text_of, kept), *map(str, team.project.instance.all_logs(unopened.run_id))]:
        assert SECRET not in text
        assert "__dm_instance_ref_dict" not in text


def test_no_temporary_folder_is_left(team: TeamProject, failed: dg.DagsterRun) -> None:
    # By dagstermill's ways, in /tmp, whatever the folder of temporary files is.
    assert not Path("/tmp/dagstermill", failed.run_id).exists()
    orders = Path(tempfile.gettempdir()).glob(f"{PREFIX}*/order.json")
    assert not [path for path in orders if failed.run_id in path.read_text()]


def test_an_executed_notebook_is_exported_as_one_page(team: TeamProject, failed: dg.DagsterRun, tmp_path: Path) -> None:
    page = tmp_path / "notebook.html"
    asked = ["notebook", MODEL_ASSET, "2026-03-04", "--run", failed.run_id, "--html", str(page)]
    shown = team.command("ml-assets", *asked)
    assert shown.returncode == 0, shown.stderr
    assert "no gradient in 2026-03-04" in page.read_text(encoding="utf-8")
    assert "<script" not in page.read_text(encoding="utf-8")
    other = team.command("ml-assets", *asked[:4], "no-such-run")
    assert other.returncode == 1
    assert f"run no-such-run has left no notebook of {MODEL_ASSET} 2026-03-04; {failed.run_id} did" in other.stderr


def test_a_resumed_run_goes_on_at_the_failed_step_with_exactly_what_was_made_before(
    team: TeamProject, failed: dg.DagsterRun
) -> None:
    # Meanwhile another run remakes the training data.
    again = run(team, "2026-03-04", "2026-03-05", DATA)
    (team.root / "todo.json").write_text("{}")
    resumed = retry(team.project, failed.run_id)
    assert resumed.status is dg.DagsterRunStatus.SUCCESS
    assert resumed.parent_run_id == failed.run_id
    instance, store = team.project.instance, team.project.store
    assert versions(instance, DATA, "2026-03-04") == (failed.run_id, again.run_id)
    assert versions(instance, MODEL_ASSET, "2026-03-04") == (resumed.run_id,)
    made = store.load(MODEL_ASSET, "2026-03-04", resumed.run_id)
    assert made.manifest["inputs"][DATA]["run_id"] == failed.run_id
    # The day that was trained before is not trained again.
    assert versions(instance, MODEL_ASSET, "2026-03-05") == (failed.run_id,)
    assert f"{MODEL_ASSET} 2026-03-05 was made by run {failed.run_id}, which this one resumes" in messages(
        team, resumed
    )


def test_only_a_failed_run_is_resumed(team: TeamProject, failed: dg.DagsterRun) -> None:
    with pytest.raises(RetryError, match="there is no run no-such-run"):
        retry(team.project, "no-such-run")
    ended = run(team, "2026-03-06", "2026-03-06", DATA)
    with pytest.raises(RetryError, match="did not fail, it is SUCCESS"):
        retry(team.project, ended.run_id)


def test_a_kernel_that_is_killed_for_lack_of_memory_is_said_to_be(
    team: TeamProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = team.root / "group"
    group.mkdir()
    (group / "memory.events").write_text("oom_kill 0\n")
    (group / "memory.max").write_text(str(2**31))
    monkeypatch.setattr(runner, "run_notebook", partial(runner.run_notebook, memory=MemoryGroup(group)))
    died = run(team, "2026-03-04", "2026-03-04", DATA, MODEL_ASSET, d04="die of too little memory")
    failure = step_error(team, died).step_failure_data.user_failure_data
    assert "in cell [4], where its kernel was killed for lack of memory (limit 2 GiB): raise" in failure.description
    assert not [line for line in messages(team, died) if "is tried again" in line]


def test_a_kernel_that_is_killed_fails_its_partition_by_the_cell_and_leaves_its_notebook(team: TeamProject) -> None:
    died = run(team, "2026-03-04", "2026-03-04", DATA, MODEL_ASSET, d04="die")
    assert died.status is dg.DagsterRunStatus.FAILURE
    failure = step_error(team, died).step_failure_data.user_failure_data
    assert "in cell [4], where its kernel died" in failure.description
    assert "os.kill(os.getpid(), 9)" in failure.description
    assert died.run_id not in versions(team.project.instance, MODEL_ASSET, "2026-03-04")
    kept = team.home / "notebooks" / MODEL_ASSET / "2026-03-04" / f"{died.run_id}.ipynb"
    assert "rows are read" in text_of(kept)
    assert failure.metadata["executed notebook 2026-03-04"] == link_to(team, kept)
    assert sum("is tried again in 0 s: KernelDiedError" in line for line in messages(team, died)) == 1


def test_a_kernel_that_is_killed_once_has_its_partition_made_by_another(team: TeamProject) -> None:
    made = run(team, "2026-03-07", "2026-03-07", DATA, MODEL_ASSET, d07="die once")
    assert made.status is dg.DagsterRunStatus.SUCCESS
    assert versions(team.project.instance, MODEL_ASSET, "2026-03-07") == (made.run_id,)
    assert read_error(team.project.instance, MODEL_ASSET, "2026-03-07") is None


def test_what_a_long_cell_prints_and_logs_is_in_the_log_of_its_run_while_it_runs(team: TeamProject) -> None:
    (team.root / "todo.json").write_text(json.dumps({"2026-03-05": "wait"}))
    run(team, "2026-03-05", "2026-03-05", DATA, d05="wait")
    command = [str(Path(sys.executable).with_name("dagster")), "asset", "materialize", *team.location]
    selected = ["--select", f'key:"{MODEL_ASSET}"', "--partition", "2026-03-05"]
    with subprocess.Popen([*command, *selected], cwd=team.root, env=team.environment) as process:
        try:
            begun = wait_for(lambda: begun_run(team))
            shown = wait_for(lambda: [one for one in messages(team, begun) if "half of it" in one])
            assert shown
            assert process.poll() is None
            log = messages(team, begun)
            assert "rows are read" in log
            assert sum("a line of the notebook's log" in one for one in log) == 1
            assert "cell [4] of 5" in log
            assert sum(" %" in one for one in log) <= 2
            (team.root / "seen").touch()
            assert process.wait(120) == 0
        finally:
            process.kill()


def begun_run(team: TeamProject) -> dg.DagsterRun | None:
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    return next(iter(team.project.instance.get_runs(filters)), None)


def wait_for(look: Callable[[], Any], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_the_ui_shows_the_notebook_of_a_failure_and_resumes_its_run(team: TeamProject) -> None:
    instance = team.project.instance
    (team.root / "todo.json").write_text(json.dumps({"2026-03-08": "fail"}))
    days = {"dagster/asset_partition_range_start": "2026-03-07", "dagster/asset_partition_range_end": "2026-03-08"}
    with webserver(team) as server:
        failed = server.launch([DATA, MODEL_ASSET], days)
        assert server.wait(failed) == "FAILURE"
        kept = team.home / "notebooks" / MODEL_ASSET / "2026-03-08" / f"{failed}.ipynb"
        assert "no gradient in 2026-03-08" in server.notebook(str(kept))
        (team.root / "todo.json").write_text("{}")
        resumed = server.resume(failed)
        assert server.wait(resumed) == "SUCCESS"
    # It was made before, too.
    assert versions(instance, MODEL_ASSET, "2026-03-07")[-1] == failed
    assert versions(instance, MODEL_ASSET, "2026-03-08") == (resumed,)
    assert versions(instance, DATA, "2026-03-08") == (failed,)
