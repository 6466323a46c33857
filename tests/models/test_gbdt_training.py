"""The training of the standard model: the same bytes from the same rows, weights and labels, and what it refuses."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml_assets.models.gbdt import GbdtConfig, load, train
from tests.models.gbdt_configs import FEATURES, hashes

SHORT = GbdtConfig(features=FEATURES, categorical=["user"], rounds=10)
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


def saved(examples: pd.DataFrame, folder: Path, config: GbdtConfig = SHORT) -> dict[str, str]:
    train(examples, config).save(folder)
    return hashes(folder)


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
