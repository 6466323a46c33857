"""The plain factory: a specification becomes Dagster definitions.

An event log is an external asset: this project never writes it, it reports what arrived. Each step of a model is
an asset around a notebook.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.pods import Pod
from ml_assets.domain.declared.spec import READING_STEPS, Model
from ml_assets.domain.errors import SpecError
from ml_assets.domain.windows import last_index, windows_of
from ml_assets.orchestration.checks import CHECKED, no_leak_spec
from ml_assets.orchestration.launching.runs import evaluation_pool
from ml_assets.orchestration.partitions import partitions_definition, window_mappings
from ml_assets.orchestration.pods.tags import op_tags
from ml_assets.orchestration.recorded.facts import asset_key
from ml_assets.orchestration.running.over import ending_with_its_run
from ml_assets.orchestration.running.runner import materialize
from ml_assets.orchestration.step_asset import StepAsset

_DESCRIPTIONS = {
    "training_data": "Labelled examples of the training window, as known at the cutoff.",
    "model": "The model trained at the cutoff.",
    "evaluation_data": "Labelled examples of the evaluation window, which begins at the cutoff.",
    "metrics": "How well the model of this partition predicted the outcomes.",
}


def event_log_definitions(log: EventLog) -> dg.Definitions:
    """The asset of an event log, whose partitions reach as far ahead as models need."""
    spec = dg.AssetSpec(
        asset_key(log.key),
        description=f"Event log in {log.place}, one partition each {log.partitions.every}.",
        group_name=f"{log.service}/logs",
        tags={"service": log.service},
        kinds={"sql" if log.table else "parquet"},
        metadata=_declared(log),
        partitions_def=partitions_definition(log.partitions, partitions_ahead=log.partitions_ahead),
    )
    return dg.Definitions(assets=[spec])


def _declared(log: EventLog) -> dict[str, str]:
    columns = log.columns
    return {
        "location": log.place,
        "time zone": log.partitions.timezone,
        "event time": columns.time,
        "known time": columns.known or "the event time",
        "row key": ", ".join(columns.key),
        "arrival": log.arrival.words,
    }


def model_definitions(model: Model, project_root: Path) -> dg.Definitions:
    """The assets of a model: training data, model, and for each horizon evaluation data and metrics.

    Raises: SpecError when a notebook is missing or has no parameters cell, a required package is not installed, or no
    partition fits into the logs.
    """
    if model.requirements:
        # Most models have none, and do not pay for importing what reads them.
        from ml_assets.notebooks.code.requirements import check_requirements

        check_requirements(model.requirements)
    for horizon in (None, *model.evaluation.horizons):
        last = last_index(model, horizon)
        if last is not None and last < model.first_index:
            raise SpecError(
                "evaluation.horizons" if horizon else "training.window",
                str(horizon or model.training.window),
                f"windows that fit into the logs: the first cutoff is {_cutoff(model, model.first_index)}, "
                f"and the logs end before its {'outcomes do' if horizon else 'window does'}",
            )
    return dg.Definitions(assets=[_asset_definition(asset) for asset in step_assets(model, project_root)])


def _cutoff(model: Model, index: int) -> str:
    return model.partitions.interval(index).end.astimezone(model.partitions.zone).isoformat()


def step_assets(model: Model, project_root: Path) -> list[StepAsset]:
    """The steps of a model, upstream first.

    Raises: SpecError when a notebook is missing, lies elsewhere or has no parameters cell.
    """
    return [StepAsset.load(model, step, horizon, project_root) for step, horizon in model.steps]


def code_versions(models: Iterable[Model], project_root: Path) -> dict[str, str]:
    """The present code version of each asset of some models."""
    return {asset.name: asset.code_version for model in models for asset in step_assets(model, project_root)}


def _asset_definition(asset: StepAsset) -> dg.AssetsDefinition:
    model, evaluates = asset.model, asset.horizon is not None
    # One for all of a model, as Dagster launches no range over assets of which some end earlier than others: the last
    # evaluations of logs that end are never due.
    last = last_index(model, None)
    partitions = partitions_definition(model.partitions, first_index=model.first_index, last_index=last)

    @dg.asset(
        key=asset_key(asset.name),
        description=_description(asset),
        group_name=model.name,
        tags=_tags(asset),
        owners=list(model.owners),
        kinds={"jupyter", *({model.engine_of(asset.step)} if asset.step in READING_STEPS else ())},
        partitions_def=partitions,
        deps=_deps(asset),
        code_version=asset.code_version,
        backfill_policy=dg.BackfillPolicy.multi_run(model.partitions_per_run),
        # At most one evaluation of a model runs at a time; the run queue holds the others.
        pool=evaluation_pool(model) if evaluates else None,
        op_tags=op_tags(model.pods.get(asset.step, Pod())),
        metadata={"notebook": asset.declared_notebook},
        required_resource_keys={"events", "artifacts", "executed_notebooks", "spark"},
        output_required=False,
        check_specs=[no_leak_spec(asset.name, partitions)] if asset.step in CHECKED else None,
    )
    def run(context: dg.AssetExecutionContext) -> Iterator[Any]:
        with ending_with_its_run(context):
            yield from materialize(context, asset)

    return run


def _tags(asset: StepAsset) -> dict[str, str]:
    service, _, name = asset.model.name.partition("/")
    tags = {"service": service, "model": name, "step": asset.step}
    return tags if asset.horizon is None else {**tags, "horizon": str(asset.horizon)}


def _description(asset: StepAsset) -> str:
    words = _DESCRIPTIONS[asset.step]
    return f"{words} Outcomes count within {asset.horizon} of the exposure." if asset.horizon else words


def _deps(asset: StepAsset) -> list[dg.AssetDep]:
    model, horizon = asset.model, asset.horizon
    if asset.step == "model":
        return [dg.AssetDep(asset_key(model.asset("training_data")))]
    if asset.step == "metrics":
        return [
            dg.AssetDep(asset_key(model.asset("model"))),
            dg.AssetDep(asset_key(model.asset("evaluation_data", horizon))),
        ]
    index = model.first_index
    mappings = window_mappings(model, windows_of(model, index, horizon), index)
    return [dg.AssetDep(asset_key(log), partition_mapping=mapping) for log, mapping in mappings.items()]
