"""The model: what it learns, that equal data make equal bytes, that a saved model is the same model."""

import hashlib
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from threadpoolctl import threadpool_limits

from ml_assets.examples.advertising import simulate_day
from ml_assets.models import gbdt
from ml_assets.models.gbdt import GbdtConfig, GbdtModel, load, train

FEATURES = ["user", "campaign", "device", "hour", "price", "returning"]
CONFIG = GbdtConfig(features=FEATURES, categorical=["user"])
SHORT = GbdtConfig(features=FEATURES, categorical=["user"], rounds=10)
LIGHTGBM_DEFAULTS = {
    "learning_rate": 0.1,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "lambda_l2": 0.0,
    "feature_fraction_bynode": 1.0,
    "cat_smooth": 10.0,
    "cat_l2": 10.0,
    "max_cat_threshold": 32,
}

# Sampling picks rows by their position: it shows where the order of rows leaks into a model.
SAMPLING = {"bagging_fraction": 0.5, "bagging_freq": 1}

TRAIN_IN_ANOTHER_PROCESS = """
import pathlib, sys
import pandas as pd
from ml_assets.models.gbdt import GbdtConfig, train

examples = pd.read_parquet(sys.argv[1]).sample(frac=1, random_state=5)
sampling = {"bagging_fraction": 0.5, "bagging_freq": 1}
config = GbdtConfig.from_mapping({"features": sys.argv[3].split(), "parameters": sampling, "rounds": 10})
train(examples, config).save(pathlib.Path(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def training(clicks) -> pd.DataFrame:
    return clicks[:14_000]


@pytest.fixture(scope="module")
def unseen(clicks) -> pd.DataFrame:
    return clicks[14_000:]


@pytest.fixture(scope="module")
def model(training) -> GbdtModel:
    return train(training, CONFIG)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def saved(examples: pd.DataFrame, folder: Path, config: GbdtConfig = SHORT) -> dict[str, str]:
    train(examples, config).save(folder)
    return hashes(folder)


def test_it_finds_most_of_the_signal_that_is_there(model, unseen):
    best = roc_auc_score(unseen["label"], unseen["probability"])
    assert roc_auc_score(unseen["label"], model.predict(unseen)) > best - 0.03
    constant = log_loss(unseen["label"], np.full(len(unseen), unseen["label"].mean()))
    gain_possible = constant - log_loss(unseen["label"], unseen["probability"])
    assert constant - log_loss(unseen["label"], model.predict(unseen)) > 0.7 * gain_possible


def test_its_probabilities_are_calibrated(model, unseen):
    predicted = model.predict(unseen)
    assert predicted.mean() == pytest.approx(unseen["probability"].mean(), abs=0.01)
    observed, promised = calibration_curve(unseen["label"], predicted, n_bins=5, strategy="quantile")
    assert np.abs(observed - promised).max() < 0.03


def test_it_is_no_worse_than_scikit_learns_boosting(model, training, unseen):
    as_reference = {"campaign": "category", "device": "category"}
    features = [name for name in FEATURES if name != "user"]
    # Trees of our size and pace, without the user ids, of which it can hold no more than 255.
    reference = HistGradientBoostingClassifier(
        learning_rate=0.05, max_leaf_nodes=7, categorical_features="from_dtype", random_state=0
    )
    with threadpool_limits(1):
        reference.fit(training[features].astype(as_reference), training["label"])
    theirs = reference.predict_proba(unseen[features].astype(as_reference))[:, 1]
    assert log_loss(unseen["label"], model.predict(unseen)) < log_loss(unseen["label"], theirs) + 0.001


@pytest.mark.parametrize("categorical", [["user"], []])
def test_it_learns_next_to_nothing_from_user_ids_that_mean_nothing(categorical, monkeypatch):
    rng = np.random.default_rng(3)
    noise = pd.DataFrame({"user": rng.integers(0, 300, 20_000), "label": rng.random(20_000) < 0.05})
    first, later = noise[:10_000], noise[10_000:]
    config = GbdtConfig(features=["user"], categorical=categorical)
    undamped = GbdtConfig(features=["user"], categorical=categorical, parameters=LIGHTGBM_DEFAULTS)
    bound = 0.001 if categorical else 0.006
    constant = log_loss(later["label"], np.full(len(later), first["label"].mean()))
    assert log_loss(later["label"], train(first, config).predict(later)) < constant + bound
    # So that the bound means something: LightGBM's own defaults, and its choice among the values, break it.
    monkeypatch.setattr(gbdt, "FEW", 300)
    assert log_loss(later["label"], train(first, undamped).predict(later)) > constant + 0.012


@pytest.mark.parametrize("last_day", [date(2026, 1, 2), date(2026, 1, 13)], ids=str)
def test_of_the_demos_advertising_it_is_calibrated_and_no_worse_than_a_logistic_regression(last_day):
    features = ["campaign", "device", "hour", "user_id"]
    window = pd.concat([labelled_day(last_day - timedelta(days=ago)) for ago in range(7, 21)], ignore_index=True)
    later = labelled_day(last_day + timedelta(days=1))
    model = train(window, GbdtConfig(features, ["user_id"]))
    plain = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(max_iter=1000))
    theirs = plain.fit(window[features], window["label"]).predict_proba(later[features])[:, 1]
    assert model.predict(window).mean() == pytest.approx(window["label"].mean(), rel=0.005)
    truth = later["probability_7d"]
    assert expected_log_loss(truth, model.predict(later)) < expected_log_loss(truth, theirs) + 0.001


def labelled_day(day: date) -> pd.DataFrame:
    impressions, conversions = simulate_day(day, seed=7, impressions_per_day=4000)
    converted = impressions["impression_id"].map(conversions.set_index("impression_id")["event_time"])
    label = converted < impressions["event_time"] + timedelta(days=7)
    return impressions.assign(label=label.astype(int))


def expected_log_loss(truth: pd.Series, prediction: np.ndarray) -> float:
    return float(-(truth * np.log(prediction) + (1 - truth) * np.log1p(-prediction)).mean())


def test_a_feature_that_says_nothing_leaves_the_base_rate(training):
    model = train(training.assign(same=1.0), GbdtConfig(features=["same"]))
    assert model.predict(pd.DataFrame({"same": [1.0, 2.0]})) == pytest.approx([training["label"].mean()] * 2)
    assert model.importance()["gain"].tolist() == [0.0]


def test_importance_ranks_the_features_that_matter(model):
    importance = model.importance()
    assert list(importance.columns) == ["feature", "gain"]
    assert sorted(importance["feature"]) == sorted(FEATURES)
    assert importance["feature"][0] == "campaign"
    assert importance["gain"].is_monotonic_decreasing
    gains = importance.set_index("feature")["gain"]
    assert gains["returning"] < gains["device"] < gains["campaign"]


def test_predictions_are_the_same_to_the_last_bit_after_saving_and_loading(model, training, unseen, tmp_path):
    model.save(tmp_path / "once")
    loaded = load(tmp_path / "once")
    assert loaded.predict(unseen).tobytes() == model.predict(unseen).tobytes()
    assert (loaded.config, loaded.label, loaded.encoder) == (model.config, model.label, model.encoder)
    assert (loaded.rows, loaded.positives) == (14_000, training["label"].sum())
    loaded.save(tmp_path / "again")
    assert hashes(tmp_path / "again") == hashes(tmp_path / "once")


def test_the_order_of_rows_does_not_matter_to_a_byte(training, tmp_path):
    # These two features leave many rows that differ in nothing but the label.
    config = GbdtConfig(features=["device", "hour"], parameters=SAMPLING, rounds=10)
    shuffled = training.sample(frac=1, random_state=1)
    assert saved(training, tmp_path / "one", config) == saved(shuffled, tmp_path / "two", config)


def test_another_process_saves_the_same_bytes(training, tmp_path):
    training.to_parquet(tmp_path / "examples.parquet")
    script = [sys.executable, "-c", TRAIN_IN_ANOTHER_PROCESS]
    subprocess.run([*script, tmp_path / "examples.parquet", tmp_path / "there", " ".join(FEATURES)], check=True)
    config = GbdtConfig(features=FEATURES, parameters=SAMPLING, rounds=10)
    assert saved(training, tmp_path / "here", config) == hashes(tmp_path / "there")


def test_configs_and_frames_that_mean_the_same_save_the_same_bytes(training, tmp_path):
    one = GbdtConfig(
        features=FEATURES, categorical=["user", "hour"], parameters={"eta": 1, "num_leaves": 5}, rounds=5, seed=3
    )
    two = GbdtConfig.from_mapping(
        {
            "seed": 3,
            "rounds": 5,
            "parameters": {"max_leaves": 5, "learning_rate": 1.0},
            "categorical": ("hour", "user"),
            "features": tuple(FEATURES),
        }
    )
    reordered = training[sorted(training.columns)].assign(extra="x").reset_index(drop=True)
    assert saved(training, tmp_path / "one", one) == saved(reordered, tmp_path / "two", two)


def test_another_seed_parameter_or_row_saves_other_bytes(training, tmp_path):
    base = saved(training, tmp_path / "base")
    others = [
        saved(training, tmp_path / "seed", GbdtConfig(features=FEATURES, categorical=["user"], rounds=10, seed=1)),
        saved(
            training,
            tmp_path / "parameter",
            GbdtConfig(features=FEATURES, categorical=["user"], rounds=10, parameters={"num_leaves": 8}),
        ),
        saved(training[1:], tmp_path / "row"),
    ]
    assert all(other["model.txt"] != base["model.txt"] for other in others)


def test_an_unseen_category_is_predicted_as_one_that_is_missing_now_and_never_was(model, unseen):
    new, missing = unseen.assign(campaign="never shown"), unseen.assign(campaign=None)
    with pytest.warns(UserWarning, match="none of the 6000 values of `campaign` was in the training"):
        of_new = model.predict(new)
    with pytest.warns(UserWarning, match="6000 of 6000 rows lack `campaign`, which training never lacked"):
        assert of_new.tobytes() == model.predict(missing).tobytes()
    assert of_new.tobytes() != model.predict(unseen).tobytes()


def test_a_category_that_was_missing_in_training_has_a_rate_of_its_own(training):
    hidden = training.assign(user=training["user"].where(training["label"] == 0).astype("Int64"))
    later = pd.DataFrame({"user": pd.array([None, -1], dtype="Int64")})
    missing, new = train(hidden, GbdtConfig(["user"], ["user"])).predict(later)
    assert missing > 0.5 > new


def test_a_row_of_nothing_but_missing_values_has_a_probability(model):
    with pytest.warns(UserWarning, match="1 of 1 rows lack `user`, which training never lacked"):
        (probability,) = model.predict(pd.DataFrame({name: [None] for name in FEATURES}))
    assert 0 < probability < 1


def test_a_number_that_training_never_lacked_is_missed_in_numbers(training, unseen, tmp_path):
    train(training[["hour", "label"]], GbdtConfig(["hour"], rounds=5)).save(tmp_path)
    loaded, gaps = load(tmp_path), unseen.assign(hour=unseen["hour"].where(unseen["hour"] > 3))
    lacking = int((unseen["hour"] <= 3).sum())
    note = f"{lacking} of 6000 rows lack `hour`, which training never lacked"
    assert loaded.unlike_training(gaps) == {"hour": note}
    with pytest.warns(UserWarning, match=note):
        loaded.predict(gaps)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}, {"boosting": "dart"}, {"lambda_l2": 500}],
    ids=str,
)
def test_the_mean_prediction_of_the_training_rows_is_their_rate(training, parameters, weighted, tmp_path):
    weight = np.random.default_rng(6).random(len(training)) if weighted else None
    train(training, GbdtConfig(FEATURES, ["user"], parameters, rounds=10), weight=weight).save(tmp_path)
    rate = np.average(training["label"], weights=weight)
    assert np.average(load(tmp_path).predict(training), weights=weight) == pytest.approx(rate, rel=1e-6)


def test_a_model_that_was_saved_by_the_first_version_predicts_as_it_did(clicks):
    loaded = load(Path(__file__).with_name("version_1"))
    assert loaded.predict(clicks[4000:4008]).tolist() == [
        0.15493913686254288,
        0.1594861825723564,
        0.1667439845198155,
        0.15493913686254288,
        0.15493913686254288,
        0.17336153379838723,
        0.16370128188652494,
        0.1594861825723564,
    ]
    assert loaded.unlike_training(clicks.assign(price=None)) == {}


def test_a_row_is_predicted_the_same_alone_and_among_others(model, unseen):
    together = model.predict(unseen[:50])
    assert [model.predict(unseen[row : row + 1])[0] for row in range(50)] == together.tolist()


def test_integers_are_no_text_in_a_category(model, unseen):
    with pytest.raises(ValueError, match="column 'user' was fitted on number values and now holds only text values"):
        model.predict(unseen.assign(user=unseen["user"].astype(str)))
    as_floats = unseen.assign(user=unseen["user"].astype(float))
    assert model.predict(as_floats).tobytes() == model.predict(unseen).tobytes()


def test_an_empty_frame_has_no_predictions_but_needs_its_columns(model, unseen):
    assert model.predict(unseen[:0]).shape == (0,)
    assert model.predict(pd.DataFrame(columns=FEATURES)).shape == (0,)
    with pytest.raises(ValueError, match="column 'user' is missing"):
        model.predict(pd.DataFrame())


def test_a_name_outside_ascii_is_a_feature_like_any_other(training, unseen, tmp_path):
    config = GbdtConfig(features=["価格", "hour"], rounds=5)
    model = train(training.rename(columns={"price": "価格"}), config)
    model.save(tmp_path)
    renamed = unseen.rename(columns={"price": "価格"})
    assert load(tmp_path).predict(renamed).tobytes() == model.predict(renamed).tobytes()


def test_a_weighted_model_predicts_the_weighted_base_rate(training):
    weight = np.where(training["label"] == 1, 3.0, 0.5)
    model = train(training.assign(same=1.0), GbdtConfig(features=["same"]), weight=weight)
    expected = np.average(training["label"], weights=weight)
    assert model.predict(pd.DataFrame({"same": [1.0]})) == pytest.approx([expected])
    assert expected > 2 * training["label"].mean()


def test_a_row_of_weight_zero_is_as_if_it_were_not_there(training):
    weight = np.where(training["campaign"] == "c7", 0.0, 1.5)
    kept = weight > 0
    assert 0 < kept.sum() < len(training)
    weighted = train(training, SHORT, weight=weight)
    assert weighted == train(training[kept], SHORT, weight=weight[kept])
    assert weighted.rows == kept.sum()


def test_the_order_of_weighted_rows_does_not_matter_to_a_byte(training):
    config = GbdtConfig(features=["device", "hour"], parameters=SAMPLING, rounds=10)
    weight = np.random.default_rng(4).random(len(training))
    shuffled = np.random.default_rng(5).permutation(len(training))
    text = train(training, config, weight=weight).text
    assert train(training.iloc[shuffled], config, weight=weight[shuffled]).text == text
    assert train(training, config, weight=weight[shuffled]).text != text


def test_the_config_key_examples_does_not_choose_rows_in_training_itself(training):
    both = [train(training, GbdtConfig(["price"], rounds=3, examples=one)) for one in ("mature", "all")]
    assert both[0].text == both[1].text
    assert both[0].rows == both[1].rows == len(training)


@pytest.mark.parametrize(
    ("weight", "refusal"),
    [
        ([1.0, 1.0], r"weight has the shape \(2,\): expected \(3,\), one for each row"),
        ([[1.0], [1.0], [1.0]], r"weight has the shape \(3, 1\): expected \(3,\)"),
        ([1.0, np.nan, 1.0], r"weight holds \[nan\]: expected finite numbers that are not negative"),
        ([1.0, np.inf, 1.0], r"weight holds \[inf\]: expected finite"),
        ([1.0, -0.5, 1.0], r"weight holds \[-0.5\]: expected finite"),
        ([0.0, 0.0, 0.0], "there are no training rows"),
        ([0.0, 1.0, 1.0], "label 'label' has one class only: 0 positive and 2 negative rows"),
    ],
)
def test_weights_that_nothing_can_be_learned_with_are_refused(weight, refusal):
    examples = pd.DataFrame({"price": [1.0, 2.0, 3.0], "label": [1, 0, 0]})
    with pytest.raises(ValueError, match=refusal):
        train(examples, GbdtConfig(features=["price"]), weight=np.array(weight))


@pytest.mark.parametrize("dtype", ["bool", "float64", "Int64", "boolean", "object"])
def test_labels_of_any_numeric_type_mean_the_same(training, dtype):
    config = GbdtConfig(features=["price"], rounds=3)
    assert train(training.astype({"label": dtype}), config).text == train(training, config).text


@pytest.mark.parametrize(
    ("labels", "refusal"),
    [
        ([], "there are no training rows"),
        ([0, 0, 0], "label 'label' has one class only: 0 positive and 3 negative rows"),
        ([1, 1], "label 'label' has one class only: 2 positive and 0 negative rows"),
        ([0, 1, None, np.nan], "label 'label' is missing in 2 of 4 rows: expected 0 or 1"),
        ([0, 1, 2], r"label 'label' holds \[2.0\]: expected only 0 and 1"),
        (["0", "1"], r"column 'label' holds '0' \(str\): expected numbers"),
    ],
)
def test_labels_that_nothing_can_be_learned_from_are_refused(labels, refusal):
    examples = pd.DataFrame({"price": np.arange(len(labels), dtype=float), "label": labels})
    with pytest.raises(ValueError, match=refusal):
        train(examples, GbdtConfig(features=["price"]))


def test_a_missing_feature_or_label_column_is_refused_with_those_present(training):
    with pytest.raises(ValueError, match=r"column 'age' is missing; the columns present are \['user', "):
        train(training, GbdtConfig(features=["age"]))
    with pytest.raises(ValueError, match=r"column 'bought' is missing; the columns present are \['user', "):
        train(training, GbdtConfig(features=["price"]), label="bought")


def test_the_label_as_a_feature_is_refused(training):
    with pytest.raises(ValueError, match="'label' is both the label and a feature"):
        train(training, GbdtConfig(features=["price", "label"]))


def test_a_value_that_lightgbm_refuses_is_named_with_its_reason(training):
    with pytest.raises(ValueError, match=r"refused .* \{'num_leaves': 1\}: .*num_leaves"):
        train(training, GbdtConfig(features=["price"], parameters={"num_leaves": 1}))


def test_a_model_with_the_schema_of_another_is_not_loaded(training, tmp_path):
    for name, rows in {"one": training, "two": training[1:]}.items():
        train(rows, SHORT).save(tmp_path / name)
    (tmp_path / "two" / "schema.json").replace(tmp_path / "one" / "schema.json")
    with pytest.raises(ValueError, match="one was edited, or they are of two models"):
        load(tmp_path / "one")


def test_a_saved_model_is_two_text_files(model, tmp_path):
    model.save(tmp_path)
    assert (tmp_path / "model.txt").read_text(encoding="utf-8").startswith("tree\nversion=")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.txt", "schema.json"]
