"""What a notebook reads of its configuration is found out, or is all; and what was not found out cannot be read."""

import json
from pathlib import Path

import pytest

from ml_assets.notebooks.code.config_reads import SeenConfig, UnseenConfigError, keys_read
from ml_assets.notebooks.code.version import config_keys_of
from tests.support.projects import REPOSITORY

STEP = "from ml_assets.notebooks.step import Step\n\nstep = Step.of(context)"


@pytest.mark.parametrize(
    ("code", "keys"),
    [
        ("step.save(step.history(step.examples(frame=step.frame)))", set()),
        ("step.config['a']['b']", {"a"}),
        ("rows = step.config.get('a', 1)", {"a"}),
        ("if 'a' in step.config and 'b' not in step.config: pass", {"a", "b"}),
        ("a, b = step.config['a'], f'{step.config[\"b\"]}'", {"a", "b"}),
        ("def rows():\n    return config['a']\n\nconfig = step.config", {"a"}),
        ("config: dict = step.config\nconfig['a']", {"a"}),
        ("again = step\nagain.config['a']", {"a"}),
        ("(found := step.config)['a']\nfound['b']", {"a", "b"}),
        ("Step.of(context).config['a']", {"a"}),
        ("other = lambda: step.config['a']", {"a"}),
        ("%matplotlib inline\n!pip list\nstep.config['a']", {"a"}),
        ("%%bash\nls", set()),
        ("model.config['a'], model.of(rows), context.log.info('x')", set()),
        ("def step_of(context): return 1", set()),
    ],
)
def test_keys_that_are_read_by_name_are_found(code: str, keys: set[str]) -> None:
    assert keys_read([STEP, code]) == keys


@pytest.mark.parametrize(
    "code",
    [
        "train(step.config)",
        "step.config",
        "dict(step.config)",
        "step.config | {}",
        "{**step.config}",
        "step.config[name]",
        "step.config.get(name)",
        "step.config.items()",
        "read = step.config.get",
        "step.config['a'] = 1",
        "for key in step.config: pass",
        "'a' in [step.config]",
        "a = b = step.config",
        "a, b = step.config, 1",
        "config = step.config\ntrain(config)",
        "helper(step)",
        "helper(step=step)",
        "[step][0].config['a']",
        "for step in steps: print(step)",
        "getattr(step, 'config')",
        "step._order.config['a']",
        "helper(context)",
        "Step.of(context=context)",
        "step = helper.of(context, 'a')",
        "match step.config:\n    case {'a': 1}: pass",
        "eval('step' + '.config')",
        "globals()['st' + 'ep']",
        "%time config = step.config['a']",
        "%%timeit -n 1 step.config\npass",
        "!echo {step.config}",
        "%run other.ipynb",
        "%%javascript\nsend(step.config)",
        "step.config[",
    ],
)
def test_where_it_cannot_be_told_all_is_read(code: str) -> None:
    assert keys_read([STEP, code]) is None


def test_the_standard_notebooks_read_all_for_the_model_and_nothing_for_the_rest() -> None:
    folder = REPOSITORY / "notebooks" / "standard"
    assert {path.stem: config_keys_of(path) for path in folder.glob("*.ipynb")} == {
        "training_data": frozenset(),
        "model": None,
        "evaluation_data": frozenset(),
        "metrics": frozenset(),
    }


def test_what_the_parameters_cell_holds_does_not_count(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "context = context_of('a/b/model')"},
        {"cell_type": "code", "metadata": {}, "source": [*STEP.splitlines(keepends=True), "\n", "step.config['a']"]},
    ]
    path = tmp_path / "model.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}), encoding="utf-8")
    assert config_keys_of(path) == {"a"}


def test_a_key_that_was_not_found_out_cannot_be_read_in_any_way() -> None:
    config = SeenConfig("shop/order/training_data", {"features": ["hour"]}, ["rounds", "seed"])
    assert (config["features"], config.get("other", 3), "features" in config, "other" in config) == (
        ["hour"],
        3,
        True,
        False,
    )
    with pytest.raises(KeyError):
        config["other"]
    for read in (
        lambda: config["rounds"],
        lambda: config.get("rounds", 1),
        lambda: "rounds" in config,
        lambda: list(config),
        lambda: len(config),
        lambda: {**config},
        lambda: dict(config),
        lambda: config == {"features": ["hour"]},
    ):
        with pytest.raises(UnseenConfigError, match=r"^shop/order/training_data does not see .* reads 'features', and"):
            read()
    assert "rounds" in repr(config)
