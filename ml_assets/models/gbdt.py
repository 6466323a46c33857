"""Gradient-boosted trees for a yes-or-no outcome: a config, training, prediction, and a model saved as plain text.

Here: everything that runs LightGBM. Not here: encoding, LightGBM's parameter names, the file format.
"""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd

from ml_assets.domain.declared.near_misses import suggestion
from ml_assets.models import model_files
from ml_assets.models.calibration import log_odds_shift
from ml_assets.models.encoders import Encoder, as_numbers, only_column
from ml_assets.models.parameters import DEFAULTS, contract, resolve
from ml_assets.models.rates import FEW, folds_apart, rates_of_others, shrunk_rates, slots

# LightGBM writes feature names into a line of its text format, and itself refuses or rewrites these.
_UNWRITABLE = set('",:[]{} ')
_LARGEST = 2**31 - 1  # LightGBM's integers are 32-bit
_EXAMPLES = ("mature", "all")
_FORESTS = ("rf", "random_forest")


@dataclass(frozen=True)
class GbdtConfig:
    """What to train; ValueError names a key whose value is wrong. Parameters are kept under LightGBM's main names.

    `examples` says which are trained on: mature, or all with the weights of `models.delayed_feedback`, which reads it.
    """

    features: list[str]
    categorical: list[str] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    rounds: int = 100
    seed: int = 0
    examples: str = "mature"

    def __post_init__(self) -> None:
        _require_names("features", self.features)
        _require_names("categorical", self.categorical)
        if not self.features:
            raise ValueError("config key 'features' is []: expected at least one column name")
        for name in self.features:
            _require_writable(name)
        for name in self.categorical:
            if name not in self.features:
                hint = suggestion(name, self.features)
                raise ValueError(f"config key 'categorical' names {name!r}: expected names among the features{hint}")
        _require_mapping("config key 'parameters'", self.parameters)
        _require_integer("rounds", self.rounds, at_least=1)
        _require_integer("seed", self.seed, at_least=0)
        if self.examples not in _EXAMPLES:
            expected = " or ".join(map(repr, _EXAMPLES))
            raise ValueError(f"config key 'examples' is {self.examples!r}: expected {expected}")
        object.__setattr__(self, "features", list(self.features))
        # In the order of the features, so that configs that mean the same make the same bytes.
        object.__setattr__(self, "categorical", [name for name in self.features if name in self.categorical])
        object.__setattr__(self, "parameters", resolve(self.parameters))

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> "GbdtConfig":
        """Parse a model's `config`, as a notebook gets it."""
        _require_mapping("config", config)
        known = [one.name for one in fields(cls)]
        for key, value in config.items():
            if key not in known:
                hint = suggestion(key, known)
                raise ValueError(f"config key {key!r} (value {value!r}) is unknown{hint}: expected {', '.join(known)}")
        if "features" not in config:
            raise ValueError("config key 'features' is missing: expected a list of column names")
        return cls(**config)


@dataclass(frozen=True)
class GbdtModel:
    """A trained model: LightGBM's text, and the encoding it was trained with."""

    text: str
    encoder: Encoder
    config: GbdtConfig
    label: str
    rows: int
    positives: int

    @property
    def columns(self) -> list[str]:
        """The columns that it needs."""
        return list(self.config.features)

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the probability of a positive label for each row, shape (n,).

        Warns of what the rows hold that training did not: `unlike_training`.
        """
        encoded, notes = self.encoder.transform_with_notes(frame)
        if notes:
            warnings.warn("; ".join(notes.values()), stacklevel=2)
        matrix = encoded.to_numpy()
        # One thread: a process that forks after LightGBM started a thread pool can hang.
        return np.asarray(self._booster.predict(matrix, num_threads=1), dtype="float64")

    def unlike_training(self, frame: pd.DataFrame) -> dict[str, str]:
        """What these rows hold that training did not, by feature, in words: such as a value that training never lacked.

        The trees still predict such rows, but learned nothing of them: a number that is missing is taken for 0.
        """
        return self.encoder.transform_with_notes(frame)[1]

    def importance(self) -> pd.DataFrame:
        """Return columns feature and gain (the total that splits on it gained), the largest gain first."""
        gains = self._booster.feature_importance("gain")
        table = pd.DataFrame({"feature": self.config.features, "gain": gains})
        return table.sort_values("gain", ascending=False, kind="stable", ignore_index=True)

    def save(self, folder: Path) -> None:
        """Write model.txt and schema.json; equal training data and config give equal bytes."""
        schema = {
            "label": self.label,
            "training": {"rows": self.rows, "positives": self.positives},
            "config": asdict(self.config),
            "features": self.encoder.to_json(),
        }
        model_files.write(folder, self.text, schema)

    @cached_property
    def _booster(self) -> lgb.Booster:
        # Always read back from the text, so that a model predicts the same before and after it is saved.
        return lgb.Booster(model_str=self.text)


def train(
    examples: pd.DataFrame, config: GbdtConfig, label: str = "label", weight: np.ndarray | None = None
) -> GbdtModel:
    """Train on the rows of `examples`, whose order does not matter; ValueError where nothing can be learned.

    `weight`, shape (n,): how much each row counts, None for all alike. A row of weight 0 is as if it were not there.
    """
    if label in config.features:
        raise ValueError(f"{label!r} is both the label and a feature: the model would read the answer")
    if weight is not None:
        _require_weights(weight, len(examples))
        examples, weight = examples[weight > 0], weight[weight > 0]
    labels = _labels(examples, label)
    encoder = Encoder.fit(examples, config.features, config.categorical)
    matrix = encoder.transform(examples).to_numpy()
    # A canonical order: sums of floats and sampled rows depend on the order LightGBM sees.
    order = np.lexsort((labels, *matrix.T) if weight is None else (weight, labels, *matrix.T))
    codes, labels = matrix[order], labels[order]
    weight = None if weight is None else weight[order]
    rates, seen, known = _rates(codes, labels, weight, encoder, config)
    encoder = encoder.with_rates(rates)
    booster = _boosted(seen, labels, weight, encoder, config)
    # Of rates, training and prediction see others; else LightGBM has the predictions of its rows at hand.
    predicted = np.asarray(booster.predict(known, num_threads=1)) if rates else _of_training(booster)
    _calibrate(booster, predicted, labels, weight, config)
    return GbdtModel(booster.model_to_string(), encoder, config, label, len(labels), int(labels.sum()))


def load(folder: Path) -> GbdtModel:
    """Read a saved model; FileNotFoundError or ValueError says which file is missing, edited or of another format."""
    text, schema = model_files.read(folder)
    return GbdtModel(
        text=text,
        encoder=Encoder.from_json(schema["features"]),
        config=GbdtConfig.from_mapping(schema["config"]),
        label=schema["label"],
        rows=schema["training"]["rows"],
        positives=schema["training"]["positives"],
    )


def _labels(examples: pd.DataFrame, label: str) -> np.ndarray:
    labels = as_numbers(only_column(examples, label))
    if not labels.size:
        raise ValueError("there are no training rows: expected rows with both labels")
    missing = int(np.isnan(labels).sum())
    if missing:
        raise ValueError(f"label {label!r} is missing in {missing} of {len(labels)} rows: expected 0 or 1 in each")
    others = np.setdiff1d(labels, [0.0, 1.0])
    if others.size:
        raise ValueError(f"label {label!r} holds {others[:5].tolist()}: expected only 0 and 1")
    positives = int(labels.sum())
    if positives in (0, len(labels)):
        raise ValueError(
            f"label {label!r} has one class only: {positives} positive and {len(labels) - positives} negative rows; "
            "expected both"
        )
    return labels


def _require_weights(weight: np.ndarray, rows: int) -> None:
    if weight.shape != (rows,):
        raise ValueError(f"weight has the shape {weight.shape}: expected ({rows},), one for each row")
    wrong = weight[~(np.isfinite(weight) & (weight >= 0))]
    if wrong.size:
        raise ValueError(f"weight holds {wrong[:5].tolist()}: expected finite numbers that are not negative")


def _rates(
    codes: np.ndarray, labels: np.ndarray, weight: np.ndarray | None, encoder: Encoder, config: GbdtConfig
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """The rates of the categories of many values; the matrix with what the trees may see in training; that of later."""
    rates, seen, known = {}, codes.copy(), codes.copy()
    every = np.ones(len(labels)) if weight is None else weight
    counts = [len(feature.categories or ()) for feature in encoder.features]
    folds = folds_apart(codes[:, [count <= FEW for count in counts]], config.seed)
    for at, (feature, values) in enumerate(zip(encoder.features, counts, strict=True)):
        if values > FEW:
            rates[feature.name] = shrunk_rates(codes[:, at], labels, every, values)
            seen[:, at] = rates_of_others(codes[:, at], labels, every, values, folds)
            known[:, at] = rates[feature.name][slots(codes[:, at], values)]
    return rates, seen, known


def _of_training(booster: lgb.Booster) -> np.ndarray:
    """What it predicts for the rows that it was trained on; a tenth as long as to predict them takes."""
    found: list[np.ndarray] = []

    def keep(predicted: np.ndarray, _: lgb.Dataset) -> tuple[str, float, bool]:
        found.append(predicted.copy())
        return "", 0.0, True

    booster.eval_train(keep)
    return found[0]


def _calibrate(
    booster: lgb.Booster, predicted: np.ndarray, labels: np.ndarray, weight: np.ndarray | None, config: GbdtConfig
) -> None:
    """Shift the log-odds so that the mean of what is predicted for the training rows is their rate.

    Shrunk leaves and few rounds leave it off by some percent. The shift becomes a part of the leaves, as LightGBM does
    with the rate that it begins with.
    """
    eps = np.finfo(np.float64).eps
    inside = np.clip(predicted, eps, 1 - eps)
    shift = log_odds_shift(np.log(inside / (1 - inside)), float(np.average(labels, weights=weight)), weight)
    # A random forest has the mean of its trees, the others the sum.
    trees = booster.num_trees() if config.parameters.get("boosting") in _FORESTS else 1
    for tree in booster.dump_model(num_iteration=trees)["tree_info"]:
        for leaf in range(tree["num_leaves"]):
            number = tree["tree_index"], leaf
            booster.set_leaf_output(*number, booster.get_leaf_output(*number) + shift)


def _boosted(
    matrix: np.ndarray, labels: np.ndarray, weight: np.ndarray | None, encoder: Encoder, config: GbdtConfig
) -> lgb.Booster:
    parameters = {**DEFAULTS, **config.parameters, **contract(config.seed)}
    categorical = [at for at, one in enumerate(encoder.features) if one.categories is not None and one.rates is None]
    data = lgb.Dataset(matrix, labels, weight=weight, feature_name=config.features, categorical_feature=categorical)
    try:
        return lgb.train(parameters, data, num_boost_round=config.rounds, keep_training_booster=True)
    except lgb.basic.LightGBMError as error:
        raise ValueError(f"LightGBM refused to train with the parameters {config.parameters}: {error}") from error


def _require_mapping(what: str, value: Any) -> None:
    match value:
        case Mapping():
            return
    raise ValueError(f"{what} is {value!r}: expected a mapping of names to values")


def _require_names(key: str, names: Any) -> None:
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"config key {key!r} is {names!r}: expected a list of column names")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"config key {key!r} is {names!r}: expected each name once, but {twice} repeat")


def _require_writable(name: str) -> None:
    if not name or not name.isprintable() or _UNWRITABLE & set(name):
        raise ValueError(
            f"config key 'features' names {name!r}: expected names without spaces, control characters "
            'and any of " , : [ ] { }; rename the column'
        )


def _require_integer(key: str, value: Any, *, at_least: int) -> None:
    # Exactly int: True is one in Python, and no seed.
    if type(value) is not int or not at_least <= value <= _LARGEST:
        raise ValueError(f"config key {key!r} is {value!r}: expected an integer from {at_least} to {_LARGEST}")
