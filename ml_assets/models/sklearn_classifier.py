"""A fitted scikit-learn classifier of a yes-or-no outcome as a model: one file, model.skops, which is no pickle.

Here: what such a model must be, its prediction and its file. Not here: which estimator, and how it is fitted.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

import numpy as np
import pandas as pd
import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from ml_assets.domain.near_misses import suggestions

SKOPS_FILE = "model.skops"


@dataclass(frozen=True)
class SklearnClassifier:
    """A fitted classifier or Pipeline; ValueError says what keeps `estimator` from being one."""

    estimator: Any

    def __post_init__(self) -> None:
        kind = type(self.estimator).__name__
        if not hasattr(self.estimator, "predict_proba") or not hasattr(self.estimator, "classes_"):
            raise ValueError(f"{kind} is no model: expected a fitted scikit-learn classifier that has predict_proba")
        if not np.array_equal(self.estimator.classes_, [0, 1]):
            raise ValueError(f"{kind} has the classes {self.estimator.classes_}: expected 0 and 1, or False and True")
        if not hasattr(self.estimator, "feature_names_in_"):
            raise ValueError(f"{kind} knows no names of columns: fit it on a DataFrame whose columns are named by text")

    @property
    def columns(self) -> list[str]:
        """The columns that it was fitted on, in their order."""
        return [str(name) for name in self.estimator.feature_names_in_]

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the probability of class 1 for each row, shape (n,); ValueError names the columns that are missing."""
        missing = [name for name in self.columns if name not in frame.columns]
        if missing:
            hint = suggestions(missing, frame.columns)
            raise ValueError(f"columns {missing} are missing{hint}; the columns present are {list(frame.columns)}")
        if frame.empty:
            return np.empty(0)  # scikit-learn refuses to predict nothing
        return np.asarray(self.estimator.predict_proba(frame[self.columns])[:, 1], dtype="float64")

    def save(self, folder: Path) -> None:
        """Write model.skops; equal fitted models give equal bytes.

        Raises: ValueError for an estimator that cannot be loaded again without trusting code.
        """
        kind = type(self.estimator).__name__
        try:
            dump = skops.io.dumps(self.estimator)
        except TypeError as error:
            raise ValueError(f"{kind} cannot be saved with skops: {error}") from error
        untrusted = skops.io.get_untrusted_types(data=dump)
        if untrusted:
            raise ValueError(
                f"{kind} holds {', '.join(untrusted)}, which skops does not load without trust: expected only "
                "what it trusts by default, such as scikit-learn's linear models and encoders (for trees, models.gbdt)"
            )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SKOPS_FILE).write_bytes(_canonical(dump))


def load(folder: Path) -> SklearnClassifier:
    """Read a saved classifier, of the types that skops trusts by default alone.

    scikit-learn warns where it was saved under another version. Raises: FileNotFoundError; ValueError for what is no
    such file.
    """
    path = folder / SKOPS_FILE
    try:
        return SklearnClassifier(skops.io.load(path))
    except UntrustedTypesFoundException as error:
        raise ValueError(f"{path} was not written by save: {error}") from error
    except (BadZipFile, KeyError) as error:
        raise ValueError(f"{path} is no file of skops: {error}") from error


def _canonical(dump: bytes) -> bytes:
    """The same dump with ids and file names by order of appearance, for skops takes them from memory, and no times."""
    ids: dict[int, int] = {}
    names: dict[str, str] = {}

    def renamed(node: dict[str, Any]) -> dict[str, Any]:
        # A stored dict may have keys of these names too; its values are nodes, neither numbers nor text.
        match node:
            case {"__id__": int(number)}:
                node["__id__"] = ids.setdefault(number, len(ids) + 1)
        match node:
            case {"file": str(name)}:
                node["file"] = names.setdefault(name, f"{len(names) + 1}{Path(name).suffix}")
        return node

    result = io.BytesIO()
    with ZipFile(io.BytesIO(dump)) as source, ZipFile(result, "w") as target:
        schema = json.loads(source.read("schema.json"), object_hook=renamed)
        # A ZipInfo made by name alone has a fixed time.
        target.writestr(ZipInfo("schema.json"), json.dumps(schema))
        for name, new_name in names.items():
            target.writestr(ZipInfo(new_name), source.read(name))
    return result.getvalue()
