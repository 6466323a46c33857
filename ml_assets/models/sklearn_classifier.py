"""A fitted scikit-learn classifier of a yes-or-no outcome as a model: one file, model.skops, which is no pickle.

Here: what such a model must be, its prediction and its file. Not here: which estimator, and how it is fitted.
"""

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

import numpy as np
import pandas as pd
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from skops.io.exceptions import UntrustedTypesFoundException

from ml_assets.domain.declared.near_misses import suggestions
from ml_assets.models.plain import flattened, rebuilt

SKOPS_FILE = "model.skops"
#: What is loaded beside what skops trusts by default: classes that hold data alone, and functions of numbers.
_TRUSTED = [
    "ml_assets.models.plain.Plain",
    # Columns by pattern and by dtype, as `np.number` and `object`.
    "sklearn.compose._column_transformer.make_column_selector",
    "builtins.object",
    *(f"numpy.{name}" for name in ("number", "integer", "floating")),
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    *(f"sklearn.feature_selection._univariate_selection.{name}" for name in ("chi2", "f_classif", "f_regression")),
    *(f"sklearn.feature_selection._mutual_info.mutual_info_{kind}" for kind in ("classif", "regression")),
    *(f"numpy.{name}" for name in ("clip", "mean", "median", "nan_to_num", "round")),
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
    "functools.partial",
]


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
        """The columns that it reads, in the order in which it was fitted on them."""
        read = _read_by(self.estimator)
        return [str(name) for name in self.estimator.feature_names_in_ if name in read]

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the probability of class 1 for each row, shape (n,).

        Raises: ValueError for columns that are missing, and for one whose categories would all be unseen.
        """
        missing = [name for name in self.columns if name not in frame.columns]
        if missing:
            hint = suggestions(missing, frame.columns)
            raise ValueError(f"columns {missing} are missing{hint}; the columns present are {list(frame.columns)}")
        if frame.empty:
            return np.empty(0)  # scikit-learn refuses to predict nothing
        for encoder in _first_encoders(self.estimator):
            _refuse_another_family(encoder, frame)
        return np.asarray(self.estimator.predict_proba(frame[self.columns])[:, 1], dtype="float64")

    def unlike_training(self, frame: pd.DataFrame) -> dict[str, str]:  # noqa: ARG002
        """Nothing: what scikit-learn's estimators cannot predict they refuse, and what to do with it is declared."""
        return {}

    def save(self, folder: Path) -> None:
        """Write model.skops; equal fitted models give equal bytes.

        Raises: ValueError for an estimator that cannot be loaded again without running code of its own.
        """
        dump, why_not = _dump(self.estimator)
        if why_not:
            # Of a search, what it found.
            best = "save its best_estimator_ instead; " if hasattr(self.estimator, "best_estimator_") else ""
            raise ValueError(
                f"{_holder(self.estimator)} {why_not}: {best}expected what is data when it is loaded, such as "
                "scikit-learn's own transformers, linear models, trees and neighbours, and functions of numpy; make a "
                "column of another kind in the notebooks of training and evaluation data (for boosted trees: "
                "ml_assets.models.gbdt)"
            )
        _load(dump)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SKOPS_FILE).write_bytes(_canonical(dump))


def load(folder: Path) -> SklearnClassifier:
    """Read a saved classifier: types that skops trusts by default, and what `plain` makes of checked arrays.

    scikit-learn warns where it was saved under another version. Raises: FileNotFoundError; ValueError for what is no
    such file.
    """
    path = folder / SKOPS_FILE
    try:
        return SklearnClassifier(_load(path.read_bytes()))
    except UntrustedTypesFoundException as error:
        raise ValueError(f"{path} was not written by save: {error}") from error
    except (BadZipFile, ValueError, KeyError, TypeError, AttributeError, ImportError, RecursionError) as error:
        raise ValueError(f"{path} is no file of skops: {error}") from error


def _read_by(estimator: Any) -> set[Any]:
    """The columns that an estimator reads of those that it was fitted on: a ColumnTransformer drops some."""
    if isinstance(estimator, Pipeline) and hasattr(estimator.steps[0][1], "feature_names_in_"):
        return _read_by(estimator.steps[0][1])
    names = estimator.feature_names_in_
    if not isinstance(estimator, ColumnTransformer):
        return set(names)
    places = estimator._transformer_to_input_indices
    return {names[place] for name, part, _ in estimator.transformers_ if part != "drop" for place in places[name]}


def _first_encoders(estimator: Any) -> Iterator[Any]:
    """What knows the categories of columns as they are given, before another step makes others of them."""
    if isinstance(estimator, Pipeline):
        yield from _first_encoders(estimator.steps[0][1])
    elif isinstance(estimator, (ColumnTransformer, FeatureUnion)):
        for _, part in _steps(estimator):
            yield from _first_encoders(part)
    elif hasattr(estimator, "categories_") and hasattr(estimator, "feature_names_in_"):
        yield estimator


def _refuse_another_family(encoder: Any, frame: pd.DataFrame) -> None:
    """An encoder that ignores what it has not seen would ignore all in silence."""
    for name, categories in zip(encoder.feature_names_in_, encoder.categories_, strict=False):
        trained, arrived = (_families(pd.Series(values).dropna().unique()) for values in (categories, frame[name]))
        if trained and arrived and trained.isdisjoint(arrived):
            raise ValueError(
                f"column {name!r} was fitted on {trained.pop()} and now holds only {arrived.pop()}: "
                "every value would be unseen; give it the type it had in training"
            )


def _families(values: Iterable[Any]) -> set[str]:
    return {"text" if isinstance(value, str) else "values that are no text" for value in values}


def _load(dump: bytes) -> Any:
    return rebuilt(skops.io.loads(dump, trusted=_TRUSTED))


def _dump(estimator: Any) -> tuple[bytes, str | None]:
    """The bytes of an estimator, and why they could not be loaded."""
    try:
        dump = skops.io.dumps(flattened(estimator))
    except TypeError as error:
        return b"", f"cannot be saved with skops: {error}"
    untrusted = [name for name in skops.io.get_untrusted_types(data=dump) if name not in _TRUSTED]
    return dump, f"holds {', '.join(untrusted)}, which skops does not load without trust" if untrusted else None


def _holder(estimator: Any) -> str:
    """The innermost step that has no bytes, with those that it lies in."""
    kind = type(estimator).__name__
    for name, part in _steps(estimator):
        if _dump(part)[1]:
            return f"{_holder(part)} in step {name!r} of {kind}"
    return kind


def _steps(estimator: Any) -> list[tuple[str, Any]]:
    """The named parts of a Pipeline, a ColumnTransformer or a FeatureUnion."""
    for attribute in ("steps", "transformers_", "transformer_list"):
        if found := getattr(estimator, attribute, None):
            return [(str(name), part) for name, part, *_ in found]
    return []


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
