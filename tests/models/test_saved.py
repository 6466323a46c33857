"""Saving and loading a model of any kind."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ml_assets.data.artifacts.content import hash_files
from ml_assets.models.gbdt import GbdtConfig, train
from ml_assets.models.saved import load_model, save_model
from ml_assets.models.sklearn_classifier import SklearnClassifier


def of_trees(clicks):
    return train(clicks[:1000], GbdtConfig(features=["hour", "device"], rounds=3))


def of_scikit_learn(clicks):
    return LogisticRegression().fit(clicks[["hour", "user"]], clicks["label"])


@pytest.mark.parametrize(("make", "columns"), [(of_trees, ["hour", "device"]), (of_scikit_learn, ["hour", "user"])])
def test_a_model_of_any_kind_is_read_back_with_its_columns(tmp_path, clicks, make, columns):
    save_model(make(clicks), tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.columns == columns
    predicted = loaded.predict(clicks)
    assert predicted.dtype == np.float64
    assert predicted.shape == (len(clicks),)
    with pytest.raises(ValueError, match="'hour'.*missing"):
        loaded.predict(clicks.drop(columns="hour"))


def test_a_model_predicts_what_it_predicted_before_it_was_saved(tmp_path, clicks):
    model, estimator = of_trees(clicks), of_scikit_learn(clicks)
    save_model(model, tmp_path / "trees")
    save_model(estimator, tmp_path / "other")
    np.testing.assert_array_equal(load_model(tmp_path / "trees").predict(clicks), model.predict(clicks))
    expected = estimator.predict_proba(clicks[["hour", "user"]])[:, 1]
    np.testing.assert_array_equal(load_model(tmp_path / "other").predict(clicks), expected)


@pytest.mark.parametrize("make", [of_trees, of_scikit_learn])
def test_a_loaded_model_is_saved_with_the_same_content(tmp_path, clicks, make):
    save_model(make(clicks), tmp_path / "first")
    save_model(load_model(tmp_path / "first"), tmp_path / "second")
    hashes = [hash_files((tmp_path / which).iterdir(), relative_to=tmp_path / which) for which in ("first", "second")]
    assert hashes[0] == hashes[1]


def test_a_model_that_is_wrapped_already_is_saved_as_it_is(tmp_path, clicks):
    save_model(SklearnClassifier(of_scikit_learn(clicks)), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.skops"]


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="dict is no model: expected a fitted scikit-learn classifier"):
        save_model({"weights": [1]}, tmp_path)


@pytest.mark.parametrize("name", [None, "model.pkl", "schema.json"])
def test_a_folder_without_a_model_says_what_one_is(tmp_path, name):
    if name:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(
        FileNotFoundError, match="holds no saved model: expected model.txt with schema.json .*model.skops"
    ):
        load_model(tmp_path)


def test_a_model_of_trees_that_lacks_a_file_is_told_which(tmp_path, clicks):
    save_model(of_trees(clicks), tmp_path)
    (tmp_path / "schema.json").unlink()
    with pytest.raises(FileNotFoundError, match="schema.json is missing"):
        load_model(tmp_path)
