"""Lengths and places of a file that do not fit its arrays are refused: compiled code would follow them anywhere."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC

from ml_assets.models.plain import DamagedError, flattened, rebuilt

COUNT = 60


def rows() -> tuple[pd.DataFrame, np.ndarray]:
    place = np.arange(COUNT)
    features = pd.DataFrame({"hour": place % 24.0, "user": [str(one % 7) for one in place], "often": ["a", "b"] * 30})
    features.loc[:1, "often"] = ["c", "d"]
    return features, place % 3 == 0


def fitted(estimator: Any, *columns: str) -> Any:
    features, labels = rows()
    return estimator.fit(features[list(columns)], labels)


ENCODERS = [
    OneHotEncoder(),
    OneHotEncoder(sparse_output=False, handle_unknown="ignore"),
    OneHotEncoder(drop="first"),
    OneHotEncoder(drop="if_binary", min_frequency=3),
    OneHotEncoder(min_frequency=3, handle_unknown="infrequent_if_exist"),
    OneHotEncoder(max_categories=3, drop="first"),
]


@pytest.mark.parametrize("encoder", ENCODERS, ids=str)
def test_what_was_fitted_fits(encoder: OneHotEncoder) -> None:
    features, _ = rows()
    pipeline = fitted(make_pipeline(encoder, LogisticRegression()), "user", "often")
    again = rebuilt(flattened(pipeline))
    assert np.array_equal(
        again.predict_proba(features[["user", "often"]]), pipeline.predict_proba(features[["user", "often"]])
    )


@pytest.mark.parametrize("encoder", ENCODERS, ids=str)
def test_an_encoder_of_fewer_columns_than_categories_is_refused(encoder: OneHotEncoder) -> None:
    pipeline = fitted(make_pipeline(encoder, LogisticRegression()), "user", "often")
    pipeline[0]._n_features_outs = [1 for _ in pipeline[0]._n_features_outs]
    with pytest.raises(DamagedError, match="its OneHotEncoder is none: a category beyond its columns"):
        rebuilt(flattened(pipeline))


def test_a_category_that_is_put_together_with_one_that_there_is_not_is_refused() -> None:
    pipeline = fitted(make_pipeline(OneHotEncoder(min_frequency=3), LogisticRegression()), "often")
    pipeline[0]._default_to_infrequent_mappings[0][0] = 10**9
    with pytest.raises(DamagedError, match="a category beyond its columns"):
        rebuilt(flattened(pipeline))


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree", "ball_tree"])
def test_neighbours_of_more_rows_than_there_are_are_refused(algorithm: str) -> None:
    neighbours = fitted(KNeighborsClassifier(algorithm=algorithm), "hour")
    neighbours.n_samples_fit_ = 10**9
    with pytest.raises(DamagedError, match="its KNeighborsClassifier is none: another count of rows"):
        rebuilt(flattened(neighbours))


def more_of_the_first(machine: Any) -> None:
    machine._n_support = machine._n_support + np.array([10**6, -(10**6)], dtype=np.int32)


def fewer_weights(machine: Any) -> None:
    machine._dual_coef_ = machine._dual_coef_[:, :1]


@pytest.mark.parametrize("classes", [2, 3])
def test_support_vectors_of_any_number_of_classes_fit(classes: int) -> None:
    features, _ = rows()
    labels = np.arange(COUNT) % classes
    rebuilt(flattened(SVC().fit(features[["hour"]], labels)))


@pytest.mark.parametrize("damage", [more_of_the_first, fewer_weights])
def test_support_vectors_that_are_miscounted_are_refused(damage: Callable[[Any], None]) -> None:
    machine = fitted(SVC(), "hour")
    rebuilt(flattened(machine))
    damage(machine)
    with pytest.raises(DamagedError, match="its SVC is none: another count of support vectors"):
        rebuilt(flattened(machine))
