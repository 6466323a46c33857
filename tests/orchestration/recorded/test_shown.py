"""What a notebook reported, as the Dagster UI shows it: few numbers, which are plotted, and the rest in words."""

from datetime import timedelta

import dagster as dg

from ml_assets.metrics.evaluate import evaluate
from ml_assets.metrics.expected_calibration_error import EXPECTED_CALIBRATION_ERROR as ECE
from ml_assets.notebooks.summary import describe_metrics
from ml_assets.orchestration.recorded.shown import shown

DAY = timedelta(days=1)


def plotted(found: dict[str, object]) -> list[str]:
    """What Dagster plots over partitions."""
    return [name for name, value in found.items() if isinstance(value, (int, float))]


def test_an_evaluation_plots_its_most_telling_metrics_and_says_the_rest_in_words() -> None:
    metrics = evaluate([1, 0, 0, 1] * 10, [0.9, 0.2, 0.7, 0.6] * 10, horizon=DAY, attribution=DAY, seed=0)
    found = shown(describe_metrics(metrics), metrics=True)
    assert plotted(found) == ["Normalized entropy", "Log loss", "ROC AUC", "Calibration ratio", "rows"]
    assert found["ROC AUC"] == 0.75
    rows = metrics.set_index("metric")
    row = rows.loc["roc_auc"]
    assert found["ROC AUC, 95 % interval"] == f"{row.low:.4g} to {row.high:.4g}"
    row = rows.loc["brier_score"]
    assert found["Brier score"] == f"{row.value:.4g}, 95 % interval {row.low:.4g} to {row.high:.4g}"


def test_the_calibration_error_stands_beside_what_a_calibrated_model_would_score() -> None:
    metrics = evaluate([1, 0, 0, 1] * 10, [0.9, 0.2, 0.7, 0.6] * 10, horizon=DAY, attribution=DAY, seed=0)
    found, row = shown(describe_metrics(metrics), metrics=True), metrics.set_index("metric").loc[ECE.name]
    assert found[ECE.title] == f"{row.value:.4g}"
    assert found[f"{ECE.title}, note"] == (
        f"a calibrated model would score {row.calibrated_low:.4g} to {row.calibrated_high:.4g} (95 %) on these predictions"
    )


def test_an_interval_of_too_few_positives_is_its_reason_instead() -> None:
    metrics = evaluate([1] * 6 + [0] * 60, [0.9] * 6 + [0.1] * 60, horizon=DAY, attribution=DAY, seed=0)
    found = shown(describe_metrics(metrics), metrics=True)
    assert found["ROC AUC"] == 1.0
    assert not [name for name in found if name.endswith("interval")]
    assert found["ROC AUC, note"] == "no interval: 6 positives among 66 examples, should be at least 10"


def test_why_a_metric_is_absent_or_says_less_than_it_seems_stands_beside_it() -> None:
    metrics = evaluate([1, 1], [0.9, 0.2], horizon=DAY, attribution=2 * DAY, seed=0)
    found = shown(describe_metrics(metrics), metrics=True)
    assert "ROC AUC" not in found
    assert found["ROC AUC, note"] == "one class only: no negative among 2 examples"
    assert "the horizon of 1 day is not the attribution of 2 days" in str(found["Log loss, note"])


def test_numbers_of_a_notebook_of_ones_own_are_plotted_by_their_words_with_an_interval_beside() -> None:
    found = shown(
        {"revenue_per_visit": 1.23456, "revenue_per_visit_low": 1.1, "revenue_per_visit_high": 1.4, "rows": 3}
    )
    assert found == {"revenue per visit": 1.23456, "revenue per visit, 95 % interval": "1.1 to 1.4", "rows": 3}


def test_a_bound_alone_and_a_note_that_is_a_number_are_numbers_like_others() -> None:
    assert shown({"price_low": 1.5, "bank_note": 20}) == {"price low": 1.5, "bank note": 20}


def test_numbers_of_each_of_some_numbered_things_are_one_table() -> None:
    numbers = {"position_1_click_rate": 0.3, "position_2_click_rate": 0.1, "rows": 5}
    numbers |= {"position_1_shown": 10, "position_3_shown": 20, "top_5_accuracy": 0.7}
    found = shown(numbers)
    assert plotted(found) == ["rows", "top 5 accuracy"]
    table = found["by position"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [record.data for record in table.records] == [
        {"position": 1, "click rate": 0.3, "shown": 10},
        {"position": 2, "click rate": 0.1, "shown": ""},
        {"position": 3, "click rate": "", "shown": 20},
    ]


def test_what_a_notebook_reports_by_the_title_of_something_else_is_shown_beside_it() -> None:
    numbers = {"by_position": 3, "position_1_rate": 0.1, "position_2_rate": 0.2, "rate": 0.1, "rate, note": 7}
    found = shown({**numbers, "rate_note": "few rows"})
    assert found["by position"] == 3
    assert isinstance(found["by position, too"], dg.TableMetadataValue)
    assert (found["rate, note"], found["rate, note, too"]) == (7, "few rows")
    assert shown({"ROC AUC": 0.1, "roc_auc": 0.9}, metrics=True) == {"ROC AUC": 0.9, "ROC AUC, too": 0.1}
