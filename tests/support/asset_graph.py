"""The asset graph of the project as text, so that a change of it shows in review: `tests/snapshots/asset_graph.yaml`.

Holds what a person sees in the UI and what decides what runs. Holds nothing that depends on the day, the home, or the
text of notebooks: no code versions, and the days of a home without events. Writes the file:

    python -m tests.support.asset_graph
"""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from ml_assets import variables
from ml_assets.definitions import build_definitions
from ml_assets.demo_services import CHECKOUT
from tests.support.projects import REPOSITORY

SNAPSHOT = REPOSITORY / "tests" / "snapshots" / "asset_graph.yaml"
UPDATE = f".venv/bin/python -m {Path(__file__).relative_to(REPOSITORY).with_suffix('').as_posix().replace('/', '.')}"
_HEAD = f"# What the demo's definitions hold. When it is meant to change: {UPDATE}\n"


def render() -> str:
    """The graph of the definitions that are loaded where nothing says otherwise."""
    with pytest.MonkeyPatch.context() as environment:
        for name in (variables.HOME, variables.ENVIRONMENT, variables.BRANCH_DEPLOYMENT):
            environment.delenv(name, raising=False)
        definitions = build_definitions(dg.ComponentTree.for_project(CHECKOUT))
    repository = definitions.get_repository_def()
    graph = repository.asset_graph
    content = {
        "assets": {key.to_user_string(): _asset(graph, key) for key in graph.get_all_asset_keys()},
        "sensors": {sensor.name: _sensor(sensor) for sensor in repository.sensor_defs},
        "schedules": {schedule.name: _schedule(schedule) for schedule in repository.schedule_defs},
        # Dagster's own, of which any selection can be run, says nothing.
        "jobs": {
            job.name: sorted(key.to_user_string() for key in job.asset_layer.executable_asset_keys)
            for job in repository.get_all_jobs()
            if job.name != "__ASSET_JOB"
        },
    }
    return _HEAD + yaml.safe_dump(content, width=120, allow_unicode=True)


def _asset(graph: Any, key: dg.AssetKey) -> dict[str, Any]:
    node = graph.get(key)
    found = {
        "group": node.group_name,
        "kinds": ", ".join(sorted(node.kinds)),
        "tags": ", ".join(
            f"{name}: {one}" for name, one in sorted(node.tags.items()) if not name.startswith("dagster/kind/")
        ),
        "owners": ", ".join(sorted(node.owners)),
        "type": node.execution_type.value.lower(),
        "partitions": _partitions(node.partitions_def),
        "deps": {parent.to_user_string(): _mapping(node.partition_mappings.get(parent)) for parent in node.parent_keys},
        "automation": node.automation_condition and str(node.automation_condition),
        "pools": ", ".join(sorted(node.pools or ())),
        "backfill": node.backfill_policy and str(node.backfill_policy),
        "checks": {check.name: _check(graph.get(check)) for check in node.check_keys},
    }
    return {name: value for name, value in found.items() if value}


def _check(check: Any) -> str:
    return f"{'blocking' if check.blocking else 'not blocking'}, {'by partition' if check.partitions_def else 'whole'}"


def _partitions(partitions: Any) -> str | None:
    if not isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        return partitions and str(partitions)
    start, end = (one and one.isoformat() for one in (partitions.start, partitions.end))
    ahead = f", {partitions.end_offset} ahead" if partitions.end_offset else ""
    return f"{partitions.cron_schedule} from {start} to {end} in {partitions.timezone}{ahead}, as {partitions.fmt}"


def _mapping(mapping: dg.PartitionMapping | None) -> str:
    if not isinstance(mapping, dg.TimeWindowPartitionMapping):
        return str(mapping) if mapping else "the same partition"
    lenient = ", whether or not they exist" if mapping.allow_nonexistent_upstream_partitions else ""
    return f"partitions {mapping.start_offset:+} to {mapping.end_offset:+}{lenient}"


def _sensor(sensor: dg.SensorDefinition) -> dict[str, Any]:
    return {
        "type": sensor.sensor_type.value.lower(),
        "status": sensor.default_status.value.lower(),
        "assets": str(sensor.asset_selection),
    }


def _schedule(schedule: dg.ScheduleDefinition) -> dict[str, Any]:
    return {
        "cron": schedule.cron_schedule,
        "timezone": schedule.execution_timezone,
        "status": schedule.default_status.value.lower(),
        "job": schedule.job_name,
    }


if __name__ == "__main__":
    SNAPSHOT.parent.mkdir(exist_ok=True)
    SNAPSHOT.write_text(render(), encoding="utf-8")
