"""The schedule that repairs a model: once a day it tries again what is missing or failed of late.

The daily training needs no clock: the sensor launches it when its data is there.
"""

from pathlib import Path

import dagster as dg

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.owed.repair import Repair, repairs
from ml_assets.domain.owed.runs import RunSize
from ml_assets.orchestration.arrival.present import find
from ml_assets.orchestration.assets import code_versions
from ml_assets.orchestration.launching.runs import REPAIR_TAG, parallelism_of, run_over, set_up_pools
from ml_assets.orchestration.recorded.past_runs import median_seconds
from ml_assets.orchestration.resources import Storage


def repair_schedule(
    model: Model, repair: Repair, project_root: Path, *, automation: bool = True
) -> dg.ScheduleDefinition:
    """The schedule of one model. Args: `automation`: whether it runs from the start."""
    code = code_versions([model], project_root)
    name = model.name.replace("/", "__")

    @dg.schedule(
        name=f"{name}__repair",
        description=f"Tries again what is missing or failed of the last {repair.lookback}, at most {repair.budget}.",
        target=dg.AssetSelection.groups(model.name),
        cron_schedule=f"{repair.at.minute} {repair.at.hour} * * *",
        execution_timezone=model.partitions.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING if automation else dg.DefaultScheduleStatus.STOPPED,
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, events: dg.ResourceParam[Storage]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        instance, as_of = context.instance, context.scheduled_execution_time
        now = find(instance, [model], code=code, events_root=events.path(instance), as_of=as_of)
        runs, beyond = repairs(
            model,
            now.facts,
            now.statuses[model.name],
            repair,
            as_of=as_of,
            size=RunSize(model.partitions_per_run, parallelism_of(instance)),
            seconds=median_seconds(instance, model.assets),
        )
        if beyond and not runs:
            return dg.SkipReason(
                f"{beyond} runs are to be made, and the budget of {repair.budget} is too small for one"
            )
        if not runs:
            return dg.SkipReason(f"nothing of the last {repair.lookback} is missing or failed that could be made")
        set_up_pools(instance, [model])
        at = as_of.isoformat()
        return [
            run_over(run.assets, run.partitions, key=f"{at} {run.assets[0]} {run.partitions[0]}", tags={REPAIR_TAG: at})
            for run in runs
        ]

    return schedule
