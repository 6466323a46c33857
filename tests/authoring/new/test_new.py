"""A model is added to a project: what is written, what is refused."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from ml_assets.cli.main import main
from tests.authoring.new.added import NEW_SERVICE, New, declared, files
from tests.support.projects import TeamProject


def test_a_model_on_the_logs_that_its_service_declares_gets_three_kinds_of_files(team: TeamProject, new: New) -> None:
    before = files(team.root)
    result = new("shop/repeat")
    assert result.exit_code == 0, result.output
    assert files(team.root) - before == {
        f"{team.package}/defs/shop/repeat/defs.yaml",
        "notebooks/shop_repeat/model.ipynb",
        "notebooks/shop_repeat/model.py",
        "tests/shop_repeat/test_notebooks.py",
    }
    (model,) = declared(team.root / team.package / "defs/shop/repeat/defs.yaml")
    assert (model["exposures"], model["outcomes"], model["join"]) == (
        "shop/visits",
        "shop/orders",
        {"id": ["visit_id"]},
    )
    assert model["notebooks"] == {"model": "notebooks/shop_repeat/model.ipynb"}
    assert 'context_of("shop/repeat/model")' in (team.root / "notebooks/shop_repeat/model.py").read_text()
    assert "shop/repeat" in team.project.models


def test_a_service_without_logs_gets_them(team: TeamProject, new: New) -> None:
    assert new("store/order", *NEW_SERVICE, "--start", "2026-03-01", "--timezone", "Asia/Tokyo").exit_code == 0
    visits, orders = declared(team.root / team.package / "defs/store/logs/defs.yaml")
    assert (visits["key"], orders["key"]) == ("store/visits", "store/orders")
    assert visits["partitions"] == {"every": "day", "start": "2026-03-01", "timezone": "Asia/Tokyo"}
    model = team.project.models["store/order"]
    assert model.join.columns == ("visit_id",)
    assert [str(horizon) for horizon in model.evaluation.horizons] == ["1d", "7d"]


def test_without_options_the_logs_are_called_exposures_and_outcomes(team: TeamProject, new: New) -> None:
    assert new("store/order").exit_code == 0
    model = team.project.models["store/order"]
    assert (model.exposures.key, model.outcomes.key) == ("store/exposures", "store/outcomes")
    assert model.join.columns == ("exposure_id",)


def test_a_log_joined_with_itself_by_entity(team: TeamProject, new: New) -> None:
    same = ["--exposures", "store/baskets", "--outcomes", "store/baskets"]
    assert "store/baskets is exposures and outcomes at once: give --entity" in new("store/return", *same).output
    assert new("store/return", *same, "--entity", "household_id").exit_code == 0
    assert not team.project.models["store/return"].join.by_id


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["repeat"], "SERVICE/MODEL: 'repeat' is not accepted; write <service>/<name>"),
        (["shop/re-peat"], "SERVICE/MODEL: 'shop/re-peat' is not accepted"),
        (["shop/logs"], "the folder logs of a service holds its event logs"),
        (["shop/order"], "shop/order is declared already"),
        (["shop/repeat", "--exposures", "shop/visit"], "no defs.yaml declares the event log shop/visit; there are"),
        (["store/order", "--exposures", "stor/visits"], "one that is added begins with store/"),
        (["store/order", "--id", "a", "--entity", "b"], "give either --id (now a) or --entity (now b), not both"),
        (["shop/repeat", "--start", "2026-03-01"], "--start 2026-03-01: is for new logs"),
        (["store/order", "--start", "March"], "partitions.start: 'March' is not accepted"),
        (["store/order", "--timezone", "Tokyo"], "'Tokyo' is not accepted"),
        (["shop/repeat", "--from-notebook", "mine.ipynb"], "mine.ipynb: there is no such file"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    team: TeamProject, new: New, arguments: list[str], words: str
) -> None:
    before = files(team.root)
    result = new(*arguments)
    assert result.exit_code == 1
    assert words in result.output
    assert files(team.root) == before


def test_no_file_is_overwritten(team: TeamProject, new: New) -> None:
    test = team.root / "tests/shop_repeat/test_notebooks.py"
    test.parent.mkdir(parents=True)
    test.touch()
    before = files(team.root)
    assert "tests/shop_repeat/test_notebooks.py: exists already; nothing was written" in new("shop/repeat").output
    assert files(team.root) == before


def test_a_defs_file_that_would_hide_the_new_one_is_named(team: TeamProject, new: New) -> None:
    folder = team.root / team.package / "defs/store"
    folder.mkdir()
    (folder / "defs.yaml").write_text((team.root / team.package / "defs/shop/logs/defs.yaml").read_text())
    assert "defs/store/defs.yaml hides the folders below it" in new("store/order").output


def test_outside_of_a_project_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["new", "shop/order"])
    assert f"{tmp_path} is in no Dagster project" in result.output
