"""Any scikit-learn classifier as a model: saved and loaded without code, in the same bytes."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import sklearn.base
import skops.io
from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from ml_assets.models.sklearn_classifier import SklearnClassifier, load
from tests.models.sklearn_rows import SAVED, fitted, rows

REPOSITORY = Path(__file__).parents[2]
COLUMNS = ["campaign", "returning", "hour", "price"]

SAVE_IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
from ml_assets.models.sklearn_classifier import SklearnClassifier
from tests.models.test_sklearn_classifier import SAVED, fitted

for name in SAVED:
    SklearnClassifier(fitted(SAVED[name])).save(Path(sys.argv[1]) / name)
"""


def add_one(values):
    return values + 1


class OwnRegression(LogisticRegression):
    pass


class OwnScaler(StandardScaler):
    pass


#: Code of others, and where the refusal says that it is.
REFUSED = [
    (OwnRegression(), "OwnRegression holds .*OwnRegression"),
    (
        make_pipeline(FunctionTransformer(add_one), LogisticRegression()),
        "FunctionTransformer in step 'functiontransformer' of Pipeline holds .*add_one",
    ),
    (
        make_pipeline(make_column_transformer((OwnScaler(), ["hour"])), LogisticRegression()),
        "OwnScaler in step 'ownscaler' of ColumnTransformer in step 'columntransformer' of Pipeline holds .*OwnScaler",
    ),
    (make_pipeline(StandardScaler(), LGBMClassifier(n_estimators=2)), "LGBMClassifier in step 'lgbmclassifier' of"),
]


@pytest.mark.parametrize("name", SAVED)
def test_a_saved_classifier_predicts_as_before(tmp_path, name):
    estimator, (features, _) = fitted(SAVED[name]), rows()
    SklearnClassifier(estimator).save(tmp_path / "new" / "model")
    loaded = load(tmp_path / "new" / "model")
    predicted = loaded.predict(features.iloc[:, ::-1].assign(other=1))
    assert predicted.dtype == np.float64
    assert 0.05 < predicted.std() < 0.5
    assert loaded.columns == list(estimator.feature_names_in_)
    np.testing.assert_array_equal(predicted, estimator.predict_proba(features[loaded.columns])[:, 1])


@pytest.mark.parametrize(
    ("columns", "remainder", "read"),
    [
        (["hour", "campaign"], "drop", ["campaign", "hour"]),
        ([2, 0], "drop", ["campaign", "hour"]),
        (slice(0, 2), "drop", ["campaign", "returning"]),
        (slice("campaign", "hour"), "drop", ["campaign", "returning", "hour"]),
        ([True, False, False, False, False], "drop", ["campaign"]),
        (lambda frame: list(frame.columns[:2]), "drop", ["campaign", "returning"]),
        (["campaign"], "passthrough", [*COLUMNS, "label"]),
        (["campaign"], StandardScaler(), [*COLUMNS, "label"]),
    ],
    ids=["names", "places", "places in a row", "names in a row", "mask", "function", "rest as it is", "rest scaled"],
)
def test_columns_that_a_transformer_drops_are_not_needed(columns, remainder, read):
    features, labels = rows()
    whole = features.assign(label=labels)
    chosen = ColumnTransformer([("chosen", OneHotEncoder(), columns)], remainder=remainder)
    fitted = make_pipeline(chosen, LogisticRegression()).fit(whole, labels)
    model = SklearnClassifier(fitted)
    assert model.columns == read
    np.testing.assert_array_equal(model.predict(whole[read[::-1]]), fitted.predict_proba(whole)[:, 1])


def test_two_processes_that_fit_the_same_write_the_same_bytes(tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", SAVE_IN_ANOTHER_PROCESS, str(tmp_path / "there")]
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=120)
    for name, estimator in SAVED.items():
        SklearnClassifier(fitted(estimator)).save(tmp_path / "here" / name)
        here, there = (tmp_path / where / name / "model.skops" for where in ("here", "there"))
        assert here.read_bytes() == there.read_bytes(), name


def test_a_loaded_classifier_is_saved_in_the_same_bytes(tmp_path):
    SklearnClassifier(fitted(SAVED["logistic_regression"])).save(tmp_path / "first")
    load(tmp_path / "first").save(tmp_path / "second")
    first, second = (tmp_path / which / "model.skops" for which in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_classifiers_that_differ_have_other_bytes(tmp_path):
    features, labels = rows()
    SklearnClassifier(LogisticRegression().fit(features[["hour"]], labels)).save(tmp_path / "first")
    SklearnClassifier(LogisticRegression().fit(features[["hour"]], 1 - labels)).save(tmp_path / "second")
    first, second = (tmp_path / which / "model.skops" for which in ("first", "second"))
    assert first.read_bytes() != second.read_bytes()


def test_keys_that_look_like_those_of_skops_survive(tmp_path):
    features, labels = rows()
    weight = {"file": {"file": "a.npy", "__id__": 7}}
    estimator = LogisticRegression().fit(features[["hour"]], labels)
    estimator.extra_ = weight
    SklearnClassifier(estimator).save(tmp_path)
    assert load(tmp_path).estimator.extra_ == weight


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("estimator", "where"), REFUSED)
def test_what_skops_would_not_load_without_trust_is_not_saved_and_its_step_is_named(tmp_path, estimator, where):
    features, labels = rows()
    estimator = sklearn.base.clone(estimator).fit(features[["hour", "price"]], labels)
    remedy = "does not load without trust: expected what is data .* notebooks of training and evaluation data"
    with pytest.raises(ValueError, match=f"{where}.* {remedy}"):
        SklearnClassifier(estimator).save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_skops_cannot_write_is_refused(tmp_path):
    estimator = fitted(SAVED["logistic_regression"])
    estimator.extra_ = (number for number in range(3))
    with pytest.raises(ValueError, match="Pipeline cannot be saved with skops: .*generator"):
        SklearnClassifier(estimator).save(tmp_path)


def test_a_file_that_holds_code_is_not_loaded(tmp_path):
    features, labels = rows()
    skops.io.dump(OwnRegression().fit(features[["hour"]], labels), tmp_path / "model.skops")
    with pytest.raises(ValueError, match=r"model.skops was not written by save: Untrusted types .*OwnRegression"):
        load(tmp_path)


def test_a_file_that_is_none_of_skops_is_refused_by_name(tmp_path):
    (tmp_path / "model.skops").write_bytes(b"cos\nsystem\n")
    with pytest.raises(ValueError, match="model.skops is no file of skops: File is not a zip file"):
        load(tmp_path)
    with ZipFile(tmp_path / "model.skops", "w", ZIP_DEFLATED) as other:
        other.writestr("other.txt", "")
    with pytest.raises(ValueError, match="model.skops is no file of skops"):
        load(tmp_path)


def test_another_version_of_scikit_learn_is_warned_of(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sklearn.base, "__version__", "1.2.3")
        SklearnClassifier(fitted(SAVED["logistic_regression"])).save(tmp_path)
    with pytest.warns(InconsistentVersionWarning, match=r"from version 1\.2\.3 when using version"):
        load(tmp_path)
