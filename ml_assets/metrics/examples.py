"""Which labels and predictions an evaluation accepts. Anything else is refused by position, value and remedy."""

import numpy as np
import numpy.typing as npt

from ml_assets.metrics.metric import Values


def checked(label: npt.ArrayLike, prediction: npt.ArrayLike) -> tuple[Values, Values]:
    """Labels and predictions as float64 arrays of shape (n,).

    Raises ValueError naming the first offending position when the lengths differ, a label is not 0 or 1, or a
    prediction is not a finite number in [0, 1]. Text is refused even where it spells a number.

    >>> checked([1, 0], [0.5, 1.5])
    Traceback (most recent call last):
    ValueError: prediction[1] is 1.5, should be a finite probability in [0, 1]
    """
    labels = _numbers("label", label, "should be 0 or 1")
    predictions = _numbers("prediction", prediction, "should be a finite probability in [0, 1]")
    if len(labels) != len(predictions):
        raise ValueError(
            f"label has {len(labels)} rows and prediction has {len(predictions)}, so position "
            f"{min(len(labels), len(predictions))} has only one of them: should be one of each per example"
        )
    _refuse_first("label", labels, ~np.isin(labels, (0, 1)), "should be 0 or 1")
    # Written as "not inside", because NaN is neither below 0 nor above 1.
    outside = ~((predictions >= 0) & (predictions <= 1))
    _refuse_first("prediction", predictions, outside, "should be a finite probability in [0, 1]")
    return labels, predictions


def _numbers(name: str, values: npt.ArrayLike, remedy: str) -> Values:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}, should have one dimension: a value per example")
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    # Decimals, missing values and text: each as it was given, for numpy makes text of a list that holds some text.
    given = enumerate(np.asarray(values, dtype=object))
    return np.array([_number(name, position, value, remedy) for position, value in given], dtype=np.float64)


def _number(name: str, position: int, value: object, remedy: str) -> float:
    try:
        if isinstance(value, str | bytes):
            raise TypeError("text")
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}[{position}] is {value!r}, {remedy}") from error


def _refuse_first(name: str, values: Values, wrong: npt.NDArray[np.bool_], remedy: str) -> None:
    if wrong.any():
        position = int(np.argmax(wrong))
        raise ValueError(f"{name}[{position}] is {values[position]:g}, {remedy}")
