"""Every kind of saved model, in one place: which files a folder holds, and what they are loaded as.

Here: the list of kinds. Not here: their formats (`model_files`, `sklearn_classifier`). Never a pickle: nothing that is
loaded from the store may run code.
"""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ml_assets.models import gbdt
from ml_assets.models.model_files import MODEL_FILE


class SavedModel(Protocol):
    """What a loaded model can do, whatever its kind."""

    @property
    def columns(self) -> list[str]:
        """The columns that it needs."""

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the probability of the outcome for each row, float64, shape (n,)."""

    def unlike_training(self, frame: pd.DataFrame) -> dict[str, str]:
        """What these rows hold that training did not, by column, in words and numbers, as far as the model knows."""

    def save(self, folder: Path) -> None:
        """Write it; equal models give equal bytes. Raises: ValueError where it cannot be loaded without its code."""


def as_saved(model: Any) -> SavedModel:
    """A GbdtModel as it is; a fitted scikit-learn classifier or Pipeline as what it is loaded as.

    Raises: ValueError for a model of another kind.
    """
    if isinstance(model, gbdt.GbdtModel):
        return model
    from ml_assets.models.sklearn_classifier import SklearnClassifier  # skops loads slowly

    return model if isinstance(model, SklearnClassifier) else SklearnClassifier(model)


def save_model(model: Any, folder: Path) -> None:
    """Write a GbdtModel, or a fitted scikit-learn classifier or Pipeline, into `folder`.

    Equal models give equal bytes. Raises: ValueError for a model of another kind, or that cannot be loaded without
    running code.
    """
    as_saved(model).save(folder)


def load_model(folder: Path) -> SavedModel:
    """Read the model that `save_model` wrote into `folder`.

    Raises: FileNotFoundError where there is none; ValueError for one that is not as it was saved.
    """
    if (folder / MODEL_FILE).exists():
        return gbdt.load(folder)
    from ml_assets.models import sklearn_classifier

    if (folder / sklearn_classifier.SKOPS_FILE).exists():
        return sklearn_classifier.load(folder)
    raise FileNotFoundError(
        f"{folder} holds no saved model: expected {MODEL_FILE} with schema.json (of a GbdtModel), or "
        f"{sklearn_classifier.SKOPS_FILE} (of a scikit-learn classifier), as save_model writes them"
    )
