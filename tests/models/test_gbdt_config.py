"""The config of a model: every wrong key is refused by its name, its value and what would be right."""

import pytest

from ml_assets.models.gbdt import GbdtConfig


@pytest.mark.parametrize(
    ("config", "refusal"),
    [
        (["price"], "config is ['price']: expected a mapping"),
        ({}, "config key 'features' is missing: expected a list of column names"),
        ({"features": []}, "config key 'features' is []: expected at least one column name"),
        ({"features": "price"}, "config key 'features' is 'price': expected a list of column names"),
        ({"features": ["a", 1]}, "config key 'features' is ['a', 1]: expected a list of column names"),
        ({"features": ["a", "b", "a"]}, "expected each name once, but ['a'] repeat"),
        ({"features": ["a b"]}, "config key 'features' names 'a b': expected names without spaces"),
        ({"features": ["a\n"]}, "config key 'features' names 'a\\n': expected names without spaces"),
        ({"features": ['a"']}, "config key 'features' names 'a\"': expected names without spaces"),
        ({"features": [""]}, "config key 'features' names '': expected names without spaces"),
        ({"feature": ["a"]}, "config key 'feature' (value ['a']) is unknown (did you mean 'features'?): expected"),
        ({"features": ["a"], "zzz": 1}, "config key 'zzz' (value 1) is unknown: expected features, categorical,"),
        ({"features": ["a"], 3: 1}, "config key 3 (value 1) is unknown"),
        ({"features": ["user"], "categorical": ["users"]}, "names 'users': expected names among the features (did you"),
        ({"features": ["a"], "categorical": None}, "config key 'categorical' is None: expected a list"),
        ({"features": ["a"], "parameters": [1]}, "config key 'parameters' is [1]: expected a mapping"),
        ({"features": ["a"], "parameters": {"seed": 1}}, "parameter 'seed' is 1, but it is fixed: set the config key"),
        ({"features": ["a"], "rounds": 0}, "config key 'rounds' is 0: expected an integer from 1"),
        ({"features": ["a"], "rounds": 10.0}, "config key 'rounds' is 10.0: expected an integer from 1"),
        ({"features": ["a"], "rounds": True}, "config key 'rounds' is True: expected an integer from 1"),
        ({"features": ["a"], "seed": -1}, "config key 'seed' is -1: expected an integer from 0 to 2147483647"),
        ({"features": ["a"], "seed": 2**31}, "config key 'seed' is 2147483648: expected an integer from 0"),
        ({"features": ["a"], "seed": "1"}, "config key 'seed' is '1': expected an integer from 0"),
        ({"features": ["a"], "examples": "young"}, "config key 'examples' is 'young': expected 'mature' or 'all'"),
        ({"features": ["a"], "examples": ["all"]}, "config key 'examples' is ['all']: expected 'mature' or 'all'"),
        ({"features": ["a"], "example": "all"}, "key 'example' (value 'all') is unknown (did you mean 'examples'?)"),
    ],
)
def test_a_config_is_refused_by_the_key_the_value_and_what_would_be_right(config, refusal):
    with pytest.raises(ValueError) as refused:
        GbdtConfig.from_mapping(config)
    assert refusal in str(refused.value)


def test_a_config_of_features_alone_is_enough():
    expected = GbdtConfig(["a"], [], {}, rounds=100, seed=0, examples="mature")
    assert GbdtConfig.from_mapping({"features": ["a"]}) == expected


def test_a_config_does_not_change_with_the_mapping_that_it_was_parsed_from():
    given = {"features": ["a"], "parameters": {"num_leaves": 3}}
    config = GbdtConfig.from_mapping(given)
    given["features"].append("b")
    given["parameters"]["num_leaves"] = 4
    assert (config.features, config.parameters) == (["a"], {"num_leaves": 3})
