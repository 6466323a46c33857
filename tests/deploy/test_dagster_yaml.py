"""The instance of production, on a real PostgreSQL: what it is made of, and that it names its secrets and holds none."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.instance.config import PoolGranularity
from dagster._core.storage.tags import MAX_RETRIES_TAG

from ml_assets.orchestration.launcher import WarmRunLauncher
from ml_assets.orchestration.launching.runs import parallelism_of, pool_limit
from ml_assets.project.home import open_instance
from tests.support.postgres import PASSWORD, PRODUCTION, DagsterPostgres, production_home

VARIABLES = ["DB", "HOST", "PASSWORD", "PORT", "USERNAME"]


@pytest.fixture
def instance(
    dagster_postgres: DagsterPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    with open_instance(dagster_postgres.new_home(tmp_path / "home", monkeypatch)) as instance:
        yield instance


def test_runs_events_and_ticks_are_kept_in_postgresql(instance: dg.DagsterInstance) -> None:
    kept = [instance.run_storage, instance.event_log_storage, instance.schedule_storage]
    assert [type(storage).__module__.partition(".")[0] for storage in kept] == ["dagster_postgres"] * 3
    assert instance.get_runs_count() == 0


def test_runs_are_queued_evaluations_of_a_model_one_by_one_and_the_dead_are_found(instance: dg.DagsterInstance) -> None:
    pools = instance.get_concurrency_config().pool_config
    assert (pools.pool_granularity, pools.default_pool_limit) == (PoolGranularity.RUN, 1)
    assert pool_limit(instance, "shop/order/evaluation") == 1
    assert parallelism_of(instance) == 8
    assert isinstance(instance.run_launcher, WarmRunLauncher)
    assert instance.run_launcher.supports_check_run_worker_health
    assert instance.run_monitoring_enabled
    assert not instance.telemetry_enabled


def test_a_killed_run_is_repeated_once_and_what_a_notebook_raised_never(instance: dg.DagsterInstance) -> None:
    def will_retry(**tags: str) -> str:
        run = instance.add_run(dg.DagsterRun("job", tags=tags, status=dg.DagsterRunStatus.STARTED))
        instance.report_run_failed(run, "ended")
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        return found.tags["dagster/will_retry"]

    assert will_retry() == "true"
    assert will_retry(**{"dagster/failure_reason": "STEP_FAILURE"}) == "false"
    assert will_retry(**{MAX_RETRIES_TAG: "0"}) == "false"
    assert instance.run_retries_max_retries == 1


def test_each_value_of_the_storage_is_named_and_none_is_held(instance: dg.DagsterInstance) -> None:
    declared = yaml.safe_load(PRODUCTION.read_text(encoding="utf-8"))["storage"]["postgres"]["postgres_db"]
    assert sorted(value["env"] for value in declared.values()) == [f"DAGSTER_PG_{name}" for name in VARIABLES]
    # What travels to runs and kernels.
    assert PASSWORD not in dg.serialize_value(instance.get_ref())
    assert PASSWORD not in str(instance.get_ref().to_dict())


@pytest.mark.parametrize("name", VARIABLES)
def test_an_error_names_the_variable_that_is_not_set(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dagster_postgres: DagsterPostgres
) -> None:
    dagster_postgres.server.set_environment("postgres", monkeypatch)
    monkeypatch.delenv(f"DAGSTER_PG_{name}")
    with pytest.raises(Exception, match=f"DAGSTER_PG_{name}") as caught:
        open_instance(production_home(tmp_path)).get_runs_count()
    assert PASSWORD not in str(caught.value)


@pytest.mark.slow
def test_an_error_of_the_server_shows_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dagster_postgres: DagsterPostgres, caplog: pytest.LogCaptureFixture
) -> None:
    dagster_postgres.server.set_environment("no_such_database", monkeypatch)
    with pytest.raises(Exception, match="no_such_database|too many retries") as caught:
        open_instance(production_home(tmp_path)).get_runs_count()
    shown = f"{caught.getrepr(style='long', showlocals=False)}{caplog.text}"
    assert PASSWORD not in shown
