"""Prints the metrics of a model as they are stored: a table, JSON or CSV, and why there are none yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from ml_assets.domain.declared.spec import Model
from ml_assets.metrics.evaluate import COLUMNS
from ml_assets.metrics.registry import ALL_METRICS
from ml_assets.project.answers.debt import describe_counts, find_debts
from ml_assets.project.answers.plan import span_of
from ml_assets.project.answers.results import Judgement, absences, judgements, number
from ml_assets.project.project import Project

#: Of each row: what was judged, then what the table of the metrics' artifact holds.
_KEYS = ("model", "partition", "horizon")


@dataclass(frozen=True)
class ModelSpan:
    """A model, and the partitions that a person asks for, as indices; None: all."""

    model: Model
    span: range | None = None

    @classmethod
    def of(cls, project: Project, name: str, first: str | None, last: str | None) -> "ModelSpan":
        """From one partition to another, both inclusive. Raises: NoAssetError, SpanError."""
        model = project.model(name)
        return cls(model, span_of(model, first, last))

    def holds(self, partition: str) -> bool:
        """Whether a partition is asked for."""
        return self.span is None or self.model.partitions.index_of(partition) in self.span


def find_metrics(project: Project, asked: ModelSpan) -> tuple[list[Judgement], list[str]]:
    """The current metrics, and lines that say which of them are lost."""
    lost: list[str] = []
    return judgements(project, asked.model, asked.span, on_lost=lost.append), lost


def why_none(project: Project, asked: ModelSpan, *, as_of: datetime) -> str:
    """A line where no metric is found: what is known of those that are expected."""
    model = asked.model
    (owed,) = find_debts(project, [model], as_of=as_of)
    entries = [one for one in owed.debt.entries if asked.holds(one.partition)]
    counts = describe_counts(replace(owed, debt=replace(owed.debt, entries=tuple(entries))))
    of = model.name if asked.span is None else f"{model.name} in these partitions"
    return f"no metric of {of} is there: {counts.plain}; `ml-assets debt {model.name}` says why"


def as_frame(results: Sequence[Judgement]) -> pd.DataFrame:
    """A row for each partition, horizon and metric, with all that is stored of it, unrounded, and the runs."""
    frames = [
        one.metrics.reset_index().assign(
            model=one.model.name,
            partition=one.partition,
            horizon=str(one.horizon),
            run=one.artifact.manifest["run_id"],
            model_run=one.model_run,
        )
        for one in results
    ]
    if not frames:
        return pd.DataFrame(columns=[*_KEYS, *COLUMNS, "run", "model_run"])
    rows = pd.concat(frames, ignore_index=True)
    return rows[[*_KEYS, *(name for name in rows.columns if name not in _KEYS)]]


def as_json(results: Sequence[Judgement]) -> list[dict[str, Any]]:
    """The rows of `as_frame`; what is absent is null."""
    rows = as_frame(results)
    records: list[dict[str, Any]] = rows.astype(object).where(rows.notna(), None).to_dict("records")
    return records


def metrics_in(results: Sequence[Judgement]) -> dict[str, str]:
    """The titles of the metrics that are stored, by name."""
    titles = {metric.name: metric.title for metric in ALL_METRICS}
    return {name: titles.get(name, name) for one in results for name in one.metrics.index}


def table(results: Sequence[Judgement], shown: Mapping[str, str]) -> Table:
    """A row for each partition and horizon, a column for each metric, and below why some numbers are absent.

    Grey: not comparable.
    Args: `shown`: the titles of the metrics by name.
    """
    found = Table(title="Offline evaluation, 95 % intervals that take rows as independent", box=box.SIMPLE)
    for heading in ("model", "partition", "horizon", "examples"):
        found.add_column(heading, no_wrap=True)
    for title in shown.values():
        found.add_column(title)
    found.add_column("model run", no_wrap=True)
    for result in results:
        found.add_row(
            result.model.name,
            result.partition,
            str(result.horizon),
            str(int(result.metrics["examples"].iloc[0])),
            *(_cell(result.metrics, name) for name in shown),
            result.model_run.split("-")[0],
        )
    found.caption, found.caption_justify = Text("\n".join(absences(results, shown))), "left"
    return found


def _cell(metrics: pd.DataFrame, name: str) -> Text:
    """A metric with its interval; a dash where a notebook of one's own has not computed it."""
    if name not in metrics.index:
        return Text("-")
    row = metrics.loc[name]
    return Text(number(row), style="" if row["comparable"] else "dim")
