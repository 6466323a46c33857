"""One plain HTML page with the metrics over time."""

import base64
import io
from datetime import date
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from ml_assets.cli.project import Project
from ml_assets.cli.results import Judgement, judgements
from ml_assets.metrics.registry import ALL_METRICS

_PAGE = jinja2.Template(
    """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Offline evaluation</title>
<style>
body {font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #222}
table {border-collapse: collapse; font-size: 13px} td, th {border-bottom: 1px solid #ddd; padding: .2em .7em; text-align: right}
td:first-child, th:first-child {text-align: left} img {max-width: 100%} code {font-size: 12px}
.apart {color: #888} details {margin: 1em 0}
</style>
<h1>Offline evaluation</h1>
<p>Each point is one model, trained on what was known at the end of its partition and judged on what came after. Bars
are 95 % bootstrap intervals. Grey: the horizon is not the attribution, so the metric judges ranking, not calibration.</p>
{% for model in models %}
<h2>{{ model.name }}</h2>
<img alt="Metrics of {{ model.name }} over its partitions" src="data:image/svg+xml;base64,{{ model.picture }}">
<details><summary>All numbers</summary><table>
<tr><th>partition</th><th>horizon</th><th>examples</th>{% for title in titles %}<th>{{ title }}</th>{% endfor %}<th>model run</th></tr>
{% for row in model.rows %}<tr><td>{{ row.partition }}</td><td>{{ row.horizon }}</td><td>{{ row.examples }}</td>
{% for cell in row.cells %}<td{% if not cell.comparable %} class="apart"{% endif %} title="{{ cell.reason }}">{{ cell.text }}</td>{% endfor %}
<td><code>{{ row.run }}</code></td></tr>
{% endfor %}</table></details>
{% endfor %}</html>
""",
    autoescape=True,
)


def write_report(project: Project, path: Path) -> Path:
    """Write the page; models without metrics are left out.

    Returns: the path written.
    """
    found = [(model, judgements(project, model)) for model in project.models.values()]
    models = [
        {"name": model.name, "picture": _picture(results), "rows": [_row(result) for result in results]}
        for model, results in found
        if results
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_PAGE.render(models=models, titles=[metric.title for metric in ALL_METRICS]), encoding="utf-8")
    return path


def number(value: float, low: float, high: float) -> str:
    """A metric with its interval, such as `0.182 [0.170, 0.195]`; a dash when it is absent."""
    if pd.isna(value):
        return "-"
    return f"{value:.3f}" + ("" if pd.isna(low) else f" [{low:.3f}, {high:.3f}]")


def _row(result: Judgement) -> dict[str, object]:
    table = result.metrics
    cells = [
        {"text": number(row.value, row.low, row.high), "comparable": row.comparable, "reason": row.reason}
        for row in (table.loc[metric.name] for metric in ALL_METRICS)
    ]
    return {
        "partition": result.partition,
        "horizon": result.horizon,
        "examples": int(table["examples"].iloc[0]),
        "cells": cells,
        "run": result.model_run.split("-")[0],
    }


def _picture(results: list[Judgement]) -> str:
    """One small chart per metric, a line per horizon, as base64 of an SVG file."""
    from matplotlib.dates import ConciseDateFormatter
    from matplotlib.figure import Figure

    columns = 4
    rows = -(-len(ALL_METRICS) // columns)
    figure = Figure(figsize=(16, 3.2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns).flat
    for metric, axis in zip(ALL_METRICS, axes, strict=True):
        axis.set_title(metric.title)
        for position, horizon in enumerate(dict.fromkeys(result.horizon for result in results)):
            of_horizon = [result for result in results if result.horizon == horizon]
            _draw(axis, of_horizon, metric.name, color=f"C{position}", label=str(horizon))
        axis.xaxis.set_major_formatter(ConciseDateFormatter(axis.xaxis.get_major_locator()))
        axis.legend(fontsize="small")
    output = io.BytesIO()
    figure.savefig(output, format="svg")
    return base64.b64encode(output.getvalue()).decode()


def _draw(axis: Any, results: list[Judgement], metric: str, *, color: str, label: str) -> None:
    points = [(date.fromisoformat(result.partition[:10]), result.metrics.loc[metric]) for result in results]
    known = [(day, row) for day, row in points if not pd.isna(row.value)]
    days = [day for day, _ in known]
    values = [row.value for _, row in known]
    spans = [(max(0.0, row.value - row.low), max(0.0, row.high - row.value)) for _, row in known]
    grey = bool(known) and not known[0][1].comparable
    axis.errorbar(
        days,
        values,
        yerr=list(zip(*spans, strict=True)) or None,
        marker="o",
        capsize=2,
        label=label,
        color="#bbbbbb" if grey else color,
    )
