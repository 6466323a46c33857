"""LightGBM's parameters: which may be tuned, under which names, and which are fixed and why.

Here: the table, its defaults and its check. Not here: lightgbm itself, which stays out of what parses a config.
"""

import math
from collections.abc import Mapping
from typing import Any

from ml_assets.domain.declared.near_misses import suggestion

# For 10,000 to 60,000 rows of rare positives: small trees, and categories (users, campaigns) shrunk hard towards
# the rest, since most of them are seen a few times only. LightGBM's own defaults lose there to a constant.
DEFAULTS: dict[str, Any] = {
    "learning_rate": 0.05,
    "num_leaves": 7,
    "min_data_in_leaf": 50,
    "lambda_l2": 5.0,
    "feature_fraction_bynode": 0.7,
    "cat_smooth": 20.0,
    "cat_l2": 200.0,
    "max_cat_threshold": 16,
}

# Name: type, then LightGBM's other names for it. Merging needs one name each: of two, LightGBM silently drops one.
_TUNABLE: dict[str, tuple[type, str]] = {
    "bagging_fraction": (float, "bagging sub_row subsample"),
    "bagging_freq": (int, "subsample_freq"),
    "bin_construct_sample_cnt": (int, "subsample_for_bin"),
    "boosting": (str, "boost boosting_type"),
    "cat_l2": (float, ""),
    "cat_smooth": (float, ""),
    "data_sample_strategy": (str, ""),
    "drop_rate": (float, "rate_drop"),
    "extra_trees": (bool, "extra_tree"),
    "feature_fraction": (float, "sub_feature colsample_bytree"),
    "feature_fraction_bynode": (float, "colsample_bynode sub_feature_bynode"),
    "lambda_l1": (float, "reg_alpha l1_regularization"),
    "lambda_l2": (float, "lambda reg_lambda l2_regularization"),
    "learning_rate": (float, "eta shrinkage_rate"),
    "max_bin": (int, "max_bins"),
    "max_cat_threshold": (int, ""),
    "max_cat_to_onehot": (int, ""),
    "max_delta_step": (float, "max_leaf_output max_tree_output"),
    "max_depth": (int, ""),
    "max_drop": (int, ""),
    "min_data_in_bin": (int, ""),
    "min_data_in_leaf": (int, "min_data min_samples_leaf min_child_samples min_data_per_leaf"),
    "min_data_per_group": (int, ""),
    "min_gain_to_split": (float, "min_split_gain"),
    "min_sum_hessian_in_leaf": (float, "min_hessian min_sum_hessian min_child_weight min_sum_hessian_per_leaf"),
    "num_leaves": (int, "max_leaf num_leaf max_leaves max_leaf_nodes"),
    "other_rate": (float, ""),
    "path_smooth": (float, ""),
    "skip_drop": (float, ""),
    "top_rate": (float, ""),
    "uniform_drop": (bool, ""),
}

# Why not: the names it holds for, with all of their aliases.
_FIXED: dict[str, str] = {
    "the model always predicts the probability of a binary label": (
        "objective app loss application objective_type num_class num_classes"
    ),
    "predictions would no longer be probabilities": (
        "is_unbalance unbalance unbalanced_sets scale_pos_weight neg_bagging_fraction neg_bagging neg_sub_row "
        "neg_subsample pos_bagging_fraction pos_bagging pos_sub_row pos_subsample"
    ),
    "set the config key 'seed', which seeds everything": (
        "seed random_seed random_state data_random_seed data_seed bagging_seed bagging_fraction_seed "
        "feature_fraction_seed extra_seed drop_seed objective_seed"
    ),
    "equal data must give equal bytes on every machine": (
        "num_threads n_jobs nthread nthreads num_thread deterministic device_type device force_row_wise force_col_wise "
        "tree_learner tree tree_type tree_learner_type"
    ),
    "set the config key 'rounds'": (
        "num_iterations n_iter nrounds max_iter num_tree num_round num_trees num_rounds n_estimators num_iteration "
        "num_boost_round"
    ),
    "there are no validation rows to stop on": (
        "early_stopping_round early_stopping n_iter_no_change early_stopping_rounds early_stopping_min_delta"
    ),
    "set the config keys 'features' and 'categorical'": (
        "categorical_feature cat_column cat_feature categorical_column categorical_features "
        "ignore_column blacklist ignore_feature"
    ),
}

_CANONICAL = {alias: name for name, (_, aliases) in _TUNABLE.items() for alias in [name, *aliases.split()]}
_REASON = {name: reason for reason, names in _FIXED.items() for name in names.split()}
_WANTED = {int: "an integer", float: "a finite number", bool: "true or false", str: "text"}


def resolve(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters under LightGBM's main names, sorted.

    ValueError names one that is unknown, fixed, given twice or of the wrong type. Ranges are LightGBM's to check.
    """
    resolved: dict[str, Any] = {}
    for given, value in parameters.items():
        name = _canonical(given, value)
        if name in resolved:
            raise ValueError(f"parameter {given!r} is {value!r}, but {name!r} was already given: expected it once")
        resolved[name] = _typed(given, value, _TUNABLE[name][0])
    return dict(sorted(resolved.items()))


def contract(seed: int) -> dict[str, Any]:
    """Return the parameters that nobody may tune."""
    seeds = ["seed", "data_random_seed", "bagging_seed", "feature_fraction_seed", "extra_seed", "drop_seed"]
    return {
        "objective": "binary",
        "deterministic": True,
        "num_threads": 1,
        "force_row_wise": True,
        "device_type": "cpu",
        "verbosity": -1,
        **dict.fromkeys([*seeds, "objective_seed"], seed),
    }


def _canonical(given: str, value: Any) -> str:
    if given in _REASON:
        raise ValueError(f"parameter {given!r} is {value!r}, but it is fixed: {_REASON[given]}")
    if given not in _CANONICAL:
        raise ValueError(
            f"parameter {given!r} is {value!r}, but no such parameter can be tuned"
            f"{suggestion(given, _CANONICAL)}: expected one of {', '.join(_TUNABLE)}"
        )
    return _CANONICAL[given]


def _typed(given: str, value: Any, wanted: type) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is float and is_number and math.isfinite(value):
        return float(value)
    # Exactly the type: True is an int in Python, and no count of leaves.
    if wanted is not float and type(value) is wanted:
        return value
    raise ValueError(f"parameter {given!r} is {value!r}: expected {_WANTED[wanted]}")
