"""The numbers that the standard notebooks report, which become metadata of a partition."""

import pandas as pd


def describe_examples(examples: pd.DataFrame) -> dict[str, int | float]:
    """Count labelled examples: rows, positives, mature rows, and the positive rate where there are rows."""
    rows, positives = len(examples), int(examples["label"].sum())
    numbers: dict[str, int | float] = {
        "rows": rows,
        "positives": positives,
        "mature_rows": int(examples["mature"].sum()),
    }
    if rows:
        numbers["positive_rate"] = positives / rows
    return numbers


def describe_metrics(metrics: pd.DataFrame) -> dict[str, int | float | str]:
    """Values and intervals of a table of metrics; what is absent, or says less than it seems, is given in words."""
    numbers: dict[str, int | float | str] = {"rows": int(metrics["examples"].iloc[0])}
    for row in metrics.itertuples():
        bounds = {row.metric: row.value, f"{row.metric}_low": row.low, f"{row.metric}_high": row.high}
        numbers.update({name: value for name, value in bounds.items() if pd.notna(value)})
        if row.reason:
            numbers[f"{row.metric}_note"] = row.reason
    return numbers
