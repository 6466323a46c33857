"""The click model of the example `fashion/click`: a logistic regression of position, item, user and affinity.

Position is a feature because it decides whether an item is looked at. Held at 1 for every row, it ranks items by their
relevance alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ml_assets.domain.declared.near_misses import suggestions

POSITION = "position"


@dataclass(frozen=True)
class ClickConfig:
    """What to train; ValueError names a key whose value is wrong.

    `categorical` and `numeric` name the features; `regularization` is scikit-learn's 1/C.
    """

    categorical: list[str]
    numeric: list[str] = field(default_factory=list)
    regularization: float = 1.0

    def __post_init__(self) -> None:
        for key in ("categorical", "numeric"):
            names = getattr(self, key)
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ValueError(f"config key {key!r} is {names!r}: expected a list of column names")
        if POSITION not in self.categorical:
            raise ValueError(f"config key 'categorical' is {self.categorical!r}: expected {POSITION!r} among them")
        if len(set(self.features)) < len(self.features):
            raise ValueError(f"config keys 'categorical' and 'numeric' name {self.features}: expected each name once")
        strength = self.regularization
        if isinstance(strength, bool) or not isinstance(strength, int | float) or not strength > 0:
            raise ValueError(f"config key 'regularization' is {strength!r}: expected a number above 0")

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> "ClickConfig":
        """Parse a model's `config`, as a notebook gets it."""
        known = [one.name for one in fields(cls)]
        for key, value in config.items():
            if key not in known:
                raise ValueError(f"config key {key!r} (value {value!r}) is unknown: expected {', '.join(known)}")
        if "categorical" not in config:
            raise ValueError("config key 'categorical' is missing: expected a list of column names")
        return cls(**config)

    @property
    def features(self) -> list[str]:
        """The columns that the model reads."""
        return [*self.categorical, *self.numeric]


def fit(examples: pd.DataFrame, config: ClickConfig) -> Pipeline:
    """Fit on the rows of `examples`, whose order does not matter, and their `label`.

    Raises: ValueError for a feature that is no column, or where all labels are alike.
    """
    missing = [name for name in config.features if name not in examples.columns]
    if missing:
        hint = suggestions(missing, examples.columns)
        raise ValueError(f"config names the features {missing}{hint}, but the columns are {list(examples.columns)}")
    # A canonical order: sums of floats depend on it.
    rows = examples[[*config.features, "label"]].sort_values([*config.features, "label"])
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), config.categorical), (StandardScaler(), config.numeric)
    )
    # The default solver stops before the predictions add up to the clicks, where clicks are rare.
    regression = LogisticRegression(C=1 / config.regularization, solver="newton-cholesky", tol=1e-8)
    return make_pipeline(encoder, regression).fit(rows[config.features], rows["label"])


def position_effects(model: Pipeline) -> pd.Series:
    """What the model adds to the log-odds of a click in each position, compared with the first."""
    encoder, regression = model[0], model[-1]
    names = pd.Index(encoder.get_feature_names_out())
    beginning = f"onehotencoder__{POSITION}_"
    effects = pd.Series(regression.coef_[0], index=names).filter(regex=f"^{beginning}")
    effects.index = pd.Index([int(name.removeprefix(beginning)) for name in effects.index], name=POSITION)
    return (effects - effects.iloc[0]).rename("effect")
