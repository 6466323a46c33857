"""The metrics that exist, read from their artifacts, for the demo's table and the report."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ml_assets.data.artifacts.inventory import Inventory, Version
from ml_assets.data.artifacts.store import Artifact, ArtifactError
from ml_assets.data.artifacts.tables import read_table
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.maturity import describe_spans
from ml_assets.domain.owed.lost import describe_lost
from ml_assets.metrics.stored import as_of_today
from ml_assets.notebooks.order import TABLE
from ml_assets.orchestration.recorded.lineage import current_runs
from ml_assets.project.answers.causes import by_the_first
from ml_assets.project.project import Project


@dataclass(frozen=True)
class Judgement:
    """The metrics of one partition at one horizon, and the model run that they judged.

    `metrics`: the table by metric name, with value, low, high, calibrated_low, calibrated_high, comparable and reason.
    """

    model: Model
    partition: str
    horizon: Duration
    metrics: pd.DataFrame
    model_run: str
    artifact: Artifact


def judgements(
    project: Project, model: Model, span: range | None = None, *, on_lost: Callable[[str], None] | None = None
) -> list[Judgement]:
    """The current metrics of a model, by horizon and partition.

    What was made before the calendar changed, and is none of its partitions any more, is left out.
    Args: `span`: indices of partitions; None: all; `on_lost`: told for each horizon which of them are lost, and left
    out. Raises: ArtifactError where nobody is told; StoreError when the store does not say what it holds.
    """
    result = []
    calendar = model.partitions
    for horizon in sorted(model.evaluation.horizons, key=lambda h: h.elapsed):
        asset = model.asset("metrics", horizon)
        recorded = [
            Version(partition, run_id)
            for partition, run_id in sorted(current_runs(project.instance, asset).items())
            if calendar.holds(partition) and (span is None or calendar.index_of(partition) in span)
        ]
        lost = Inventory(project.store, asset).losses(recorded) if recorded else {}
        if lost:
            line = _describe(model, asset, lost)
            if on_lost is None:
                raise ArtifactError(line)
            on_lost(line)
        for partition, run_id in (one for one in recorded if one not in lost):
            artifact = project.store.load(asset, partition, run_id)
            table = as_of_today(read_table(artifact.folder / TABLE)).set_index("metric")
            judged = artifact.manifest["inputs"][model.asset("model")]["run_id"]
            result.append(Judgement(model, partition, horizon, table, judged, artifact))
    return result


def _describe(model: Model, asset: str, lost: Mapping[Version, str]) -> str:
    calendar = model.partitions
    spans = describe_spans(calendar, [calendar.index_of(version.partition) for version in lost])
    why = by_the_first([(version.partition, describe_lost(what)) for version, what in lost.items()])
    return f"{asset} {spans}: {why}; `ml-assets plan {model.name}` says what makes it again"


def maturity_curve(results: Sequence[Judgement], metric: str) -> pd.DataFrame:
    """A metric of the same models at each horizon.

    Returns: one row per partition and model run that was judged at every horizon, one column per horizon (as text),
    shortest first.
    """
    values = pd.DataFrame(
        [
            (one.partition, one.model_run, one.horizon.elapsed, str(one.horizon), one.metrics.loc[metric, "value"])
            for one in results
        ],
        columns=["partition", "model_run", "elapsed", "horizon", "value"],
    )
    horizons = values.sort_values("elapsed")["horizon"].unique()
    return values.pivot_table("value", ["partition", "model_run"], "horizon").reindex(columns=horizons).dropna()


def examples_of(project: Project, judgement: Judgement) -> pd.DataFrame:
    """The evaluation data that the metrics were computed on."""
    asset = judgement.model.asset("evaluation_data", judgement.horizon)
    recorded = judgement.artifact.manifest["inputs"][asset]
    return read_table(project.store.load(asset, judgement.partition, recorded["run_id"]).folder / TABLE)


def number(row: Mapping[Hashable, Any]) -> str:
    """A metric with what it is held against, such as `0.182 [0.170, 0.195]`; a dash when it is absent."""
    if pd.isna(row["value"]):
        return "-"
    beside = ""
    if not pd.isna(row["low"]):
        beside = f" [{row['low']:.3f}, {row['high']:.3f}]"
    elif not pd.isna(row["calibrated_low"]):
        beside = f" (calibrated: {row['calibrated_low']:.3f} to {row['calibrated_high']:.3f})"
    return f"{row['value']:.3f}{beside}"


def absences(results: Sequence[Judgement], shown: Mapping[str, str]) -> list[str]:
    """Why values or intervals are absent: a line for each partition, horizon and reason, with the metrics' titles.

    Args: `shown`: the titles of the metrics by name.
    """
    lines = []
    for one in results:
        table = one.metrics.loc[[name for name in shown if name in one.metrics.index]]
        absent = table[table["low"].isna() & table["calibrated_low"].isna()]
        # What follows is the caveat, which grey says.
        reasons = absent["reason"].str.split("; ").str[0]
        for reason, rows in absent[reasons != ""].groupby(reasons, sort=False):
            titles = ", ".join(shown[str(name)] for name in rows.index)
            lines.append(f"{one.partition}, {one.horizon}: {titles}: {reason}")
    return lines
