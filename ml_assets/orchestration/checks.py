"""The blocking asset check `no_leak`: what it holds stored rows to, and how Dagster is told.

Dagster's partitioned checks are in preview; what this project uses of them is here.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from ml_assets.dagster_names import AssetCheckEvaluation
from ml_assets.data.artifacts.store import ArtifactStore
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.notebooks.order import TABLE, ReadRecord
from ml_assets.orchestration.recorded.current import LostError, current
from ml_assets.orchestration.recorded.facts import asset_key
from ml_assets.paths import AnyPath

if TYPE_CHECKING:
    from ml_assets.data.no_leak import Bounds, Verdict

NO_LEAK = "no_leak"
CHECKED = ("training_data", "evaluation_data")


def no_leak_spec(asset: str, partitions: dg.PartitionsDefinition) -> dg.AssetCheckSpec:
    """The check of one asset, evaluated for each partition; nothing is made of what fails it."""
    return dg.AssetCheckSpec(
        NO_LEAK,
        asset=asset_key(asset),
        description="No stored row knows what it must not: times within their bounds, no exposure in two sets.",
        blocking=True,
        partitions_def=partitions,
    )


def no_leak_evaluation(asset: str, partition: str, verdict: "Verdict") -> AssetCheckEvaluation:
    """What the check found for one partition."""
    return AssetCheckEvaluation(
        asset_key(asset),
        NO_LEAK,
        verdict.passed,
        metadata={"rows": verdict.rows, **verdict.leaks},
        description=str(verdict),
        blocking=True,
        partition=partition,
    )


def verify_no_leak(
    instance: dg.DagsterInstance,
    store: ArtifactStore,
    model: Model,
    horizon: Duration | None,
    partition: str,
    *,
    cutoff: datetime,
    folder: AnyPath,
    reads: Sequence[ReadRecord],
) -> "Verdict":
    """Verify the rows that training data (`horizon` None) or evaluation data has stored in `folder`.

    Args: `cutoff`: the end of the partition as Dagster has it; `reads`: what the notebook read.
    Raises: LeakError when the rows cannot be verified.
    """
    # Verifying loads DuckDB; only a process that runs a notebook pays for that.
    from ml_assets.data.no_leak import verify

    # In a time zone of its own, adding hours to it would count those of the wall clock.
    bounds = _bounds(model, horizon, cutoff.astimezone(UTC))
    # Evaluation data that is lost is compared with this training data when it is made again.
    lost = horizon is None
    others = _apart_from(model, horizon)
    tables = (_table_of(instance, store, asset, partition, may_be_lost=lost) for asset in others)
    apart_from = [table for table in tables if table is not None]
    verdict = verify(folder / TABLE, model.exposures.columns, bounds, apart_from=apart_from)
    return _with_late_reads(verdict, bounds, reads)


def _table_of(
    instance: dg.DagsterInstance, store: ArtifactStore, asset: str, partition: str, *, may_be_lost: bool
) -> AnyPath | None:
    """The table of another partition; None where it has none.

    Raises: LostError for one that is lost, unless it `may_be_lost`, too.
    """
    try:
        other = current(instance, store, asset, partition)
        if other is None or not other.artifact.holds(TABLE):
            return None
        table = other.artifact.folder / TABLE
        if not table.exists():
            raise LostError(asset, partition, str(table))
    except LostError:
        if may_be_lost:
            return None
        raise
    return table


def _bounds(model: Model, horizon: Duration | None, cutoff: datetime) -> "Bounds":
    """The table of `domain.windows`, from the cutoff alone."""
    from ml_assets.data.no_leak import Bounds

    shift, training = model.partitions.shift, model.training
    if horizon is None:
        return Bounds(
            exposures_from=model.training_start(cutoff),
            exposures_until=shift(cutoff, training.gap, -1),
            outcomes_until=cutoff,
            within=training.attribution.elapsed,
            by_id=model.join.by_id,
            known_before={
                "exposures": cutoff + model.exposures.known_delay,
                "outcomes": cutoff + model.outcomes.known_delay,
            },
            has_history=bool(model.history),
        )
    until = shift(cutoff, model.evaluation.window, +1)
    return Bounds(
        exposures_from=cutoff,
        exposures_until=until,
        outcomes_until=until + horizon.elapsed,
        within=horizon.elapsed,
        by_id=model.join.by_id,
        known_before={},
        has_history=bool(model.history),
    )


def _apart_from(model: Model, horizon: Duration | None) -> list[str]:
    """The assets that must share no exposure with this one."""
    if horizon is not None:
        return [model.asset("training_data")]
    return [model.asset("evaluation_data", one) for one in model.evaluation.horizons]


def _with_late_reads(verdict: "Verdict", bounds: "Bounds", reads: Sequence[ReadRecord]) -> "Verdict":
    """A retraction that was known too late leaves no row behind; that it was read is on record."""
    leaks, examples = dict(verdict.leaks), dict(verdict.examples)
    ends = {"exposures": bounds.exposures_until, "outcomes": bounds.outcomes_until}
    for read in reads:
        instants = {
            "were known": (read.latest_known, bounds.known_before.get(read.role)),
            "happened": (read.latest_event, ends.get(read.role)),
        }
        for what, (latest, before) in instants.items():
            if latest is not None and before is not None and latest >= before:
                rule = f"{read.role} of {read.log} were read that {what} at or after {before.isoformat()}"
                # One at least: the record holds the latest.
                leaks[rule], examples[rule] = 1, latest.isoformat()
    return replace(verdict, leaks=leaks, examples=examples)
