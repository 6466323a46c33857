"""Which examples to train on while outcomes are still to come, and how much each of them counts.

Of a young exposure only the quick outcomes have come. To take it as it looks biases a model downwards; to leave out
only those without an outcome biases it upwards. Mature examples alone are right, but old. With the weights of this
module the others are right on average too: where a share F of the outcomes has come by an example's age, an outcome
stands for 1/F outcomes, and what looks like none counts as far as it is likely to stay none.

Here: the share and the weights. Not here: how a label and its age are made (`data.labels`), LightGBM (`gbdt`).
"""

from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_assets.models.encoders import as_numbers, only_column
from ml_assets.models.gbdt import GbdtConfig, train

Floats = NDArray[np.float64]

#: Examples so young that less than this share of their outcomes has come are left out, with an outcome or without:
#: chosen by age alone, those that stay are right on average, which they are not after large weights were cut off. So
#: no weight exceeds 10, and where nothing can have come yet, nothing is concluded from it.
LEAST_SHARE = 0.1


def training_examples(
    examples: pd.DataFrame, config: GbdtConfig, cutoff: datetime
) -> tuple[pd.DataFrame, Floats | None]:
    """The rows to train on and their weights, shape (n,), by the config key `examples`.

    `mature`: the mature rows, which all count alike (None). `all`: each row old enough, weighted by
    `feedback_shift_weights` with the predictions of a model of the mature rows.
    Raises: ValueError where nothing can be learned from the mature rows.
    """
    mature = examples[examples["mature"]]
    if config.examples == "mature":
        return mature, None
    delays = observed_delays(examples, cutoff)
    weight = feedback_shift_weights(examples, train(mature, config).predict(examples), delays)
    return examples[weight > 0], weight[weight > 0]


def observed_delays(examples: pd.DataFrame, cutoff: datetime) -> Floats:
    """Seconds from exposure to outcome of the mature examples that have one, ascending, shape (m,).

    Mature alone, since of the others only the quick outcomes are seen. An outcome counts from its event time on: the
    log's `known_delay` has to leave its row the time to arrive.
    Columns: `label`, `label_age` (seconds), `mature`, `outcome_time`.
    Raises: ValueError when there is none, or when `cutoff` is not the one that the labels were made at.
    """
    if cutoff.tzinfo is None:
        raise ValueError(f"cutoff is {cutoff}: expected a datetime with a time zone")
    mature = examples[examples["mature"]]
    positive = mature[mature["label"] == 1]
    if positive.empty:
        raise ValueError(
            f"none of the {len(mature)} mature examples (of {len(examples)}) has an outcome, so how long outcomes take "
            "is not known: expected a training window longer than the attribution, with outcomes"
        )
    outcome_age = (pd.Timestamp(cutoff) - only_column(positive, "outcome_time")).dt.total_seconds().to_numpy()
    delays = as_numbers(only_column(positive, "label_age")) - outcome_age
    strange = ~((outcome_age > 0) & (delays >= 0))
    if strange.any():
        raise ValueError(
            f"cutoff is {cutoff}, but {strange.sum()} outcomes did not come between their exposure and then: "
            "expected the cutoff that the labels were made at"
        )
    return np.sort(delays)


def share_arrived(delays: Floats, age: Floats) -> Floats:
    """The share of the outcomes that come before each age in seconds: 0 at first, 1 at the attribution and beyond.

    Shapes: delays (m,), ascending, age (n,) -> (n,). The empirical distribution, the same for every example.
    """
    return np.asarray(np.searchsorted(delays, age, side="left") / len(delays))


def feedback_shift_weights(examples: pd.DataFrame, prediction: Floats, delays: Floats) -> Floats:
    """How much each example counts, so that the labels known at the cutoff teach the labels they become.

    With F the share of outcomes that has come by the example's age and p its predicted probability: 1/F with an
    outcome, (1 - p)/(1 - p F) without; 1 where the example is mature, 0 where F is below LEAST_SHARE.
    Shapes: prediction (n,), the probability of an outcome within the attribution; delays (m,) -> (n,), from 0 to 10.
    Columns: `label`, `label_age` (seconds), `mature`. Raises: ValueError for a prediction that is no probability.
    Source: Yasui, Morishita, Fujita and Shibata, "A Feedback Shift Correction in Predicting Conversion Rates under
    Delayed Feedback", WWW 2020; with the delay independent of the features.
    """
    if prediction.shape != (len(examples),) or not ((prediction >= 0) & (prediction <= 1)).all():
        raise ValueError(f"prediction is {prediction!r}: expected {len(examples)} probabilities, one for each example")
    share = share_arrived(delays, as_numbers(only_column(examples, "label_age")))
    share[only_column(examples, "mature").to_numpy(dtype=bool)] = 1.0
    old_enough = share >= LEAST_SHARE
    of_positive = np.divide(1.0, share, out=np.zeros_like(share), where=old_enough)
    # Where all has come, no outcome is none for certain, whatever was predicted.
    of_negative = np.divide(1 - prediction, 1 - prediction * share, out=np.ones_like(share), where=share < 1)
    weight = np.where(only_column(examples, "label") == 1, of_positive, of_negative)
    return np.where(old_enough, weight, 0.0)
