"""The click model: what it learns of position, and configs that it refuses."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from ml_assets.examples.event_files import days
from ml_assets.examples.fashion import EXAMINED, simulate_day
from ml_assets.examples.fashion_model import ClickConfig, fit, position_effects
from ml_assets.models.saved import load_model, save_model

CONFIG = ClickConfig(["position", "item_id", *(f"user_feature_{number}" for number in range(4))], ["affinity"])


@pytest.fixture(scope="module")
def examples() -> pd.DataFrame:
    drawn = [simulate_day(day, seed=7, pages_per_day=2_000) for day in days(date(2026, 1, 1), date(2026, 2, 28))]
    recommendations, clicks = (pd.concat(frames, ignore_index=True) for frames in zip(*drawn, strict=True))
    clicked = recommendations["recommendation_id"].isin(clicks["recommendation_id"])
    return recommendations.assign(label=clicked.astype(int))


def test_it_learns_how_much_each_position_is_looked_at_although_better_items_are_shown_first(examples):
    learned = np.exp(position_effects(fit(examples, CONFIG)))
    assert learned.index.tolist() == [1, 2, 3]
    np.testing.assert_allclose(learned, EXAMINED / EXAMINED[0], rtol=0.15)
    rate = examples.groupby("position")["label"].mean()
    assert rate[3] / rate[1] < 0.85 * learned[3]


def test_with_the_position_held_at_one_it_ranks_by_relevance(examples):
    model = fit(examples, CONFIG)
    ranked = examples.assign(
        held=model.predict_proba(examples.assign(position=1)[CONFIG.features])[:, 1],
        shown=model.predict_proba(examples[CONFIG.features])[:, 1],
    )
    of_relevance = ranked[["held", "shown", "relevance"]].corr("spearman")["relevance"]
    assert of_relevance["held"] > 0.9
    assert of_relevance["held"] > of_relevance["shown"] + 0.1


def test_it_predicts_as_many_clicks_as_it_was_taught(examples):
    model = fit(examples, CONFIG)
    predicted = model.predict_proba(examples[CONFIG.features])[:, 1].mean()
    assert predicted == pytest.approx(examples["label"].mean(), rel=1e-6)


def test_the_order_of_rows_does_not_matter_and_it_can_be_saved(examples, tmp_path):
    save_model(fit(examples[:9_000], CONFIG), tmp_path / "one")
    save_model(fit(examples[:9_000].sample(frac=1, random_state=1), CONFIG), tmp_path / "other")
    one, other = (tmp_path / which / "model.skops" for which in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()
    assert load_model(tmp_path / "one").columns == CONFIG.features


def test_an_item_that_training_did_not_know_is_predicted(examples):
    model = fit(examples[:9_000], CONFIG)
    assert np.isfinite(model.predict_proba(examples[:5].assign(item_id=999)[CONFIG.features])).all()


def test_a_feature_that_is_no_column_is_named(examples):
    with pytest.raises(ValueError, match=r"names the features \['affinity'\], but the columns are"):
        fit(examples.drop(columns="affinity"), CONFIG)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, "config key 'categorical' is missing: expected a list of column names"),
        (
            {"categorical": ["position"], "rounds": 3},
            r"config key 'rounds' \(value 3\) is unknown: expected categorical,",
        ),
        ({"categorical": "position"}, "config key 'categorical' is 'position': expected a list of column names"),
        ({"categorical": ["position"], "numeric": [1]}, r"config key 'numeric' is \[1\]: expected a list"),
        ({"categorical": ["item_id"]}, r"config key 'categorical' is \['item_id'\]: expected 'position' among them"),
        ({"categorical": ["position"], "numeric": ["position"]}, "expected each name once"),
        (
            {"categorical": ["position"], "regularization": 0},
            "config key 'regularization' is 0: expected a number above",
        ),
        (
            {"categorical": ["position"], "regularization": True},
            "config key 'regularization' is True: expected a number",
        ),
        ({"categorical": ["position"], "regularization": "1"}, "config key 'regularization' is '1': expected a number"),
    ],
)
def test_a_wrong_config_is_refused_by_key_and_value(config, why):
    with pytest.raises(ValueError, match=why):
        ClickConfig.from_mapping(config)


def test_a_config_says_which_columns_are_read():
    config = ClickConfig.from_mapping({"categorical": ["position", "item_id"], "numeric": ["affinity"]})
    assert config.features == ["position", "item_id", "affinity"]
    assert config.regularization == 1
