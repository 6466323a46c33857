"""Estimators that hold more than skops loads: what is saved predicts the same, and no index leads outside of an array."""

import io
import json
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomTreesEmbedding,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectFromModel, SelectKBest, mutual_info_classif
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    SplineTransformer,
)
from sklearn.tree import DecisionTreeClassifier

from ml_assets.models.plain import flattened, rebuilt
from ml_assets.models.sklearn_classifier import SklearnClassifier, load

ROWS = 300
TREE = DecisionTreeClassifier(max_depth=3, random_state=0)
FOREST = RandomForestClassifier(3, random_state=0)
BOOSTED = GradientBoostingClassifier(n_estimators=3, random_state=0)
HISTOGRAMS = HistGradientBoostingClassifier(max_iter=3, random_state=0, categorical_features="from_dtype")


def imputed(*steps: Any) -> Pipeline:
    """Of numbers alone, some of which are missing."""
    return make_pipeline(make_column_transformer((SimpleImputer(add_indicator=True), ["visits", "hour"])), *steps)


def encoded(encoder: Any, *steps: Any) -> Pipeline:
    return make_pipeline(make_column_transformer((encoder, ["device"]), remainder="passthrough"), *steps)


LINEAR = LogisticRegression()
KEPT = {
    "imputer": imputed(LINEAR),
    "bins": imputed(KBinsDiscretizer(3, strategy="uniform"), LINEAR),
    "selection": imputed(SelectKBest(k=2), LINEAR),
    "selection by a function with an argument": imputed(
        SelectKBest(partial(mutual_info_classif, random_state=0), k=2), LINEAR
    ),
    "selection by trees": imputed(SelectFromModel(FOREST), LINEAR),
    "splines": imputed(SplineTransformer(n_knots=4), LINEAR),
    "imputer of neighbours": encoded(OneHotEncoder(), KNNImputer(), LINEAR),
    "zero in place of nothing": encoded(OneHotEncoder(), FunctionTransformer(np.nan_to_num), LINEAR),
    "sigmoid": CalibratedClassifierCV(imputed(LINEAR), cv=2),
    "isotonic": CalibratedClassifierCV(imputed(TREE), method="isotonic", cv=2),
    "layers": imputed(MLPClassifier((3,), max_iter=10, random_state=0)),
    "layers by gradient descent": imputed(MLPClassifier((3,), solver="sgd", max_iter=10, random_state=0)),
    "neighbours": imputed(KNeighborsClassifier()),
    "neighbours in balls": imputed(KNeighborsClassifier(algorithm="ball_tree", metric="manhattan")),
    "tree": encoded(OrdinalEncoder(), TREE),
    "forest": encoded(OneHotEncoder(), FOREST),
    "extremely random trees": imputed(ExtraTreesClassifier(3, random_state=0)),
    "leaves of trees": imputed(RandomTreesEmbedding(3, random_state=0), LINEAR),
    "bags": imputed(BaggingClassifier(TREE, 3, max_features=2, random_state=0)),
    "boosted stumps": imputed(AdaBoostClassifier(n_estimators=3, random_state=0)),
    "boosted trees": imputed(BOOSTED),
    "boosted histograms": HISTOGRAMS,
    "boosted histograms without categories": imputed(HistGradientBoostingClassifier(max_iter=3, random_state=0)),
    "votes of lines": VotingClassifier(
        [("first", encoded(OneHotEncoder(), FunctionTransformer(np.nan_to_num), LINEAR))], voting="soft"
    ),
    "votes": VotingClassifier([("tree", imputed(TREE)), ("line", imputed(LINEAR))], voting="soft"),
    "stack": StackingClassifier([("tree", imputed(TREE)), ("line", imputed(LINEAR))], cv=2),
}


def rows() -> tuple[pd.DataFrame, np.ndarray]:
    """Visits whose history is NaN where there is none."""
    rng = np.random.default_rng(0)
    hour = rng.integers(0, 24, ROWS).astype(float)
    visits = np.where(rng.random(ROWS) < 0.3, np.nan, rng.poisson(3, ROWS))
    device = pd.Categorical(rng.choice(["pc", "phone", "tablet"], ROWS))
    return pd.DataFrame({"visits": visits, "hour": hour, "device": device}), (rng.random(ROWS) < hour / 24).astype(int)


def fitted(estimator: Any) -> Any:
    return clone(estimator).fit(*rows())


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", KEPT)
def test_a_saved_estimator_predicts_as_before_in_the_same_bytes(name: str, tmp_path: Path) -> None:
    estimator, (features, _) = fitted(KEPT[name]), rows()
    expected = estimator.predict_proba(features)[:, 1]
    SklearnClassifier(estimator).save(tmp_path / "first")
    loaded = load(tmp_path / "first")
    assert expected.std() > 0.01
    np.testing.assert_array_equal(loaded.predict(features), expected)
    # What was given is as it was.
    np.testing.assert_array_equal(estimator.predict_proba(features)[:, 1], expected)
    loaded.save(tmp_path / "second")
    SklearnClassifier(fitted(KEPT[name])).save(tmp_path / "again")
    first, second, again = ((tmp_path / one / "model.skops").read_bytes() for one in ("first", "second", "again"))
    assert first == second == again


def test_what_holds_nothing_else_is_saved_as_ever() -> None:
    estimator = fitted(encoded(OneHotEncoder(), FunctionTransformer(np.nan_to_num), LINEAR))
    assert flattened(estimator) is estimator
    assert rebuilt(estimator) is estimator


def tampered(estimator: Any, folder: Path, change: Callable[[np.ndarray], None], field: str) -> None:
    """Save an estimator, and change the first array with nodes that has this field."""
    SklearnClassifier(fitted(estimator)).save(folder)
    with ZipFile(folder / "model.skops") as source:
        members = {name: source.read(name) for name in source.namelist()}
    for name in sorted(members):
        if name.endswith(".npy") and field in ((nodes := np.load(io.BytesIO(members[name]))).dtype.names or ()):
            change(nodes)
            written = io.BytesIO()
            np.save(written, nodes)
            members[name] = written.getvalue()
            break
    else:
        raise AssertionError(f"no array has {field}")
    _write(folder, members)


def _write(folder: Path, members: dict[str, bytes]) -> None:
    with ZipFile(folder / "model.skops", "w") as target:
        for name, content in members.items():
            target.writestr(name, content)


def setting(field: str, value: int) -> Callable[[np.ndarray], None]:
    """At the root, which no prediction goes around."""

    def change(nodes: np.ndarray) -> None:
        nodes[field][0] = value

    return change


@pytest.mark.parametrize("estimator", [imputed(TREE), imputed(FOREST), imputed(BOOSTED)], ids=["tree", "forest", "gb"])
@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("left_child", 10**9, "a child that is before its parent, or none"),
        ("right_child", -1, "a child that is before its parent, or none"),
        ("left_child", 0, "a child that is before its parent, or none"),
        ("feature", 10**9, "a feature that there is not"),
        ("feature", -2, "a feature that there is not"),
    ],
    ids=["beyond", "none", "a circle", "feature", "no feature"],
)
def test_a_tree_whose_indices_lead_elsewhere_is_refused(
    estimator: Any, field: str, value: int, words: str, tmp_path: Path
) -> None:
    tampered(estimator, tmp_path, setting(field, value), field)
    with pytest.raises(ValueError, match=rf"model.skops is no file of skops: its compiled tree is none: {words}"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("left", 2**31, "its tree of histograms is none: a child that is before"),
        ("right", 0, "its tree of histograms is none: a child that is before"),
        ("feature_idx", 3, "its HistGradientBoostingClassifier is none: a feature that there is not"),
        ("feature_idx", -1, "its HistGradientBoostingClassifier is none: a feature that there is not"),
    ],
)
def test_a_tree_of_histograms_whose_indices_lead_elsewhere_is_refused(
    field: str, value: int, words: str, tmp_path: Path
) -> None:
    tampered(HISTOGRAMS, tmp_path, setting(field, value), field)
    with pytest.raises(ValueError, match=words):
        load(tmp_path)


def test_a_category_that_there_is_not_is_refused(tmp_path: Path) -> None:
    def change(nodes: np.ndarray) -> None:
        nodes["is_categorical"][0], nodes["bitset_idx"][0] = 1, 10**6

    tampered(HISTOGRAMS, tmp_path, change, "bitset_idx")
    with pytest.raises(ValueError, match="its tree of histograms is none: a bitset that there is not"):
        load(tmp_path)


def numbers() -> tuple[pd.DataFrame, np.ndarray]:
    features, labels = rows()
    return features[["visits", "hour"]].fillna(0), labels


def test_a_forest_with_a_tree_of_more_columns_than_it_is_given_is_refused() -> None:
    """Only the first tree of a forest compares the columns with its own."""
    features, labels = numbers()
    forest = RandomForestClassifier(3, random_state=0).fit(features, labels)
    forest.estimators_[2] = DecisionTreeClassifier(random_state=0).fit(features.assign(other=labels).to_numpy(), labels)
    with pytest.raises(ValueError, match="its RandomForestClassifier is none: no such trees"):
        rebuilt(flattened(forest))


def test_a_preprocessor_that_makes_fewer_columns_than_trees_read_is_refused() -> None:
    boosted = fitted(HISTOGRAMS)
    boosted._preprocessor.transformers_[1] = ("numerical", "drop", boosted._preprocessor.transformers_[1][2])
    with pytest.raises(ValueError, match="its HistGradientBoostingClassifier is none: another preprocessor"):
        rebuilt(flattened(boosted))


def test_a_category_beyond_the_bits_that_there_are_is_refused() -> None:
    boosted = fitted(HISTOGRAMS)
    boosted._bin_mapper.bin_thresholds_[0] = np.array([0.0, 256.0])
    with pytest.raises(ValueError, match="its HistGradientBoostingClassifier is none: a category that there is not"):
        rebuilt(flattened(boosted))


class Evil:
    """Does harm when it is unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("harm"),)


def test_a_pickle_inside_of_the_file_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    SklearnClassifier(fitted(imputed(TREE))).save(tmp_path)
    with ZipFile(tmp_path / "model.skops") as source:
        members = {name: source.read(name) for name in source.namelist()}
    written = io.BytesIO()
    np.save(written, np.array([Evil()], dtype=object), allow_pickle=True)
    _write(tmp_path, {name: written.getvalue() if name.endswith(".npy") else one for name, one in members.items()})
    with pytest.raises(ValueError, match="model.skops is no file of skops: Object arrays cannot be loaded"):
        load(tmp_path)
    (tmp_path / "model.skops").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ValueError, match="model.skops is no file of skops"):
        load(tmp_path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("name", "module"), [("Tree", "sklearn.tree._tree"), ("system", "os"), ("KDTree", "sklearn.neighbors._kd_tree")]
)
def test_a_type_that_is_none_of_ours_is_not_made(name: str, module: str, tmp_path: Path) -> None:
    SklearnClassifier(fitted(imputed(TREE))).save(tmp_path)
    with ZipFile(tmp_path / "model.skops") as source:
        members = {one: source.read(one) for one in source.namelist()}
    schema = json.loads(members["schema.json"].replace(b'"Plain"', json.dumps(name).encode()))
    text = json.dumps(schema).replace("ml_assets.models.plain", module)
    _write(tmp_path, {**members, "schema.json": text.encode()})
    with pytest.raises(ValueError, match=f"model.skops was not written by save: Untrusted types .*{module}.{name}"):
        load(tmp_path)
