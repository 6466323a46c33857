"""A shop whose model's notebook does what a test says, and what is recorded of its runs."""

import json
import tempfile
from pathlib import Path

import dagster as dg
import nbformat
from dagster._core.definitions.reconstruct import ReconstructableRepository

from ml_assets.orchestration.recorded.facts import asset_key
from tests.support import shop
from tests.support.projects import TeamProject

SECRET = "s3cr3t-of-the-warehouse"
# What the notebook does is told by a file, so that its version is the same each time.
MODEL = """\
# %%
from pathlib import Path
import json, os, sys, time

(home,) = [parent for parent in Path.cwd().parents if (parent / "todo.json").exists()]
todo = json.loads((home / "todo.json").read_text()).get(step.partition, "train")
print("rows are read")
step.log.info("a line of the notebook's log")

# %%
if todo == "fail":
    raise ValueError("no gradient in " + step.partition)
if todo == "ask for all":
    context.resources
if todo == "die":
    os.kill(os.getpid(), 9)
if todo == "die once":
    (home / "todo.json").write_text("{}")
    os.kill(os.getpid(), 9)
if todo == "die of too little memory":
    # As the kernel of the system counts it in the container's group.
    (home / "group" / "memory.events").write_text("oom_kill 1\\n")
    os.kill(os.getpid(), 9)
if todo == "wait":
    for percent in range(0, 101, 10):
        print(f"\\r{percent} %", end="", file=sys.stderr, flush=True)
    print("half of it", flush=True)
    for _ in range(600):
        if (home / "seen").exists():
            break
        time.sleep(0.1)
    else:
        raise TimeoutError("nobody saw the log")

# %%
import matplotlib.pyplot as plt

step.save(step.read("training_data").head(3))
figure, axes = plt.subplots()
axes.plot([1, 2, 3])
step.report(rows=3, curve=figure)
"""
BROKEN_IN_A_KERNEL = """

import sys
from pathlib import Path

if "ipykernel" in sys.modules and Path(__file__).with_name("broken").exists():
    raise ImportError("no database in this kernel")
"""
DEFS = {
    **shop.DEFS,
    "shop/order": shop.DEFS["shop/order"] + "  notebooks: {model: notebooks/own/model.ipynb}\n",
}
#: The password stands for that of a database, in what dagstermill hands to its first cell.
INSTANCE = f"""
run_coordinator: {{module: dagster._core.run_coordinator, class: DefaultRunCoordinator}}
compute_logs:
  module: dagster._core.storage.local_compute_log_manager
  class: LocalComputeLogManager
  config: {{base_dir: {tempfile.gettempdir()}/{SECRET}}}
telemetry: {{enabled: false}}
"""
DATA, MODEL_ASSET = "shop/order/training_data", "shop/order/model"


def run(team: TeamProject, first: str, last: str, *assets: str, **todo: str) -> dg.DagsterRun:
    """A run of some assets over some days, in this process; `todo` says what the model notebook does on a day."""
    (team.root / "todo.json").write_text(json.dumps({f"2026-03-{day[1:]}": what for day, what in todo.items()}))
    project = team.project
    repository = ReconstructableRepository.for_module(project.definitions_module, "defs", str(project.root))
    keys = frozenset(map(asset_key, assets))
    job = repository.get_reconstructable_job("__ASSET_JOB").get_subset(asset_selection=keys)
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    result = dg.execute_job(job, project.instance, tags=tags, asset_selection=list(keys))
    return project.instance.get_run_by_id(result.run_id)


def messages(team: TeamProject, run: dg.DagsterRun) -> list[str]:
    return [entry.user_message for entry in team.project.instance.all_logs(run.run_id)]


def step_error(team: TeamProject, run: dg.DagsterRun) -> dg.DagsterEvent:
    (event,) = [
        entry.dagster_event
        for entry in team.project.instance.all_logs(run.run_id)
        if entry.dagster_event and entry.dagster_event.is_step_failure
    ]
    return event


def link_to(team: TeamProject, notebook: Path) -> dg.MetadataValue:
    return dg.MetadataValue.url(f"/notebook?path={notebook}&repoLocName={team.location_name}")


def text_of(notebook: Path) -> str:
    return nbformat.writes(nbformat.read(notebook, as_version=4))
