"""`dg scaffold defs` writes declarations that are accepted, and says what is missing."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from ml_assets.declarations.scaffold import Declared, ScaffoldError, join_of
from ml_assets.demo_services import CHECKOUT
from tests.support import forks, shop
from tests.support.projects import TeamProject


@pytest.fixture(scope="module")
def declared() -> Declared:
    return Declared.of(dg.ComponentTree.for_project(CHECKOUT))


def test_logs_are_chosen_as_the_other_models_of_the_service_use_them(declared: Declared) -> None:
    chosen = declared.choose("ads", None, None, None)
    assert chosen == ("ads/impressions", "ads/conversions", {"id": ["impression_id"]})
    assert declared.choose("grocery", None, None, None)[2] == {"entity": ["household_id"]}


def test_what_is_given_is_used(declared: Declared) -> None:
    chosen = declared.choose("ads", "ads/conversions", "ads/impressions", {"entity": ["user_id"]})
    assert chosen == ("ads/conversions", "ads/impressions", {"entity": ["user_id"]})
    assert declared.choose("ads", None, "ads/impressions", None)[0] == "ads/conversions"


def test_logs_that_cannot_be_told_apart_are_asked_for(declared: Declared) -> None:
    unused = Declared(declared.logs, {})
    with pytest.raises(ScaffoldError, match="give --exposures and --outcomes; ads declares ads/conversions, ads/imp"):
        unused.choose("ads", None, None, None)
    with pytest.raises(ScaffoldError, match="give --entity"):
        unused.choose("grocery", None, None, None)


def test_a_log_that_is_not_declared_is_refused_with_those_that_are(declared: Declared) -> None:
    with pytest.raises(
        ScaffoldError, match="no defs.yaml declares the event log ads/clicks; there are ads/conversions"
    ):
        declared.choose("ads", "ads/clicks", None, None)


def test_an_id_and_an_entity_exclude_one_another() -> None:
    assert join_of("a, b", None) == {"id": ["a", "b"]}
    assert join_of(None, None) is None
    with pytest.raises(ScaffoldError, match="not both"):
        join_of("a", "b")


def dg_command(team: TeamProject, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = team.environment | {"PATH": path, "VIRTUAL_ENV": sys.prefix}
    return forks.run(["dagster_dg_cli.cli", *arguments], cwd=team.root, env=environment)


@pytest.mark.slow
def test_both_components_are_scaffolded_by_dg_and_accepted(tmp_path_factory: pytest.TempPathFactory) -> None:
    team = TeamProject.make(tmp_path_factory.mktemp("scaffold"), "scaffolded_shop", shop.DEFS)
    defs = team.root / team.package / "defs"

    refused = dg_command(team, "scaffold", "defs", "ml_assets.EvaluatedModel", "store/order")
    assert refused.returncode == 1
    assert "Warning" not in refused.stderr, "it lists what all packages have, for the first time in this project"
    assert "store declares no event log yet; first: dg scaffold defs ml_assets.EventLog store/logs" in refused.stderr
    assert not (defs / "store").exists()
    refused = dg_command(team, "scaffold", "defs", "ml_assets.EvaluatedModel", "order")
    assert "DEFS_PATH: 'order' is not accepted; write <service>/<name>" in refused.stderr

    for arguments in (
        ("ml_assets.EventLog", "store/logs", "--timezone", "Asia/Tokyo", "--start", "2026-03-01"),
        ("ml_assets.EvaluatedModel", "store/order"),
        ("ml_assets.EvaluatedModel", "shop/repeat", "--json-params", '{"entity": "device"}'),
        ("ml_assets.EventLog", "till/receipts", "--id", "receipt_id"),
        ("ml_assets.EventLog", "rides/logs", "--every", "hour"),
        ("ml_assets.EvaluatedModel", "rides/tip"),
    ):
        done = dg_command(team, "scaffold", "defs", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    checked = dg_command(team, "check", "defs")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    visits, orders = yaml.safe_load_all((defs / "store/logs/defs.yaml").read_text())
    assert (visits["attributes"]["key"], orders["attributes"]["key"]) == ("store/exposures", "store/outcomes")
    assert visits["attributes"]["partitions"]["timezone"] == "Asia/Tokyo"
    model = yaml.safe_load((defs / "shop/repeat/defs.yaml").read_text())["attributes"]
    assert (model["exposures"], model["join"]) == ("shop/visits", {"entity": ["device"]})
    receipts = yaml.safe_load((defs / "till/receipts/defs.yaml").read_text())["attributes"]
    tip = yaml.safe_load((defs / "rides/tip/defs.yaml").read_text())["attributes"]
    assert tip["evaluation"] == {"window": "1h", "horizons": ["1h", "1d"]}
    assert receipts["columns"] == {"time": "event_time", "key": ["receipt_id"]}
