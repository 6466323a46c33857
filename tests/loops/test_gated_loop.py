"""Gating on a real instance: nothing premature, nothing forgotten, nothing twice; one bad partition costs itself alone."""

import time
from collections.abc import Iterator

import dagster as dg
import pytest

from ml_assets.orchestration.recorded.facts import asset_key
from ml_assets.orchestration.recorded.lineage import current_runs, trace, versions
from tests.support import shop
from tests.support.projects import TeamProject
from tests.support.webserver import Webserver, webserver

pytestmark = pytest.mark.slow

EVALUATION = ("shop/order/evaluation_data_2d", "shop/order/metrics_2d")


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeamProject]:
    """A shop whose events are in up to 5 March."""
    team = TeamProject.make(tmp_path_factory.mktemp("shop"), "gated_shop", shop.DEFS)
    shop.arrive(team, "visits", 1, 5)
    shop.arrive(team, "orders", 1, 5)
    with team.daemon():
        yield team


def made(team: TeamProject, asset: str) -> list[str]:
    return sorted(current_runs(team.project.instance, asset))


def runs_of(team: TeamProject, asset: str) -> list[dg.DagsterRun]:
    runs = team.project.instance.get_runs()
    return [run for run in runs if run.asset_selection and asset_key(asset) in run.asset_selection]


def times_materialized(team: TeamProject, asset: str, partition: str) -> int:
    filters = dg.AssetRecordsFilter(asset_key=asset_key(asset), asset_partitions=[partition])
    return len(team.project.instance.fetch_materializations(filters, limit=100).records)


@pytest.fixture(scope="module")
def trained(team: TeamProject) -> TeamProject:
    tick = team.settle("shop")
    assert "shop/order/metrics_2d: 2026-03-03" in tick.message
    assert "2026-03-03 for shop/orders 2026-03-06" in tick.message
    return team


def test_models_are_trained_as_soon_as_their_window_has_arrived(trained: TeamProject) -> None:
    assert made(trained, "shop/order/model") == ["2026-03-03", "2026-03-04", "2026-03-05"]


def test_no_metric_is_launched_before_its_outcomes_have_arrived(trained: TeamProject) -> None:
    # The evaluation of 3 March needs the orders of 4, 5 and 6 March.
    assert all(runs_of(trained, asset) == [] for asset in EVALUATION)


@pytest.fixture(scope="module")
def refused(trained: TeamProject) -> TeamProject:
    result = trained.command(
        "dagster",
        "asset",
        "materialize",
        *trained.location,
        "--select",
        ",".join(EVALUATION),
        "--partition",
        "2026-03-03",
    )
    assert result.returncode != 0
    printed = result.stdout + result.stderr
    assert "shop/order/evaluation_data_2d 2026-03-03 is immature: shop/orders 2026-03-06 has not arrived" in printed
    assert made(trained, EVALUATION[0]) == []
    return trained


@pytest.fixture(scope="module")
def evaluated(refused: TeamProject) -> TeamProject:
    shop.arrive(refused, "visits", 6, 6)
    shop.arrive(refused, "orders", 6, 6)
    refused.settle("shop")
    return refused


def test_when_the_outcomes_arrive_the_refused_partition_is_launched_once(evaluated: TeamProject) -> None:
    assert made(evaluated, EVALUATION[1]) == ["2026-03-03"]
    by_sensor = [run for run in runs_of(evaluated, EVALUATION[1]) if "dagster/sensor_name" in run.tags]
    assert len(by_sensor) == 1
    assert [times_materialized(evaluated, asset, "2026-03-03") for asset in EVALUATION] == [1, 1]


def test_settling_again_launches_nothing(evaluated: TeamProject) -> None:
    before = evaluated.project.instance.get_runs_count()
    evaluated.settle("shop")
    assert evaluated.project.instance.get_runs_count() == before


def test_one_bad_partition_costs_itself_alone_and_runs_again_when_its_data_changes(evaluated: TeamProject) -> None:
    for log in ("visits", "orders"):
        shop.arrive(evaluated, log, 7, 8)
    broken = evaluated.home / "events/shop/visits/date=2026-03-08/part-0.parquet"
    whole = broken.read_bytes()
    broken.write_bytes(b"no parquet")
    tick = evaluated.settle("shop")
    assert made(evaluated, "shop/order/model")[-2:] == ["2026-03-06", "2026-03-07"]
    assert "2026-03-08 failed" in tick.message
    failed = [
        run for run in runs_of(evaluated, "shop/order/training_data") if run.status is dg.DagsterRunStatus.FAILURE
    ]
    assert len(failed) == 1
    executed = evaluated.home / f"notebooks/shop/order/training_data/2026-03-08/{failed[0].run_id}.ipynb"
    assert "EventLogError" in executed.read_text(encoding="utf-8")

    broken.write_bytes(whole)
    evaluated.settle("shop")
    assert made(evaluated, "shop/order/model")[-1] == "2026-03-08"
    assert times_materialized(evaluated, "shop/order/model", "2026-03-07") == 1


def test_corrected_outcomes_evaluate_again_exactly_what_they_touch_and_retrain_nothing(evaluated: TeamProject) -> None:
    metrics = made(evaluated, EVALUATION[1])
    assert metrics == ["2026-03-03", "2026-03-04", "2026-03-05"]
    models = {
        name: times_materialized(evaluated, "shop/order/model", name) for name in made(evaluated, "shop/order/model")
    }
    # Orders of 8 March are read by the evaluation of 5 March alone, and by the training of 8 March.
    day = shop.orders(shop.date(2026, 3, 8))
    evaluated.write_partition("shop/orders", "2026-03-08", day.iloc[: len(day) // 2])
    tick = evaluated.settle("shop")
    assert [times_materialized(evaluated, EVALUATION[1], name) for name in metrics] == [1, 1, 2]
    assert models == {name: times_materialized(evaluated, "shop/order/model", name) for name in models}
    old, new = versions(evaluated.project.instance, EVALUATION[1], "2026-03-05")
    older = trace(evaluated.project.instance, evaluated.project.store, EVALUATION[1], "2026-03-05", run_id=old)
    assert older.root is not None
    assert older.root.superseded_by == new
    assert older.problems == ()
    assert older.root.artifact.manifest["numbers"]["rows"] == 300
    current = trace(evaluated.project.instance, evaluated.project.store, EVALUATION[1], "2026-03-05")
    assert current.root is not None
    assert current.root.superseded_by is None
    assert current.root.artifact.manifest["supersedes"] == old
    assert "2026-03-08 outdated (its event partitions changed)" in tick.message


def test_a_day_without_visits_is_evaluated_as_one(evaluated: TeamProject) -> None:
    shop.arrive(evaluated, "orders", 9, 12)
    shop.arrive(evaluated, "visits", 9, 9)
    (evaluated.home / "events/shop/visits/date=2026-03-10").mkdir()
    (evaluated.home / "events/shop/visits/date=2026-03-10/_SUCCESS").touch()
    evaluated.settle("shop")
    run_id = current_runs(evaluated.project.instance, EVALUATION[1])["2026-03-09"]
    numbers = evaluated.project.store.load(EVALUATION[1], "2026-03-09", run_id).manifest["numbers"]
    assert numbers["rows"] == 0
    assert "log_loss" not in numbers
    assert numbers["log_loss_note"] == "no examples"


def test_the_kept_notebook_holds_no_configuration_of_the_instance(evaluated: TeamProject) -> None:
    kept = list((evaluated.home / "notebooks").rglob("*.ipynb"))
    assert kept
    assert not [path for path in kept if "instance_ref" in path.read_text(encoding="utf-8")]


METADATA = """
query Metadata($key: AssetKeyInput!, $partitions: [String!]) {
  assetNodeOrError(assetKey: $key) { ... on AssetNode {
    assetMaterializations(partitions: $partitions, limit: 1) {
      runId
      metadataEntries {
        __typename label
        ... on FloatMetadataEntry { floatValue }
        ... on TextMetadataEntry { text }
        ... on UrlMetadataEntry { url }
        ... on PipelineRunMetadataEntry { runId }
        ... on JsonMetadataEntry { jsonString }
      }
    }
  } }
}"""

CATALOG = """
query Catalog($location: String!) {
  componentTypesForLocationOrError(locationName: $location) { ... on ComponentTypes { componentTypes { name } } }
}"""


def test_a_partition_is_materialized_through_the_web_api_and_the_metric_names_its_model(
    evaluated: TeamProject,
) -> None:
    with webserver(evaluated) as server:
        catalog = server.ask(CATALOG, location=server.location)["componentTypesForLocationOrError"]
        assert {"name": "dagster.DefsFolderComponent"} in catalog["componentTypes"]
        run_id = server.launch(["shop/order/model"], {"dagster/partition": "2026-03-04"})
        assert server.wait(run_id) == "SUCCESS"
        model = _metadata(server, "model", "2026-03-04")
        assert model["run"] == run_id
        # The sensor judges the remade model anew; the metric then names this very run.
        deadline = time.monotonic() + 240
        while (metric := _metadata(server, "metrics_2d", "2026-03-04"))["model run"]["runId"] != run_id:
            assert time.monotonic() < deadline, "the metric was not made again for the remade model"
            time.sleep(2)
        page = server.page(metric["executed notebook"]["url"])
    assert metric["model partition"]["url"] == "/assets/shop/order/model?view=partitions&partition=2026-03-04"
    assert isinstance(metric["Log loss"]["floatValue"], float)
    assert "shop/order/training_data" in metric["lineage"]["jsonString"]
    assert "judged on exposures that it could not know" in page


def _metadata(server: Webserver, step: str, partition: str) -> dict:
    key = {"path": ["shop", "order", step]}
    newest = server.ask(METADATA, key=key, partitions=[partition])["assetNodeOrError"]["assetMaterializations"][0]
    return {"run": newest["runId"], **{entry["label"]: entry for entry in newest["metadataEntries"]}}
