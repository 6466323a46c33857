"""Metrics over partitions and over horizons, from a few judgements; the demo's test writes a report of real ones."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import date2num

from ml_assets.data.artifacts.store import Artifact
from ml_assets.domain.calendar import Calendar, Every
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.metrics.evaluate import NUMBERS, evaluate
from ml_assets.metrics.expected_calibration_error import EXPECTED_CALIBRATION_ERROR as ECE
from ml_assets.metrics.log_loss import LOG_LOSS
from ml_assets.metrics.registry import ALL_METRICS
from ml_assets.project.answers.results import Judgement, absences, maturity_curve, number
from ml_assets.reports.metrics_page import chart, render
from tests.orchestration.conftest import model

NAN = float("nan")
DAY = timedelta(days=1)


def judgement(partition: str, horizon: str, value: float, *, of: Model | None = None) -> Judgement:
    """A judgement whose metrics all have one value."""
    rows = [
        {
            "metric": metric.name,
            "value": value,
            "low": NAN,
            "high": NAN,
            "calibrated_low": NAN,
            "calibrated_high": NAN,
            "examples": 10,
            "comparable": True,
            "reason": "" if value == value else "one class only",
        }
        for metric in ALL_METRICS
    ]
    table = pd.DataFrame(rows).set_index("metric")
    duration = Duration(int(horizon[:-1]), horizon[-1])
    return Judgement(of or model(), partition, duration, table, "run-of-the-model", Artifact(Path(), {}))


def judgements(values: dict[tuple[str, str], float]) -> Sequence[Judgement]:
    return [judgement(partition, horizon, value) for (partition, horizon), value in values.items()]


def test_the_maturity_curve_compares_the_same_partitions_at_each_horizon() -> None:
    curve = maturity_curve(
        judgements(
            {
                ("2026-05-02", "7d"): 0.3,
                ("2026-05-02", "12h"): 0.1,
                ("2026-05-02", "1d"): 0.2,
                ("2026-05-03", "12h"): 0.5,
                ("2026-05-03", "1d"): 0.6,
            }
        ),
        "log_loss",
    )
    assert list(curve.columns) == ["12h", "1d", "7d"]
    assert curve.droplevel("model_run").to_dict("index") == {"2026-05-02": {"12h": 0.1, "1d": 0.2, "7d": 0.3}}


def test_a_model_that_was_made_again_is_another_model() -> None:
    old, new = (judgement("2026-05-02", horizon, 0.1) for horizon in ("7d", "1d"))
    assert maturity_curve([old, replace(new, model_run="another run")], "log_loss").empty


def test_a_partition_with_an_absent_metric_is_left_out_of_the_curve() -> None:
    values = {
        ("2026-05-02", "1d"): NAN,
        ("2026-05-02", "7d"): 0.3,
        ("2026-05-03", "1d"): 0.1,
        ("2026-05-03", "7d"): 0.2,
    }
    curve = maturity_curve(judgements(values), "log_loss")
    assert list(curve.index.get_level_values("partition")) == ["2026-05-03"]


def test_the_page_shows_the_curve_with_its_distance_from_the_longest_horizon() -> None:
    values = {
        ("2026-05-02", "1d"): 0.1,
        ("2026-05-02", "7d"): 0.3,
        ("2026-05-03", "1d"): 0.4,
        ("2026-05-03", "7d"): 0.3,
    }
    page = render([(model(), judgements(values))])
    assert "The same 2 models at each horizon" in page
    assert "<th>1d</th><th>7d</th>" in page
    assert "<td>0.250 (0.150)</td><td>0.300 (0.000)</td>" in page


def test_one_horizon_makes_no_curve() -> None:
    page = render([(model(), judgements({("2026-05-02", "1d"): 0.1}))])
    assert "shop/order" in page
    assert "Maturity curve" not in page


def test_a_model_without_metrics_is_left_out() -> None:
    assert "shop/order" not in render([(model(), [])])


def test_an_absent_number_is_a_dash() -> None:
    row = dict.fromkeys(NUMBERS, NAN)
    assert number(row) == "-"
    assert number(row | {"value": 0.1234}) == "0.123"
    assert number(row | {"value": 0.1234, "low": 0.1, "high": 0.2}) == "0.123 [0.100, 0.200]"
    calibrated = {"calibrated_low": 0.1, "calibrated_high": 0.2}
    assert number(row | {"value": 0.1234} | calibrated) == "0.123 (calibrated: 0.100 to 0.200)"


def judged(label: list[int], prediction: list[float], horizon: timedelta = DAY) -> Judgement:
    """A judgement as an evaluation makes it."""
    table = evaluate(label, prediction, horizon=horizon, attribution=DAY, seed=0).set_index("metric")
    return replace(judgement("2026-05-02", "1d", 0.1), metrics=table)


def test_the_page_says_why_a_number_has_no_interval_and_that_rows_are_taken_as_independent() -> None:
    page = render([(model(), [judged([1] * 6 + [0] * 200, [0.9] * 6 + [0.1] * 200)])])
    assert "95 % bootstrap intervals that take rows as independent" in page
    assert "2026-05-02, 1d: Log loss, Normalized entropy, ROC AUC, Average precision, Brier score" in page
    assert "no interval: 6 positives among 206 examples, should be at least 10</p>" in page
    assert ">1.000</td>" in page
    assert "[1.000" not in page


def test_the_caveat_that_grey_says_is_not_said_again_where_a_number_is_absent() -> None:
    (line,) = absences([judged([0] * 20, [0.5] * 20, horizon=2 * DAY)], {"log_loss": "Log loss"})
    assert line == "2026-05-02, 1d: Log loss: no interval: one class only: no positive among 20 examples"


def test_the_chart_shows_stored_bounds_and_what_a_calibrated_model_would_score() -> None:
    found = judged([1, 0] * 30, [0.9, 0.2, 0.4, 0.6] * 15)
    for metric, (low, high) in {LOG_LOSS: ("low", "high"), ECE: ("calibrated_low", "calibrated_high")}.items():
        (axis,) = chart([found], metric).axes
        drawn = [
            segment[:, 1].tolist() for lines in axis.collections for segment in lines.get_segments() if len(segment)
        ]
        row = found.metrics.loc[metric.name]
        assert [bounds for bounds in drawn if np.isfinite(bounds).all()] == [[row[low], row[high]]]


def model_in(zone: str, every: Every = "day") -> Model:
    """A model with partitions in a time zone."""
    calendar = Calendar(every, date(2026, 10, 5), zone)
    of, lookahead = model(), Duration(2, "w")
    logs = {
        role: replace(getattr(of, role), partitions=calendar, lookahead=lookahead) for role in ("exposures", "outcomes")
    }
    week = Duration(1, "w")
    windows = {
        "training": replace(of.training, window=Duration(2, "w"), gap=Duration(0, "d"), attribution=week),
        "evaluation": replace(of.evaluation, window=week if every == "week" else Duration(1, "d")),
    }
    return replace(of, **logs, **windows)


def axis_of(of: Model, first: int, count: int) -> Any:
    """The axis of a chart of contiguous partitions, as drawn."""
    keys = [of.partitions.key(index) for index in range(first, first + count)]
    found = [judgement(key, horizon, 0.1 + at / 100, of=of) for horizon in ("1d", "7d") for at, key in enumerate(keys)]
    figure = chart(found, LOG_LOSS)
    FigureCanvasAgg(figure).draw()
    (axis,) = figure.axes
    return axis


CHARTS: list[tuple[str, Every, int]] = [
    ("Asia/Tokyo", "day", 1),
    ("Asia/Tokyo", "day", 2),
    ("Pacific/Auckland", "day", 13),
    ("America/New_York", "day", 45),
    ("Asia/Kolkata", "day", 100),
    ("America/New_York", "day", 400),
    ("Asia/Tokyo", "hour", 1),
    ("America/New_York", "hour", 30),
    ("Europe/Berlin", "week", 1),
    ("Europe/Berlin", "week", 20),
]


@pytest.mark.parametrize(("zone", "every", "count"), CHARTS)
def test_the_axis_ends_where_the_partitions_do_and_its_labels_do_not_overlap(
    zone: str, every: Every, count: int
) -> None:
    of = model_in(zone, every)
    axis = axis_of(of, 30, count)
    first, last = (of.partitions.interval(index) for index in (30, 29 + count))
    period = first.end - first.start
    low, high = axis.get_xlim()
    assert date2num(first.start - 2 * period) < low < date2num(first.start)
    assert date2num(last.start) < high < date2num(last.start + 2 * period)
    shown = [label for label in axis.get_xticklabels() if label.get_text()]
    assert 2 <= len(shown) <= 6
    extents = [label.get_window_extent() for label in shown]
    for one, next_one in pairwise(extents):
        assert one.x1 < next_one.x0
    offset = axis.xaxis.get_offset_text()
    assert not offset.get_text() or all(offset.get_window_extent().y1 < one.y0 for one in extents)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "UTC", "Pacific/Apia"])
def test_a_day_is_drawn_on_its_own_date_where_the_model_is(zone: str) -> None:
    of = model_in(zone)
    axis = axis_of(of, 38, 1)
    assert of.partitions.key(38) == "2026-11-12"
    texts = dict(zip(axis.get_xticks(), (label.get_text() for label in axis.get_xticklabels()), strict=True))
    (day,) = set(axis.lines[0].get_xdata())
    assert texts[date2num(day)] == "12"
    assert axis.xaxis.get_offset_text().get_text() == "2026-Nov"


def test_an_hour_is_drawn_at_its_hour_where_the_model_is() -> None:
    of = model_in("Asia/Tokyo", "hour")
    axis = axis_of(of, 38 * 24 + 9, 1)
    texts = dict(zip(axis.get_xticks(), (label.get_text() for label in axis.get_xticklabels()), strict=True))
    (hour,) = set(axis.lines[0].get_xdata())
    assert texts[date2num(hour)] == "09:00"
    assert axis.xaxis.get_offset_text().get_text() == "2026-Nov-12"
