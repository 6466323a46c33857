"""Run in the pod of the daemon: what Dagster knows of the loop's runs and assets, and what lies in the storage, as JSON."""

import json
import os

import dagster as dg
import s3fs

from ml_assets.orchestration.recorded.facts import asset_key

ASSETS = ("ads/cvr/training_data", "ads/cvr/model", "ads/cvr/evaluation_data_1d", "ads/cvr/metrics_1d")


def failures(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """The errors of the steps of a run."""
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    found = []
    for entry in entries:
        data = entry.dagster_event.step_failure_data if entry.dagster_event else None
        if data and data.error:
            found.append(data.error.to_string())
        if data and data.user_failure_data and data.user_failure_data.description:
            found.append(data.user_failure_data.description)
    return found


def executed(root: str) -> dict[str, int]:
    """How many cells each executed notebook has run, by its path."""
    store = s3fs.S3FileSystem()
    found = {}
    for path in [path for path in store.find(f"{root}/notebooks") if path.endswith(".ipynb")]:
        cells = json.loads(store.cat_file(path))["cells"]
        found[path.removeprefix(f"{root}/notebooks/")] = sum(bool(cell.get("execution_count")) for cell in cells)
    return found


with dg.DagsterInstance.get() as instance:
    runs = [
        {
            "id": run.run_id,
            "status": run.status.value,
            "assets": sorted(key.to_user_string() for key in run.asset_selection or ()),
            "failures": failures(instance, run.run_id),
        }
        for run in instance.get_runs()
    ]
    made = {asset: sorted(instance.get_materialized_partitions(asset_key(asset))) for asset in ASSETS}
notebooks = executed(os.environ["ML_ASSETS_STORAGE"].removeprefix("s3://"))
print("REPORT " + json.dumps({"runs": runs, "made": made, "notebooks": notebooks}), flush=True)  # noqa: T201
