"""What `context_of` opens in a project, in the process of the test; whole notebooks are run beside the loops."""

import re
from pathlib import Path

import pandas as pd
import pytest

from ml_assets.domain.maturity import ImmatureWindowError
from ml_assets.jupyter import NotOpenError, context_of
from ml_assets.notebooks.step import Step
from ml_assets.orchestration.running.pins import MissingInputError
from ml_assets.project.project import NoAssetError
from tests.support import shop
from tests.support.projects import TeamProject


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> TeamProject:
    """A shop whose logs have arrived until the 6th."""
    team = TeamProject.make(tmp_path_factory.mktemp("shop"), "opened_shop", shop.DEFS)
    for log in ("visits", "orders"):
        shop.arrive(team, log, 1, 6)
    return team


@pytest.fixture(autouse=True)
def in_the_notebooks_folder(team: TeamProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(team.root / "notebooks" / "standard")
    monkeypatch.setenv("DAGSTER_HOME", str(team.home))


def opened(asset: str, partition: str | None = None) -> Step:
    return Step.of(context_of(f"shop/order/{asset}", partition))


def test_a_partition_is_opened_with_its_windows_config_and_rows() -> None:
    step = opened("training_data", "2026-03-04")
    assert (step.asset, step.partition) == ("shop/order/training_data", "2026-03-04")
    assert step.cutoff == pd.Timestamp("2026-03-05", tz=shop.ZONE)
    assert step.windows["exposures"].start == pd.Timestamp("2026-03-02", tz=shop.ZONE)
    assert step.windows["outcomes"].end == step.cutoff
    assert step.config == {"features": ["device"], "rounds": 10}
    times = step.examples()["event_time"]
    assert len(times) == 900
    assert times.between(step.windows["exposures"].start, step.windows["exposures"].end, inclusive="left").all()


def test_the_newest_partition_whose_inputs_exist_is_opened_where_none_is_named() -> None:
    assert opened("training_data").partition == "2026-03-06"
    assert opened("evaluation_data_2d").partition == "2026-03-03"


def test_what_was_tried_here_is_the_input_of_the_next_step_and_may_be_saved_again(team: TeamProject) -> None:
    step = opened("training_data", "2026-03-04")
    step.save(step.examples().head(5))
    step.save(step.examples())
    assert len(opened("model").read("training_data")) == 900
    assert opened("model").partition == "2026-03-04"
    assert not (team.home / "artifacts").exists()


def test_a_window_that_is_not_complete_is_refused_as_under_dagster() -> None:
    with pytest.raises(ImmatureWindowError, match="shop/visits 2026-03-07"):
        opened("training_data", "2026-03-07")


def test_an_input_that_does_not_exist_is_named_with_what_would_make_it() -> None:
    with pytest.raises(MissingInputError, match="training_data 2026-03-05 does not exist; materialize it, or run its"):
        opened("model", "2026-03-05")


def test_no_partition_to_open_says_what_the_first_one_waits_for() -> None:
    with pytest.raises(
        NotOpenError, match="no partition of shop/order/metrics_2d has its inputs yet; 2026-03-03 is waiting"
    ):
        opened("metrics_2d")


@pytest.mark.parametrize("partition", ["2026-3-4", "soon", "2026-03-04-00:00"])
def test_a_partition_that_there_is_not_is_refused(partition: str) -> None:
    with pytest.raises(NotOpenError, match=f"has no partition '{partition}'"):
        opened("training_data", partition)


def test_an_asset_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    message = "'shop/order/metrics_7d' is no asset of a model (did you mean 'shop/order/metrics_2d'?); there are shop/"
    with pytest.raises(NoAssetError, match=re.escape(message)):
        opened("metrics_7d")


def test_outside_of_a_project_it_is_the_one_that_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoAssetError, match="there are ads/cvr/training_data"):
        opened("training_data")
