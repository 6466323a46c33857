"""LightGBM's parameters: one name each, only those that keep a model what it says it is."""

import math

import pytest
from lightgbm.basic import _ConfigAliases  # the only list of LightGBM's own aliases; a test may look inside

from ml_assets.models import parameters
from ml_assets.models.parameters import DEFAULTS, contract, resolve


def test_aliases_resolve_to_one_name_and_the_result_is_sorted():
    assert list(resolve({"max_leaves": 4, "eta": 1, "subsample": 0.5}).items()) == [
        ("bagging_fraction", 0.5),
        ("learning_rate", 1.0),
        ("num_leaves", 4),
    ]


def test_every_alias_is_lightgbms_own_and_none_is_left_out():
    theirs = _ConfigAliases._get_all_param_aliases()
    for name, (_, aliases) in parameters._TUNABLE.items():
        assert {name, *aliases.split()} == set(theirs[name])
    names_of = {alias: set(aliases) for aliases in theirs.values() for alias in aliases}
    for names in parameters._FIXED.values():
        listed = set(names.split())
        assert listed == set().union(*(names_of[name] for name in listed))


def test_every_seed_that_lightgbm_has_is_set_and_refused():
    seeds = {name for name in _ConfigAliases._get_all_param_aliases() if name.endswith("seed")}
    fixed = contract(seed=7)
    assert {name for name, value in fixed.items() if value == 7} == seeds
    assert seeds <= set(parameters._REASON)


def test_the_defaults_are_tunable_and_the_contract_is_not():
    assert resolve(DEFAULTS) == dict(sorted(DEFAULTS.items()))
    assert not set(contract(seed=0)) & set(parameters._TUNABLE)


@pytest.mark.parametrize(
    ("given", "value", "reason"),
    [
        ("objective", "regression", "always predicts the probability"),
        ("application", "regression", "always predicts the probability"),
        ("random_state", 1, "set the config key 'seed'"),
        ("bagging_seed", 1, "set the config key 'seed'"),
        ("n_jobs", 8, "equal data must give equal bytes"),
        ("deterministic", False, "equal data must give equal bytes"),
        ("device", "gpu", "equal data must give equal bytes"),
        ("force_col_wise", True, "equal data must give equal bytes"),
        ("num_boost_round", 10, "set the config key 'rounds'"),
        ("early_stopping_rounds", 10, "no validation rows"),
        ("scale_pos_weight", 2.0, "no longer be probabilities"),
        ("cat_feature", [0], "set the config keys 'features' and 'categorical'"),
    ],
)
def test_a_fixed_parameter_is_refused_under_any_name_with_the_reason(given, value, reason):
    with pytest.raises(ValueError) as refusal:
        resolve({given: value})
    assert str(refusal.value).startswith(f"parameter {given!r} is {value!r}, but it is fixed: ")
    assert reason in str(refusal.value)


def test_an_unknown_parameter_is_refused_with_a_near_name():
    # LightGBM itself ignores it in silence.
    with pytest.raises(
        ValueError, match=r"'num_leafs' is 7, but no such .* \(did you mean 'num_leaf'\?\): expected one"
    ):
        resolve({"num_leafs": 7})


def test_a_parameter_given_under_two_names_is_refused():
    with pytest.raises(ValueError, match="'eta' is 0.2, but 'learning_rate' was already given"):
        resolve({"learning_rate": 0.1, "eta": 0.2})


@pytest.mark.parametrize(
    ("given", "value", "wanted"),
    [
        ("num_leaves", "7", "an integer"),
        ("num_leaves", 7.0, "an integer"),
        ("num_leaves", True, "an integer"),
        ("learning_rate", "1e-3", "a finite number"),
        ("learning_rate", math.nan, "a finite number"),
        ("learning_rate", False, "a finite number"),
        ("reg_lambda", None, "a finite number"),
        ("extra_trees", 1, "true or false"),
        ("boosting", 1, "text"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_what_would_be_right(given, value, wanted):
    with pytest.raises(ValueError) as refusal:
        resolve({given: value})
    assert str(refusal.value) == f"parameter {given!r} is {value!r}: expected {wanted}"
