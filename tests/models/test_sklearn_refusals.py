"""What is no scikit-learn classifier, and rows that one cannot predict, are refused in words."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC

from ml_assets.models.sklearn_classifier import SklearnClassifier, load
from tests.models.sklearn_rows import SAVED, fitted, on_features, rows


@pytest.mark.parametrize(
    ("estimator", "why"),
    [
        (Ridge(), "Ridge is no model: expected a fitted scikit-learn classifier that has predict_proba"),
        (SVC(), "SVC is no model"),
        ({}, "dict is no model"),
    ],
)
def test_what_predicts_no_probability_is_no_model(estimator, why):
    features, labels = rows()
    if estimator:
        estimator.fit(features[["hour"]], labels)
    with pytest.raises(ValueError, match=why):
        SklearnClassifier(estimator)


def test_a_classifier_that_is_not_fitted_is_no_model():
    with pytest.raises(ValueError, match="Pipeline is no model: expected a fitted"):
        SklearnClassifier(SAVED["logistic_regression"])


def test_a_classifier_fitted_on_arrays_is_asked_for_names():
    features, labels = rows()
    estimator = LogisticRegression().fit(features[["hour"]].to_numpy(), labels)
    with pytest.raises(ValueError, match="knows no names of columns: fit it on a DataFrame"):
        SklearnClassifier(estimator)


@pytest.mark.parametrize("classes", [["no", "yes"], [1, 2], [0, 1, 2]])
def test_other_classes_than_no_and_yes_are_refused(classes):
    features, _ = rows()
    labels = np.resize(classes, len(features))
    estimator = GaussianNB().fit(features[["hour"]], labels)
    with pytest.raises(ValueError, match="GaussianNB has the classes .*: expected 0 and 1, or False and True"):
        SklearnClassifier(estimator)


@pytest.mark.parametrize("dtype", [bool, float])
def test_false_and_true_are_no_and_yes(dtype):
    features, labels = rows()
    estimator = GaussianNB().fit(features[["hour"]], labels.astype(dtype))
    expected = GaussianNB().fit(features[["hour"]], labels).predict_proba(features[["hour"]])[:, 1]
    np.testing.assert_array_equal(SklearnClassifier(estimator).predict(features), expected)


def test_a_column_that_is_missing_is_named():
    features, _ = rows()
    model = SklearnClassifier(fitted(SAVED["logistic_regression"]))
    with pytest.raises(ValueError, match=r"columns \['hour'\] are missing; the columns present are \['campaign'"):
        model.predict(features.drop(columns="hour"))


def test_no_rows_are_predicted_as_none():
    features, _ = rows()
    assert SklearnClassifier(fitted(SAVED["logistic_regression"])).predict(features[:0]).shape == (0,)


@pytest.mark.parametrize("make", [on_features, lambda end: make_pipeline(OneHotEncoder(handle_unknown="ignore"), end)])
def test_a_column_of_another_type_than_an_encoder_knows_is_refused_and_not_ignored(make):
    features, labels = rows()
    model = SklearnClassifier(make(LogisticRegression()).fit(features, labels))
    with pytest.raises(ValueError, match="column 'campaign' was fitted on text and now holds only values that are no"):
        model.predict(features.assign(campaign=1))
    # One odd value is an unseen category, and booleans are the numbers that they are.
    model.predict(features.assign(campaign=["a", 1, None] * 100, returning=features["returning"].astype(int)))


def test_text_is_refused_where_numbers_were_categories():
    features, labels = rows()
    model = SklearnClassifier(make_pipeline(OneHotEncoder(), LogisticRegression()).fit(features[["hour"]], labels))
    with pytest.raises(ValueError, match="column 'hour' was fitted on values that are no text and now holds only text"):
        model.predict(features.astype({"hour": str}))


def test_of_a_search_what_it_found_is_saved(tmp_path: Path) -> None:
    place = np.arange(40)
    frame, labels = pd.DataFrame({"hour": place % 24.0}), place % 2
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(frame, labels)
    with pytest.raises(ValueError, match="GridSearchCV holds .*: save its best_estimator_ instead; expected"):
        SklearnClassifier(search).save(tmp_path)
    SklearnClassifier(search.best_estimator_).save(tmp_path)
    assert np.array_equal(load(tmp_path).predict(frame), search.predict_proba(frame)[:, 1])
