"""What the webserver's GraphQL answers of every kind of run, asked with all that the Dagster UI itself asks for."""

from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.plan.outputs import StepOutputData, StepOutputHandle

from ml_assets.orchestration.checks import NO_LEAK
from tests.browser.home import Home
from tests.support.ui_queries import ui_query

pytestmark = pytest.mark.slow

MODEL = "shop/gift/model"
KEY = {"path": MODEL.split("/")}
KINDS = {
    "succeeded": "RunSuccessEvent",
    "failed": "RunFailureEvent",
    "canceled": "RunCanceledEvent",
    "resumed": "RunFailureEvent",
    "backfilled": "RunFailureEvent",
    "skipping": "RunSuccessEvent",
}


@pytest.fixture(scope="session")
def runs(home: Home) -> dict[str, str]:
    """A run of each kind. What is resumed, or made by a backfill, is the notebook that raises."""
    failed = home.failed_run()
    resumed = home.team.command("ml-assets", "retry", failed)
    backfilled = home.team.command("ml-assets", "backfill", MODEL, "--missing")
    assert (resumed.returncode, backfilled.returncode) == (1, 1), resumed.stderr + backfilled.stderr
    return {
        "succeeded": home.run_of("shop/order/model", home.evaluated[0]),
        "failed": failed,
        "canceled": home.canceled,
        "resumed": home.latest_run(parent=failed),
        "backfilled": home.latest_run(tag="ml_assets/backfill"),
        "skipping": home.run_over(["shop/order/evaluation_data_1d", "shop/order/metrics_1d"], home.late),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_each_event_of_a_run_is_answered(home: Home, runs: dict[str, str], kind: str) -> None:
    # As the UI's own client adds it.
    query = ui_query("RunLogsQuery").replace("events {", "events { __typename", 1)
    answered = home.server.ask(query, runId=runs[kind], limit=10_000)["logsForRun"]["events"]
    assert len(answered) == len(home.instance.all_logs(runs[kind]))
    assert KINDS[kind] in {event["__typename"] for event in answered}
    assert home.server.ask(ui_query("RunRootQuery"), runId=runs[kind])["pipelineRunOrError"]["status"]


def test_the_events_of_a_run_of_an_older_version_are_answered_too(home: Home) -> None:
    """Its outputs were recorded without a type check."""
    instance = home.instance
    run = instance.create_run_for_job(dg.GraphDefinition("older").to_job())
    data = StepOutputData(StepOutputHandle("older__step", "result"))
    event = dg.DagsterEvent("STEP_OUTPUT", "older", step_key="older__step", event_specific_data=data)
    instance.report_dagster_event(event, run_id=run.run_id)
    asked = home.server.ask(ui_query("RunLogsQuery"), runId=run.run_id, limit=100)
    assert [one["stepKey"] for one in asked["logsForRun"]["events"]] == ["older__step"]


@pytest.mark.parametrize("made", [True, False], ids=["made", "failed"])
def test_the_page_of_a_partition_is_answered_with_its_metadata(home: Home, made: bool) -> None:
    partition = home.evaluated[0] if made else home.failed
    asked = home.server.ask(ui_query("AssetPartitionDetailQuery"), assetKey=KEY, partitionKey=partition)
    events = asked["assetOrError"]["assetEventHistory"]["results"]
    (latest, *_) = (event for event in events if event.get("metadataEntries"))
    shown = {entry["label"]: entry for entry in latest["metadataEntries"]}
    assert shown["executed notebook"]["url"].startswith("/notebook?path=")
    if made:
        assert shown["training data partition"]["url"].startswith("/assets/shop/gift/training_data?")
    else:
        assert latest["description"].startswith("failed: NotebookError: ")
        assert f"no gift in {home.failed}" in latest["description"]


def test_half_of_an_assets_events_are_no_bookkeeping(home: Home) -> None:
    asked = home.server.ask(
        ui_query("RecentAssetEventsQuery"),
        assetKey={"path": ["shop", "order", "metrics_1d"]},
        eventTypeSelectors=["MATERIALIZATION", "OBSERVATION", "FAILED_TO_MATERIALIZE"],
        limit=100,
    )
    events = asked["assetOrError"]["assetEventHistory"]["results"]
    assert sorted(event["partition"] for event in events) == sorted(home.evaluated)


def test_a_notebook_that_raised_or_was_skipped_has_no_result_of_no_leak(home: Home, runs: dict[str, str]) -> None:
    def results(asset: str) -> list[dict[str, Any]]:
        key = {"path": asset.split("/")}
        return home.server.ask(ui_query("AssetCheckDetailsQuery"), assetKey=key, checkName=NO_LEAK, limit=100)[
            "assetCheckExecutions"
        ]

    assert runs["skipping"]
    found = results("shop/order/evaluation_data_1d")
    assert {(one["evaluation"]["partition"], one["status"]) for one in found} == {
        (partition, "SUCCEEDED") for partition in home.evaluated
    }
