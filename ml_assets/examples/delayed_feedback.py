"""Ways to train on labels that are still changing, and how far each misses a truth that only a simulation knows.

For `notebooks/examples/delayed_feedback.py`. Here: which rows each way takes, and the tables that compare them. Not
here: labels (`data.labels`), weights and models (`models`).
"""

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import pandas as pd

from ml_assets.examples.conversion_delay import Floats

_DAY = 86_400.0


def unweighted_ways(examples: pd.DataFrame, *, window: timedelta, attribution: timedelta) -> dict[str, pd.DataFrame]:
    """The rows that each way without weights trains on, by its name.

    All but the gap take the `window` before the cutoff; the gap takes the same length, ended an attribution earlier.
    Columns: `label`, `label_age` (seconds before the cutoff) and `mature`, of exposures of `window` + `attribution`.
    """
    age = examples["label_age"]
    recent = examples[age <= window.total_seconds()]
    return {
        "naive": recent,
        "drop immature negatives": recent[recent["mature"] | (recent["label"] == 1)],
        "mature only": recent[recent["mature"]],
        "gap": examples[(age > attribution.total_seconds()) & (age <= (window + attribution).total_seconds())],
    }


def against_truth(predictions: Mapping[str, Floats], truth: Floats) -> pd.DataFrame:
    """How far predictions miss the true probability of each exposure; the last row is the truth itself.

    Shapes: each prediction and `truth` (n,). Returns, by the names of the predictions: `predicted_over_true`, mean over
    mean, 1 without bias; `log_loss`, in nats per exposure, as expected over the outcomes that the truth leaves open.
    """
    rows = {
        name: {"predicted_over_true": predicted.mean() / truth.mean(), "log_loss": _expected_log_loss(predicted, truth)}
        for name, predicted in {**predictions, "the truth": truth}.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def rates_by_age(examples: pd.DataFrame, weight: Floats, truth: Floats) -> pd.DataFrame:
    """The positive rate for each day of age: `as_known` at the cutoff, `weighted` and `true`.

    Shapes: weight and truth (n,). Columns: `label`, `label_age` (seconds). Index: `days`, the whole days of age.
    """
    days = (examples["label_age"] // _DAY).astype(int).rename("days")
    columns = {
        "label": examples["label"].to_numpy(dtype="float64"),
        "weight": weight,
        "positive": weight * examples["label"].to_numpy(),
        "truth": truth,
    }
    of_day = pd.DataFrame(columns, index=examples.index).groupby(days)
    mean = of_day.mean()
    return pd.DataFrame(
        {"as_known": mean["label"], "weighted": mean["positive"] / mean["weight"], "true": mean["truth"]}
    )


def _expected_log_loss(predicted: Floats, truth: Floats) -> float:
    return float(-(truth * np.log(predicted) + (1 - truth) * np.log1p(-predicted)).mean())
