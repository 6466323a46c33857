"""Materializes partitions of one step, each by a notebook of its own.

One partition that fails does not stop the others: they are materialized, and the step fails at its end. Steps
downstream in the same run are then left out; the sensor launches those that do not exist yet. What a person launches
before it is due is refused: alone, its run fails; within a range or a backfill it is skipped, and the others are made.
"""

import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from ml_assets.dagster_names import BACKFILL_ID_TAG, StepOutputData, StepOutputHandle, TypeCheckData
from ml_assets.data.artifacts.store import ArtifactStore
from ml_assets.domain.maturity import ImmatureWindowError
from ml_assets.notebooks.kernels.warm import kernels_of
from ml_assets.notebooks.order import TABLE, StepOrder, StepResult
from ml_assets.notebooks.patience import patiently, record_patiently
from ml_assets.notebooks.running.dagster_run import run_notebook
from ml_assets.notebooks.running.executed import executed_path
from ml_assets.notebooks.running.run import KernelDiedError
from ml_assets.orchestration.checks import CHECKED, NO_LEAK, no_leak_evaluation, verify_no_leak
from ml_assets.orchestration.launching.runs import was_due
from ml_assets.orchestration.notebook_view import link_to
from ml_assets.orchestration.recorded.current import LostError
from ml_assets.orchestration.recorded.facts import FAILED, STOPPED, asset_key, attempt, materialization, note_begun
from ml_assets.orchestration.recorded.lineage import versions
from ml_assets.orchestration.running.interrupted import is_canceled, loses_its_pod
from ml_assets.orchestration.running.old_notebooks import remove_old_notebooks
from ml_assets.orchestration.running.one_line import on_one_line
from ml_assets.orchestration.running.orders import step_order
from ml_assets.orchestration.running.pins import MissingInputError, Pins, check_readable, check_unchanged, pin
from ml_assets.orchestration.running.planned import forget_planned_check, forget_planned_partition
from ml_assets.orchestration.running.records import manifest, metadata, pictures
from ml_assets.orchestration.running.resume import made_before, resumed_runs
from ml_assets.orchestration.running.verdicts import is_verdict, tried_again
from ml_assets.orchestration.step_asset import StepAsset
from ml_assets.paths import AnyPath
from ml_assets.written_by import mark_home

_RESULT = "result"
#: Tag of a run that skipped partitions: how many, by asset.
SKIPPED_TAG = "ml_assets/skipped"
#: How often a step that lost its pod is begun again in its run, and how long after.
LOST_POD_RETRIES, LOST_POD_SECONDS = 2, 10


def materialize(context: dg.AssetExecutionContext, asset: StepAsset) -> Iterator[Any]:
    """Materialize the partitions of a run, oldest first.

    Yields: for each partition its materialization if it ends well, and an observation of why if it does not.
    Raises: dg.Failure at the end, when a partition failed, naming each with its cause.
    """
    instance, run = context.instance, context.run
    failures: dict[_Partition, Exception] = {}
    skipped: list[str] = []
    mark_home(Path(instance.root_directory))
    record_patiently(instance)
    away = False
    if asset.step in CHECKED:
        # What comes to no rows has not leaked, whatever becomes of the run.
        forget_planned_check(instance, run.run_id, asset.name, NO_LEAK, log=context.log)
    for name in context.partition_keys:
        retried = context.retry_number > 0
        made_by = patiently(partial(made_before, instance, run, asset.name, name, retried=retried))
        if made_by is not None:
            again = "before this step was begun again" if made_by == run.run_id else "which this one resumes"
            context.log.info(f"{asset.name} {name} was made by run {made_by}, {again}")
            continue
        # What one partition has waited for in vain, the next does not wait for anew.
        partition = _Partition(context, asset, name, waits=not away)
        try:
            yield from partition.materialize()
            away = False
        except dg.DagsterExecutionInterruptedError:
            if not loses_its_pod(context):
                raise
            raise dg.RetryRequested(max_retries=LOST_POD_RETRIES, seconds_to_wait=LOST_POD_SECONDS) from None
        except (ImmatureWindowError, MissingInputError) as error:
            forget_planned_partition(instance, run.run_id, asset.name, name, log=context.log)
            if _is_alone(context) or was_due(run) or not _is_of_the_same_run(context, error):
                failures[partition] = error
                context.log.error(f"{asset.name} {name} failed: {error}")
            else:
                skipped.append(name)
                context.log.warning(f"{asset.name} {name} is skipped: {error}")
        except Exception as error:  # noqa: BLE001  (raised at the end, with those of the other partitions)
            failures[partition] = error
            away = not is_verdict(error)
            context.log.error(f"{asset.name} {name} failed: {on_one_line(error)}")
    patiently(lambda: remove_old_notebooks(context, asset.name))
    patiently(lambda: _tell_skipped(context, asset, skipped))
    if failures:
        raise _failure(asset, failures, len(context.partition_keys))
    # An asset's own output would materialize every partition of the run once more, with one version for all. This tells
    # Dagster's plan alone that the step is through.
    yield _output_event(context)
    # Its evaluations were yielded partition by partition; Dagster wants an output for the check, too.
    yield from (
        dg.Output(None, output_name=name)
        for name in context.get_step_execution_context().step.step_output_dict
        if name != _RESULT
    )


def _is_alone(context: dg.AssetExecutionContext) -> bool:
    """Whether one partition was asked for, and nothing else."""
    return len(context.partition_keys) == 1 and BACKFILL_ID_TAG not in context.run.tags


def _is_of_the_same_run(context: dg.AssetExecutionContext, error: Exception) -> bool:
    """Whether what a partition lacks was to be made by its own run, which skipped it, or is still to arrive."""
    selected = context.job_def.asset_layer.selected_asset_keys
    return not isinstance(error, MissingInputError) or asset_key(error.asset) in selected


def _tell_skipped(context: dg.AssetExecutionContext, asset: StepAsset, skipped: list[str]) -> None:
    tag = f"{SKIPPED_TAG}/{asset.name.removeprefix(f'{asset.model.name}/')}"
    # A run that goes on from another has its tags.
    if not skipped and tag not in context.run.tags:
        return
    words = f"{len(skipped)} of {len(context.partition_keys)} partitions"
    if skipped:
        context.log.info(f"{asset.name}: {words} are not due and were skipped: {', '.join(skipped)}")
    context.instance.add_run_tags(context.run.run_id, {tag: words})


@dataclass(eq=False)
class _Partition:
    """One partition of one step within a run.

    `waits`: whether it is tried again later where what failed was not its notebook; `begun`: what an attempt began
    with, as `attempt` takes it.
    """

    context: dg.AssetExecutionContext
    asset: StepAsset
    name: str
    waits: bool
    begun: tuple[str, str, str, str, str] | None = None

    @property
    def executed(self) -> AnyPath:
        """Where the executed notebook is kept."""
        root: AnyPath = self.context.resources.executed_notebooks.path(self.context.instance)
        return executed_path(root, self.asset.name, self.name, self.context.run.run_id)

    @property
    def link(self) -> dg.MetadataValue:
        """What opens it in the UI."""
        return link_to(self.executed, self.context.run, self.asset.project_root)

    def materialize(self) -> Iterator[Any]:
        """Make the partition, again where its kernel died once, or what failed was not its notebook."""
        # `made_before` has found no materialization of an earlier attempt: what it left nobody knows of.
        again = self.context.retry_number > 0
        try:
            yield from tried_again(self._attempt, again=again, waits=self.waits, say=self._say)
        except dg.DagsterExecutionInterruptedError:
            # Also between two attempts.
            if self.begun and is_canceled(self.context):
                yield attempt(*self.begun, verdict=STOPPED, error=f"a person canceled run {self.context.run.run_id}")
            raise

    def _attempt(self, again: bool, last: bool) -> Iterator[Any]:
        """Pin the inputs, run the notebook, publish what it saved.

        Args: `again`: this run has tried before; `last`: a kernel that dies is a failure, too.
        """
        context, asset = self.context, self.asset
        model, instance = asset.model, context.instance
        events_root = context.resources.events.path(instance)
        store = ArtifactStore(context.resources.artifacts.path(instance))
        started, as_of = time.monotonic(), datetime.now(UTC)
        try:
            # It goes on from what these made, or what itself has made, whatever has been made since.
            runs = [context.run.run_id, *resumed_runs(instance, context.run)]
            given = instance, model, asset.step, asset.horizon, self.name
            pins = pin(*given, as_of=as_of, events_root=events_root, store=store, runs=runs)
        except LostError as error:
            # A sensor tries again when that was made again, which a person decides.
            tried = (asset.name, self.name, error.inputs, asset.code_version, context.run.run_id)
            yield attempt(*tried, verdict=FAILED, error=on_one_line(error))
            raise
        asset.check_loaded()
        self.begun = tried = (asset.name, self.name, pins.inputs, asset.code_version, context.run.run_id)
        with store.draft(asset.name, self.name, context.run.run_id, unreported=again) as folder:
            if (begun := note_begun(instance, *tried)) is not None:
                yield begun
            try:
                target = store.folder(asset.name, self.name, context.run.run_id)
                order = self._order(pins, folder, events_root, shared=None if target == folder else target)
                result = self._run(order)
                if pins.events:
                    check_unchanged(model, pins.events, events_root)
                    # Executors of other machines leave nothing on this one.
                    yield from self._check(store, folder if (folder / TABLE).exists() else target, result)
                before = patiently(lambda: versions(instance, asset.name, self.name))
                record = manifest(asset, self.name, context.run.run_id, pins, result, as_of)
                artifact = store.publish(folder, {**record, "supersedes": before[-1] if before else None}, to=target)
            except Exception as error:
                if is_verdict(error) and (last or not isinstance(error, KernelDiedError)):
                    # A notebook may have failed because these were away, or were written meanwhile.
                    check_readable(model, pins, events_root)
                    executed = self.link if self.executed.exists() else None
                    yield attempt(*tried, verdict=FAILED, error=on_one_line(error), executed=executed)
                # Else it says nothing of the partition, which stays without a verdict and is due again.
                raise
        seconds = time.monotonic() - started
        shown = metadata(asset, self.name, pins, artifact, seconds=seconds, executed=self.link)
        inputs = {upstream.asset: upstream.made for upstream in pins.upstream.values()}
        events = pins.events.fingerprints if pins.events else {}
        yield materialization(
            asset.name,
            self.name,
            artifact.data_version,
            {**pictures(result), **shown},
            code=asset.code_version,
            inputs={**inputs, **dict.fromkeys(events)},
        )

    def _say(self, words: str) -> None:
        self.context.log.warning(f"{self.asset.name} {self.name} {words}")

    def _run(self, order: StepOrder) -> StepResult:
        context, asset = self.context, self.asset
        context.log.info(f"{asset.name} {self.name}: running {asset.notebook.name}")
        # As many as the run may still hold.
        notebooks = len(context.partition_keys) * len(context.run.asset_selection or (asset,))
        kernels = kernels_of(notebooks, warm=context.resources.executed_notebooks.warm)
        return run_notebook(context, notebook=asset.notebook, order=order, executed=self.executed, kernels=kernels)

    @property
    def cutoff(self) -> datetime:
        """The end of the partition, as Dagster has it."""
        definition = self.context.assets_def.partitions_def
        if not isinstance(definition, dg.TimeWindowPartitionsDefinition):
            raise TypeError(f"{self.asset.name} is partitioned by {definition}, not by time")
        return definition.time_window_for_partition_key(self.name).end.astimezone(UTC)

    def _check(self, store: ArtifactStore, folder: AnyPath, result: StepResult) -> Iterator[Any]:
        """Verify what was stored. Raises: LeakError."""
        from ml_assets.data.no_leak import LeakError

        asset = self.asset
        instance, reads = self.context.instance, result.reads
        given = instance, store, asset.model, asset.horizon, self.name
        # What the notebook made is not lost by an outage.
        verdict = patiently(lambda: verify_no_leak(*given, cutoff=self.cutoff, folder=folder, reads=reads))
        yield no_leak_evaluation(asset.name, self.name, verdict)
        if not verdict.passed:
            raise LeakError(f"{asset.name} {self.name} leaks: {verdict}")

    def _order(self, pins: Pins, folder: Path, events_root: AnyPath, *, shared: AnyPath | None) -> StepOrder:
        asset = self.asset
        return step_order(
            asset.model,
            asset.step,
            asset.horizon,
            self.name,
            cutoff=self.cutoff,
            run_id=self.context.run.run_id,
            folder=folder,
            shared=shared,
            inputs={step: upstream.artifact.folder for step, upstream in pins.upstream.items()},
            events=pins.events,
            events_root=events_root,
            spark=self.context.resources.spark.settings(),
            config_keys=asset.config_keys,
        )


def _output_event(context: dg.AssetExecutionContext) -> dg.DagsterEvent:
    step_context = context.get_step_execution_context()
    handle = StepOutputHandle(step_context.step.key, _RESULT)
    # The UI shows no event of a run that has an output without a type check.
    checked = TypeCheckData(success=True, label=_RESULT)  # type: ignore[no-untyped-call]
    return dg.DagsterEvent.step_output_event(step_context, StepOutputData(handle, checked))


def _failure(asset: StepAsset, failures: Mapping[_Partition, Exception], total: int) -> dg.Failure:
    lines = [f"{asset.name}: {len(failures)} of {total} partitions failed"]
    metadata: dict[str, Any] = {}
    for partition, error in failures.items():
        lines.append(f"{partition.name}: {type(error).__name__}: {error}")
        trace = "".join(traceback.format_exception(error))
        metadata[f"traceback {partition.name}"] = dg.MetadataValue.text(trace)
        if partition.executed.exists():
            metadata[f"executed notebook {partition.name}"] = partition.link
    return dg.Failure("\n".join(lines), metadata=metadata, allow_retries=False)
