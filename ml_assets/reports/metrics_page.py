"""One plain HTML page with the metrics over time."""

import base64
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from ml_assets.domain.declared.spec import Model
from ml_assets.metrics.metric import Metric
from ml_assets.metrics.registry import ALL_METRICS
from ml_assets.project.answers.results import Judgement, absences, judgements, maturity_curve, number
from ml_assets.project.output import writing
from ml_assets.project.project import Project

_PAGE = jinja2.Template(
    """<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Offline evaluation</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #222}
h2 {overflow-wrap: anywhere} table {border-collapse: collapse; font-size: 13px}
td, th {border-bottom: 1px solid #ddd; padding: .2em .7em; text-align: right}
td:first-child, th:first-child {text-align: left} td:first-child {white-space: nowrap} code {font-size: 12px}
.charts {display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17em), 1fr)); gap: .5em} img {width: 100%}
.table {overflow-x: auto} .apart {color: #888} details {margin: 1em 0}
</style>
<h1>Offline evaluation</h1>
<p>Each point is one model, trained on what was known at the end of its partition and judged on what came after. Bars
are 95 % bootstrap intervals that take rows as independent: where one user or page has many, they are too narrow.
Expected calibration error has none; the wide pale bars are the central 95 % of what a calibrated model would score on the
same predictions. Grey: the horizon is not the attribution, so the metric judges ranking, not calibration.</p>
{% for line in lost %}<p>{{ line }}</p>
{% endfor %}{% for model in models %}
<h2>{{ model.name }}</h2>
<div class="charts">{% for title, picture in model.pictures.items() %}
<img alt="{{ title }} of {{ model.name }} over its partitions" src="data:image/svg+xml;base64,{{ picture }}">{% endfor %}</div>
{% if model.curve %}
<h3>Maturity curve</h3>
<p>The same {{ model.curve.partitions }} models at each horizon: thin lines are single models, the thick one is their
mean. The earliest horizon that agrees with the longest is the earliest one to trust.</p>
<div class="charts">{% for title, picture in model.curve.pictures.items() %}
<img alt="{{ title }} of {{ model.name }} by horizon" src="data:image/svg+xml;base64,{{ picture }}">{% endfor %}</div>
<div class="table"><table><tr><th>mean (mean distance from the longest horizon)</th>{% for horizon in model.curve.horizons %}<th>{{ horizon }}</th>{% endfor %}</tr>
{% for row in model.curve.rows %}<tr><td>{{ row.title }}</td>{% for cell in row.cells %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table></div>{% endif %}
<details><summary>All numbers</summary><div class="table"><table>
<tr><th>partition</th><th>horizon</th><th>examples</th>{% for title in titles %}<th>{{ title }}</th>{% endfor %}<th>model run</th></tr>
{% for row in model.rows %}<tr><td>{{ row.partition }}</td><td>{{ row.horizon }}</td><td>{{ row.examples }}</td>
{% for cell in row.cells %}<td{% if not cell.comparable %} class="apart"{% endif %} title="{{ cell.reason }}">{{ cell.text }}</td>{% endfor %}
<td><code>{{ row.run }}</code></td></tr>
{% endfor %}</table></div>
{% for line in model.notes %}<p class="apart">{{ line }}</p>
{% endfor %}</details>
{% endfor %}</html>
""",
    autoescape=True,
)


def write_report(project: Project, path: Path) -> list[str]:
    """Write the page.

    Returns: lines that say which metrics are lost.
    Raises: OutputError.
    """
    lost: list[str] = []
    with writing(path) as write:
        found = [(model, judgements(project, model, on_lost=lost.append)) for model in project.models.values()]
        write(render(found, lost))
    return lost


def render(found: Iterable[tuple[Model, Sequence[Judgement]]], lost: Sequence[str] = ()) -> str:
    """The page; models without metrics are left out. Args: `lost`: lines that say which metrics are."""
    models = [
        {
            "name": model.name,
            "pictures": {metric.title: _svg(chart(results, metric)) for metric in ALL_METRICS},
            "rows": [_row(result) for result in results],
            "notes": absences(results, {metric.name: metric.title for metric in ALL_METRICS}),
            "curve": _curve(results),
        }
        for model, results in found
        if results
    ]
    return _PAGE.render(models=models, lost=lost, titles=[metric.title for metric in ALL_METRICS])


def _row(result: Judgement) -> dict[str, object]:
    table = result.metrics
    cells = [
        {"text": number(row), "comparable": row["comparable"], "reason": row["reason"]}
        for row in (table.loc[metric.name] for metric in ALL_METRICS)
    ]
    return {
        "partition": result.partition,
        "horizon": result.horizon,
        "examples": int(table["examples"].iloc[0]),
        "cells": cells,
        "run": result.model_run.split("-")[0],
    }


def chart(results: Sequence[Judgement], metric: Metric) -> Any:
    """A figure of a metric over the partitions of one model, in its time zone, with a line for each horizon."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    figure, axis = _empty(metric)
    for position, horizon in enumerate(dict.fromkeys(result.horizon for result in results)):
        of_horizon = [result for result in results if result.horizon == horizon]
        _draw(axis, of_horizon, metric.name, color=f"C{position}", label=str(horizon))
    calendar = results[0].model.partitions
    indices = [calendar.index_of(result.partition) for result in results]
    first, last = (calendar.interval(index) for index in (min(indices), max(indices)))
    # One and a half partitions on each side: three ticks fit, each a partition's begin, where there is but one point.
    axis.set_xlim(first.start - 1.5 * (first.end - first.start), last.start + 1.5 * (last.end - last.start))
    locator = AutoDateLocator(tz=calendar.zone, minticks=3, maxticks=5)
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=calendar.zone))
    axis.legend(fontsize="small")
    return figure


def _curve(results: Sequence[Judgement]) -> dict[str, object] | None:
    """The maturity curve; None where no model was judged at more than one horizon."""
    curves = {metric: maturity_curve(results, metric.name) for metric in ALL_METRICS}
    shown = {metric: curve for metric, curve in curves.items() if len(curve) and len(curve.columns) > 1}
    if not shown:
        return None
    first = next(iter(shown.values()))
    rows = []
    for metric, curve in shown.items():
        apart = curve.sub(curve.iloc[:, -1], axis=0).abs().mean()
        cells = [f"{mean:.3f} ({distance:.3f})" for mean, distance in zip(curve.mean(), apart, strict=True)]
        rows.append({"title": metric.title, "cells": cells})
    return {
        "partitions": max(len(curve) for curve in shown.values()),
        "horizons": list(first.columns),
        "rows": rows,
        "pictures": {metric.title: _svg(_curve_chart(metric, curve)) for metric, curve in shown.items()},
    }


def _curve_chart(metric: Metric, curve: pd.DataFrame) -> Any:
    """A figure of a metric over the horizons."""
    figure, axis = _empty(metric)
    positions = range(len(curve.columns))
    axis.plot(positions, curve.to_numpy().T, color="#cccccc", linewidth=0.8)
    axis.plot(positions, curve.mean().to_numpy(), color="C0", marker="o")
    axis.set_xticks(positions, curve.columns)
    return figure


def _empty(metric: Metric) -> tuple[Any, Any]:
    """A figure that is legible on a phone, and in a quarter of a page."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6, 2.8), layout="constrained")
    axis = figure.subplots()
    axis.set_title(metric.title)
    return figure, axis


def _svg(figure: Any) -> str:
    output = io.BytesIO()
    figure.savefig(output, format="svg")
    return base64.b64encode(output.getvalue()).decode()


def _draw(axis: Any, results: Sequence[Judgement], metric: str, *, color: str, label: str) -> None:
    calendars = ((result, result.model.partitions) for result in results)
    points = [
        (calendar.interval(calendar.index_of(one.partition)).start, one.metrics.loc[metric])
        for one, calendar in calendars
    ]
    points.sort(key=lambda point: point[0])
    known = [(day, row) for day, row in points if not pd.isna(row.value)]
    days = [day for day, _ in known]
    values = [row.value for _, row in known]
    color = "#bbbbbb" if known and not known[0][1].comparable else color
    axis.plot(days, values, marker="o", label=label, color=color)
    # As they are stored: that a value lies outside of its interval is something to see.
    axis.vlines(days, [row.low for _, row in known], [row.high for _, row in known], color=color)
    calibrated = [[row[name] for _, row in known] for name in ("calibrated_low", "calibrated_high")]
    axis.vlines(days, *calibrated, color=color, linewidth=6, alpha=0.25)
