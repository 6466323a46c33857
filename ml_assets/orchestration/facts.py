"""Reads the facts that `due` judges from a Dagster instance.

A run leaves an observation when it begins a partition, whose data version says of which inputs and by which code, and
a materialization when it ends well, whose data version is the hash of the content. Dagster indexes data versions, so
that each kind is one query for all partitions of an asset.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.events import DagsterEventType
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from ml_assets.domain.due import Attempt, Facts, Made
from ml_assets.domain.spec import EventLog, Model

_MADE = DagsterEventType.ASSET_MATERIALIZATION
_BEGUN = DagsterEventType.ASSET_OBSERVATION


def asset_key(name: str) -> dg.AssetKey:
    """Dagster's key of `ads/cvr/model`."""
    return dg.AssetKey(name.split("/"))


def materialization(
    asset: str, partition: str, data_version: str, metadata: Mapping[str, Any] | None = None
) -> dg.AssetMaterialization:
    """The fact that a partition exists, with the version of its content."""
    return dg.AssetMaterialization(
        asset_key(asset), partition=partition, metadata=dict(metadata or {}), tags={DATA_VERSION_TAG: data_version}
    )


def attempt(asset: str, partition: str, inputs: str, code: str, run_id: str) -> dg.AssetObservation:
    """The fact that a run begins a partition, from which inputs and by which code."""
    return dg.AssetObservation(
        asset_key(asset),
        partition=partition,
        description="begun",
        metadata={"run": dg.MetadataValue.dagster_run(run_id)},
        tags={DATA_VERSION_TAG: f"{inputs}.{code}.{run_id}"},
    )


def read_arrived(instance: dg.DagsterInstance, logs: Iterable[EventLog]) -> dict[str, dict[str, str]]:
    """The fingerprints of the event partitions reported so far, by log."""
    return {log.key: _data_versions(instance, asset_key(log.key), _MADE) for log in logs}


def read_facts(
    instance: dg.DagsterInstance,
    models: Iterable[Model],
    *,
    code: Mapping[str, str],
    arrived: Mapping[str, Mapping[str, str]] | None = None,
) -> Facts:
    """Everything recorded about some models.

    Args: `code`: the present code version of each asset; `arrived`: what has arrived, where that is known already.
    """
    models = list(models)
    logs = {log.key: log for model in models for log in model.logs}
    known = dict(arrived or {})
    known.update(read_arrived(instance, (log for key, log in logs.items() if key not in known)))
    assets = [asset for model in models for asset in assets_of(model)]
    made: dict[str, dict[str, Made]] = {}
    failed: dict[str, dict[str, Attempt]] = {}
    for asset in assets:
        made[asset], failed[asset] = _history(instance, asset_key(asset))
    return Facts(known, made, failed, _running(instance, models), code)


def assets_of(model: Model) -> list[str]:
    """The asset keys of a model."""
    evaluations = [model.asset(step, h) for h in model.evaluation.horizons for step in ("evaluation_data", "metrics")]
    return [model.asset("training_data"), model.asset("model"), *evaluations]


def partitions_of_run(run: dg.DagsterRun, model: Model) -> list[str]:
    """The partitions of a model that a run holds."""
    if PARTITION_NAME_TAG in run.tags:
        return [run.tags[PARTITION_NAME_TAG]]
    if ASSET_PARTITION_RANGE_START_TAG not in run.tags:
        return []
    calendar = model.partitions
    first = calendar.index_of(run.tags[ASSET_PARTITION_RANGE_START_TAG])
    last = calendar.index_of(run.tags[ASSET_PARTITION_RANGE_END_TAG])
    return [calendar.key(index) for index in range(first, last + 1)]


def _history(instance: dg.DagsterInstance, key: dg.AssetKey) -> tuple[dict[str, Made], dict[str, Attempt]]:
    storage = instance.event_log_storage
    made_ids = storage.get_latest_storage_id_by_partition(key, _MADE)
    begun_ids = storage.get_latest_storage_id_by_partition(key, _BEGUN)
    versions = _data_versions(instance, key, _MADE)
    begun = {name: version.split(".") for name, version in _data_versions(instance, key, _BEGUN).items()}
    made, failed = {}, {}
    for partition, made_id in made_ids.items():
        # A later attempt that failed hides from what the earlier materialization was made.
        known = partition in begun and begun_ids[partition] < made_id
        inputs, code = begun[partition][:2] if known else (None, None)
        made[partition] = Made(made_id, versions.get(partition, ""), inputs, code)
    for partition, begun_id in begun_ids.items():
        if begun_id > made_ids.get(partition, -1):
            failed[partition] = Attempt(*begun[partition])
    return made, failed


def _data_versions(instance: dg.DagsterInstance, key: dg.AssetKey, event: DagsterEventType) -> dict[str, str]:
    tags = instance.event_log_storage.get_latest_tags_by_partition(key, event, [DATA_VERSION_TAG])
    return {partition: found[DATA_VERSION_TAG] for partition, found in tags.items()}


def _running(instance: dg.DagsterInstance, models: list[Model]) -> dict[str, frozenset[str]]:
    running: dict[str, set[str]] = {}
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=NOT_FINISHED_STATUSES)):
        for model in models:
            for asset in assets_of(model):
                if run.asset_selection is not None and asset_key(asset) not in run.asset_selection:
                    continue
                running.setdefault(asset, set()).update(partitions_of_run(run, model))
    return {asset: frozenset(partitions) for asset, partitions in running.items()}
