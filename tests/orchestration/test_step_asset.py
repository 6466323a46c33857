"""A change of `config` outdates the steps that can see it, and no others."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared.spec import Model, Notebooks
from ml_assets.domain.owed.due import State, statuses
from ml_assets.domain.owed.facts import Facts, Made
from ml_assets.domain.owed.plan import plan
from ml_assets.domain.owed.runs import RunSize
from ml_assets.orchestration.assets import code_versions, step_assets
from tests.orchestration.conftest import ASSETS, model
from tests.support.projects import REPOSITORY

TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS = ASSETS
CONFIG: dict[str, Any] = {"features": ["hour"], "rounds": 100}
AS_OF = datetime(2026, 6, 2, 12, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the standard notebooks, and training data that reads `features`."""
    shutil.copytree(REPOSITORY / "notebooks" / "standard", tmp_path / "notebooks" / "standard")
    sources = ["context = None", "step = Step.of(context)\nstep.save(step.examples()[step.config['features']])"]
    cells = [{"cell_type": "code", "metadata": {}, "source": source} for source in sources]
    cells[0]["metadata"] = {"tags": ["parameters"]}
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4})
    (tmp_path / "notebooks" / "some_features.ipynb").write_text(text, encoding="utf-8")
    return tmp_path


def shop(**config: Any) -> Model:
    """A model on a month of events: each of its partitions has all four assets."""
    plain = model()
    calendar = Calendar("day", date(2026, 5, 1), "UTC", date(2026, 6, 2))
    exposures, outcomes = (replace(log, partitions=calendar) for log in plain.logs)
    return replace(plain, exposures=exposures, outcomes=outcomes, config=CONFIG | config)


def all_made(of: Model, root: Path) -> Facts:
    """All that can be made of a model, from all its events, by its present code."""
    calendar, ids = of.partitions, count()
    keys = [calendar.key(index) for index in range(calendar.length or 0)]
    made: dict[str, dict[str, Made]] = {asset: {} for asset in of.assets}
    facts = Facts({log.key: dict.fromkeys(keys, "rows") for log in of.logs}, made, code=code_versions([of], root))
    while wanted := planned_inputs(of, facts):
        for asset, partition, inputs in wanted:
            made[asset][partition] = Made(next(ids), "content", inputs, facts.code[asset])
    return facts


def planned_inputs(of: Model, facts: Facts) -> list[tuple[str, str, str]]:
    return [
        (asset, partition, status.inputs)
        for asset, found in statuses(of, facts, as_of=AS_OF).items()
        for partition, status in found.items()
        if status.state is State.DUE and status.inputs
    ]


def test_a_parameter_of_the_model_outdates_thirty_models_and_no_data(root: Path) -> None:
    before, after = shop(), shop(rounds=200)
    facts = all_made(before, root)
    assert {asset: len(facts.made[asset]) for asset in (TRAINING_DATA, MODEL)} == {TRAINING_DATA: 31, MODEL: 31}
    assert {asset: len(facts.made[asset]) for asset in (EVALUATION_DATA, METRICS)} == {EVALUATION_DATA: 29, METRICS: 29}
    changed = replace(facts, code=code_versions([after], root))
    found = statuses(after, changed, as_of=AS_OF)
    outdated = {asset: sum(one.state is State.OUTDATED for one in of.values()) for asset, of in found.items()}
    assert outdated == {TRAINING_DATA: 0, MODEL: 31, EVALUATION_DATA: 0, METRICS: 0}
    runs = plan(after, changed, found, assets=after.assets, size=RunSize(10)).runs
    planned = [asset for run in runs for asset, _ in run.items]
    assert {asset: planned.count(asset) for asset in after.assets} == {
        TRAINING_DATA: 0,
        MODEL: 31,
        EVALUATION_DATA: 0,
        # What the new models predict is judged anew.
        METRICS: 29,
    }


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ({"rounds": 200}, {MODEL}),
        ({"more": 1}, {MODEL}),
        ({"features": ["device"]}, {TRAINING_DATA, MODEL}),
    ],
)
def test_a_changed_key_is_a_new_version_of_the_steps_that_read_it(
    change: dict[str, Any], steps: set[str], root: Path
) -> None:
    notebooks = Notebooks(training_data="notebooks/some_features.ipynb")
    before, after = (code_versions([replace(one, notebooks=notebooks)], root) for one in (shop(), shop(**change)))
    assert {asset for asset in before if before[asset] != after[asset]} == steps


def test_the_version_covers_the_code_what_it_takes_from_this_package_and_what_it_reads(root: Path) -> None:
    from ml_assets.domain.versions import digest
    from ml_assets.notebooks.code.library import library_versions
    from ml_assets.notebooks.code.source import state_of
    from ml_assets.notebooks.code.version import _cells

    (asset,) = [one for one in step_assets(shop(), root) if one.name == MODEL]
    cells = _cells(asset.notebook, state_of(asset.notebook))  # type: ignore[arg-type]
    taken = library_versions(name for cell in cells.code if cell for name in cell.names)
    code = digest([cell.text if cell else None for cell in cells.code], taken, CONFIG)
    assert asset.code_version == digest(code, {})
