"""What the standard notebooks report and show: numbers that become metadata of a partition, and small tables.

Examples are pandas or Spark frames; of Spark's no more is collected than what is shown.
"""

from typing import Any

import pandas as pd

from ml_assets.notebooks.frames import Frame, to_pandas

_DAY = 86_400


def describe_examples(examples: Frame) -> dict[str, int | float]:
    """Count labelled examples: rows, positives, mature rows, and the positive rate where there are rows."""
    rows, positives, mature = _counts(examples)
    numbers: dict[str, int | float] = {"rows": rows, "positives": positives, "mature_rows": mature}
    if rows:
        numbers["positive_rate"] = positives / rows
    return numbers


def _counts(examples: Frame) -> tuple[int, int, int]:
    if isinstance(examples, pd.DataFrame):
        return len(examples), int(examples["label"].sum()), int(examples["mature"].sum())
    row = examples.selectExpr("count(*)", "sum(label)", "count_if(mature)").first()
    return (row[0], row[1] or 0, row[2]) if row else (0, 0, 0)


def first_rows(table: Frame, rows: int = 5) -> pd.DataFrame:
    """Some rows to look at."""
    return table.head(rows) if isinstance(table, pd.DataFrame) else to_pandas(table.limit(rows))


def rate_by_age(examples: Frame) -> pd.Series:
    """The positive rate by the whole days that lie between the exposure and the end of what was observed."""
    if isinstance(examples, pd.DataFrame):
        days = (examples["label_age"] // _DAY).astype(int).rename("days")
        return examples.groupby(days)["label"].mean()
    days_and_labels = examples.selectExpr(f"CAST(floor(label_age / {_DAY}) AS BIGINT) AS days", "label")
    found = to_pandas(days_and_labels.groupBy("days").agg({"label": "mean"}))
    return found.set_index("days")["avg(label)"].rename("label").sort_index()


def label_counts(examples: Frame) -> pd.Series:
    """How many examples have each label, the more frequent first."""
    if isinstance(examples, pd.DataFrame):
        return examples["label"].value_counts()
    counts = to_pandas(examples.groupBy("label").count())
    return counts.set_index("label")["count"].sort_values(ascending=False)


def describe_metrics(metrics: pd.DataFrame) -> dict[str, int | float | str]:
    """Values and intervals of a table of metrics; what is absent, or says less than it seems, is given in words."""
    numbers: dict[str, int | float | str] = {"rows": int(metrics["examples"].iloc[0])}
    for row in metrics.itertuples():
        bounds = {row.metric: row.value, f"{row.metric}_low": row.low, f"{row.metric}_high": row.high}
        numbers.update({name: value for name, value in bounds.items() if pd.notna(value)})
        if note := "; ".join(filter(None, (_if_calibrated(row), row.reason))):
            numbers[f"{row.metric}_note"] = note
    return numbers


def _if_calibrated(row: Any) -> str:
    low, high = getattr(row, "calibrated_low", None), getattr(row, "calibrated_high", None)
    # A notebook of one's own may describe a table that has no such columns.
    if pd.isna(low) or pd.isna(high):
        return ""
    return f"a calibrated model would score {low:.4g} to {high:.4g} (95 %) on these predictions"
