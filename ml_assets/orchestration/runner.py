"""Materializes partitions of one step, each by a notebook of its own.

One partition that fails costs that partition alone: the others are materialized, and the step fails at its end.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.events import StepOutputData
from dagster._core.execution.plan.outputs import StepOutputHandle
from dagster._utils.error import serializable_error_info_from_exc_info

from ml_assets.data.store import Artifact, ArtifactStore
from ml_assets.domain.durations import Duration
from ml_assets.domain.spec import Model
from ml_assets.domain.windows import Windows
from ml_assets.notebooks.code import git_commit
from ml_assets.notebooks.order import StepOrder, StepResult
from ml_assets.notebooks.run import run_notebook
from ml_assets.orchestration.facts import attempt, materialization
from ml_assets.orchestration.pins import Pins, check_unchanged, examples_order, pin


@dataclass(frozen=True)
class StepAsset:
    """One step of one model: what its asset runs."""

    model: Model
    step: str
    horizon: Duration | None
    notebook: Path
    code_version: str
    project_root: Path

    @property
    def name(self) -> str:
        """The asset key."""
        return self.model.asset(self.step, self.horizon)


def materialize(context: dg.AssetExecutionContext, asset: StepAsset) -> Iterator[Any]:
    """Materialize the partitions of a run, oldest first.

    Yields: for each partition an observation that it was begun, and its materialization if it ends well.
    Raises: dg.Failure at the end, when a partition failed, naming each with its cause.
    """
    failures: dict[str, Exception] = {}
    for partition in context.partition_keys:
        executed = _executed_path(context, asset, partition)
        try:
            yield from _materialize_partition(context, asset, partition, executed)
        except Exception as error:
            failures[partition] = error
            context.log.error(f"{asset.name} {partition} failed: {error}")
    # An asset's own output would mark every partition of the run as materialized, also those that failed. This tells
    # Dagster's plan alone that the step is through, so that what lies downstream of the others goes on.
    yield _output_event(context)
    if failures:
        raise _failure(context, asset, failures)


def _materialize_partition(
    context: dg.AssetExecutionContext, asset: StepAsset, partition: str, executed: Path
) -> Iterator[Any]:
    model, instance = asset.model, context.instance
    events_root = context.resources.events.path(instance)
    store = ArtifactStore(context.resources.artifacts.path(instance))
    started, as_of = time.monotonic(), datetime.now(UTC)
    pins = pin(instance, model, asset.step, asset.horizon, partition, events_root=events_root, store=store)
    yield attempt(asset.name, partition, pins.inputs, asset.code_version, {"run": dg.MetadataValue.dagster_run(context.run_id)})
    order = StepOrder(
        asset=asset.name,
        step=asset.step,
        partition=partition,
        run_id=context.run_id,
        attribution=model.training.attribution.elapsed,
        horizon=asset.horizon.elapsed if asset.horizon else None,
        config=dict(model.config),
        folder=store.prepare(asset.name, partition, context.run_id),
        inputs={step: upstream.artifact.folder for step, upstream in pins.upstream.items()},
        examples=examples_order(model, pins.events, events_root) if pins.events else None,
    )
    context.log.info(f"{asset.name} {partition}: running {asset.notebook.name}")
    result = run_notebook(context, notebook=asset.notebook, order=order, executed=executed)
    if pins.events:
        check_unchanged(model, pins.events, events_root)
    artifact = store.publish(order.folder, _manifest(context, asset, partition, pins, result, as_of))
    metadata = _metadata(asset, pins, result, artifact, executed, time.monotonic() - started)
    yield materialization(asset.name, partition, artifact.data_version, metadata)


def _manifest(
    context: dg.AssetExecutionContext,
    asset: StepAsset,
    partition: str,
    pins: Pins,
    result: StepResult,
    as_of: datetime,
) -> dict[str, Any]:
    """Everything that lineage needs, in the artifact itself."""
    return {
        "asset": asset.name,
        "step": asset.step,
        "model": asset.model.name,
        "partition": partition,
        "run_id": context.run_id,
        "data_version": result.data_version,
        "numbers": result.numbers,
        "windows": _windows(pins.events.windows) if pins.events else {},
        "known_as_of": as_of.isoformat(),
        "events": pins.events.maturity.fingerprints if pins.events else {},
        "inputs": {
            upstream.asset: {
                "partition": partition,
                "run_id": upstream.run_id,
                "data_version": upstream.made.data_version,
            }
            for upstream in pins.upstream.values()
        },
        "notebook": asset.notebook.relative_to(asset.project_root).as_posix(),
        "code_version": asset.code_version,
        "git_commit": git_commit(asset.project_root),
    }


def _metadata(
    asset: StepAsset, pins: Pins, result: StepResult, artifact: Artifact, executed: Path, seconds: float
) -> dict[str, Any]:
    """What the Dagster UI shows of a materialization; numbers are plotted over partitions."""
    metadata: dict[str, Any] = {
        **result.numbers,
        "seconds": round(seconds, 3),
        "bytes": artifact.size,
        "executed_notebook": dg.MetadataValue.notebook(str(executed)),
        "artifact": dg.MetadataValue.path(str(artifact.folder)),
        "lineage": dg.MetadataValue.json({key: artifact.manifest[key] for key in _LINEAGE}),
    }
    metadata.update({f"window_{name}": words for name, words in artifact.manifest["windows"].items()})
    for step, upstream in pins.upstream.items():
        metadata[f"{step}_partition"] = artifact.manifest["partition"]
        metadata[f"{step}_run"] = dg.MetadataValue.dagster_run(upstream.run_id)
        metadata[f"{step}_data_version"] = upstream.made.data_version
    return metadata


_LINEAGE = ("inputs", "events", "windows", "known_as_of", "notebook", "code_version", "git_commit")


def _windows(windows: Windows) -> dict[str, str]:
    intervals = {"exposures": windows.exposures, "outcomes": windows.outcomes}
    return {name: f"[{part.start.isoformat()}, {part.end.isoformat()})" for name, part in intervals.items()}


def _executed_path(context: dg.AssetExecutionContext, asset: StepAsset, partition: str) -> Path:
    root = context.resources.executed_notebooks.path(context.instance)
    return root / asset.name / partition / f"{context.run_id}.ipynb"


def _output_event(context: dg.AssetExecutionContext) -> dg.DagsterEvent:
    step_context = context.get_step_execution_context()
    handle = StepOutputHandle(step_context.step.key, "result")
    return dg.DagsterEvent.step_output_event(step_context, StepOutputData(handle))


def _failure(
    context: dg.AssetExecutionContext, asset: StepAsset, failures: Mapping[str, Exception]
) -> dg.Failure:
    total = len(context.partition_keys)
    lines = [f"{asset.name}: {len(failures)} of {total} partitions failed"]
    metadata: dict[str, Any] = {}
    for partition, error in failures.items():
        lines.append(f"{partition}: {type(error).__name__}: {error}")
        info = serializable_error_info_from_exc_info((type(error), error, error.__traceback__))
        metadata[f"traceback {partition}"] = dg.MetadataValue.text(info.to_string())
        executed = _executed_path(context, asset, partition)
        if executed.exists():
            metadata[f"executed_notebook {partition}"] = dg.MetadataValue.notebook(str(executed))
    return dg.Failure("\n".join(lines), metadata=metadata, allow_retries=False)
