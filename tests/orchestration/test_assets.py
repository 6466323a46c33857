"""The factory: what a specification becomes, and what cannot become anything."""

from dataclasses import replace
from datetime import UTC, date, datetime

import dagster as dg
import pytest

from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared.spec import Evaluation, Model, Training
from ml_assets.domain.durations import Duration
from ml_assets.domain.errors import SpecError
from ml_assets.orchestration.assets import event_log_definitions, model_definitions
from ml_assets.orchestration.resources import default_resources
from ml_assets.orchestration.sensors import service_sensor
from tests.orchestration.conftest import model
from tests.support.projects import REPOSITORY


def service(*models: Model) -> dg.Definitions:
    logs = list({log.key: log for one in models for log in one.logs}.values())
    parts = [*map(event_log_definitions, logs), *(model_definitions(one, REPOSITORY) for one in models)]
    sensor = service_sensor("shop", logs, models, REPOSITORY)
    return dg.Definitions.merge(*parts, dg.Definitions(sensors=[sensor], resources=default_resources()))


def longer(name: str) -> Model:
    training = Training(Duration(5, "d"), Duration(0, "d"), Duration(1, "d"))
    return replace(model(), name=name, training=training)


def test_models_of_one_service_may_begin_on_different_days_and_differ_in_their_calendars() -> None:
    weekly = replace(
        longer("shop/weekly"),
        training=Training(Duration(1, "w"), Duration(0, "d"), Duration(1, "d")),
        evaluation=Evaluation(Duration(1, "w"), (Duration(1, "d"),)),
        exposures=replace(model().exposures, lookahead=Duration(8, "d")),
        outcomes=replace(model().outcomes, lookahead=Duration(8, "d")),
        calendar=Calendar("week", date(2026, 5, 1), "UTC", date(2026, 5, 20)),
    )
    definitions = service(weekly, replace(longer("shop/longer"), exposures=weekly.exposures, outcomes=weekly.outcomes))
    definitions.get_repository_def().load_all_definitions()
    graph = definitions.resolve_asset_graph()
    now = datetime(2026, 6, 1, tzinfo=UTC)
    keys = {
        name: graph.get(dg.AssetKey(["shop", name, "model"])).partitions_def.get_partition_keys(current_time=now)
        for name in ("weekly", "longer")
    }
    assert keys["weekly"] == ["2026-05-01", "2026-05-08"]
    assert keys["longer"][0] == "2026-05-05"


def test_all_assets_of_a_model_have_the_same_partitions_so_that_a_range_over_them_can_be_launched() -> None:
    graph = service(model()).resolve_asset_graph()
    now = datetime(2026, 6, 1, tzinfo=UTC)
    steps = ("training_data", "model", "evaluation_data_1d", "metrics_1d")
    (one,) = {graph.get(dg.AssetKey(["shop", "order", step])).partitions_def for step in steps}
    # The logs end with the 19th. An evaluation whose outcomes lie beyond is listed, too, and never due.
    assert one.get_partition_keys(current_time=now)[-1] == "2026-05-19"


def test_fifty_models_can_be_told_apart_by_group_tags_owners_and_kinds() -> None:
    declared = replace(model(), owners=("team:ranking", "ann@example.com"), engine={"evaluation_data": "spark"})
    graph = service(declared).resolve_asset_graph()
    found = graph.get(dg.AssetKey(["shop", "order", "evaluation_data_1d"]))
    assert found.group_name == "shop/order"
    expected = {"service": "shop", "model": "order", "step": "evaluation_data", "horizon": "1d"}
    assert found.tags.items() >= expected.items()
    assert set(found.owners) == {"team:ranking", "ann@example.com"}
    assert found.kinds == {"jupyter", "spark"}
    assert graph.get(dg.AssetKey(["shop", "order", "training_data"])).kinds == {"jupyter", "duckdb"}


def test_an_event_log_says_where_it_lies_and_when_a_partition_of_it_has_arrived() -> None:
    graph = service(model()).resolve_asset_graph()
    log = graph.get(dg.AssetKey(["shop", "visits"]))
    assert log.group_name == "shop/logs"
    assert log.metadata["location"] == "shop/visits"
    assert log.metadata["arrival"] == "a partition has arrived when _SUCCESS lies beside its data"


@pytest.mark.parametrize("owner", ["ranking", "team:", "ann at example.com", ""])
def test_an_owner_that_dagster_would_refuse_is_refused_with_what_is_right(owner: str) -> None:
    with pytest.raises(SpecError, match="a team such as team:ranking, or an e-mail address"):
        replace(model(), owners=(owner,))


def test_a_model_none_of_whose_partitions_fits_into_its_logs_is_refused() -> None:
    short = Calendar("day", date(2026, 5, 1), "UTC", date(2026, 5, 3))
    logs = [replace(log, partitions=short) for log in model().logs]
    with pytest.raises(SpecError, match=r"evaluation.horizons: '1d' .* the first cutoff is 2026-05-03T00:00:00\+00:00"):
        model_definitions(replace(model(), exposures=logs[0], outcomes=logs[1]), REPOSITORY)


def test_training_and_evaluation_data_have_a_blocking_check_and_nothing_else_has_one() -> None:
    graph = service(model()).resolve_asset_graph()
    checks = {key: graph.get(key) for key in graph.asset_check_keys}
    assert {key.to_user_string() for key in checks} == {
        "shop/order/training_data:no_leak",
        "shop/order/evaluation_data_1d:no_leak",
    }
    assert all(node.blocking for node in checks.values())
