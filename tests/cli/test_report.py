"""Metrics over partitions and over horizons, from a few judgements; the demo's test writes a report of real ones."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ml_assets.cli.report import number, render
from ml_assets.cli.results import Judgement, maturity_curve
from ml_assets.data.store import Artifact
from ml_assets.domain.durations import Duration
from ml_assets.domain.spec import Model
from ml_assets.metrics.registry import ALL_METRICS
from tests.orchestration.conftest import model

NAN = float("nan")


def judgement(partition: str, horizon: str, value: float, *, of: Model | None = None) -> Judgement:
    """A judgement whose metrics all have one value."""
    rows = [
        {
            "metric": metric.name,
            "value": value,
            "low": NAN,
            "high": NAN,
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
    assert number(NAN, NAN, NAN) == "-"
    assert number(0.1234, NAN, NAN) == "0.123"
    assert number(0.1234, 0.1, 0.2) == "0.123 [0.100, 0.200]"
