"""The home folder."""

import os
from pathlib import Path

import pytest
import yaml
from dagster._core.instance.config import PoolGranularity

from ml_assets.project.home import at_home, open_instance, prepare_home


def test_a_home_limits_each_pool_to_one_run_and_queues_the_others(tmp_path: Path) -> None:
    instance = open_instance(tmp_path / "home")
    pools = instance.get_concurrency_config().pool_config
    assert pools.pool_granularity is PoolGranularity.RUN
    assert pools.default_pool_limit == 1
    assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"


def test_what_a_person_changed_in_dagster_yaml_stays(tmp_path: Path) -> None:
    home = prepare_home(tmp_path)
    changed = {**yaml.safe_load((home / "dagster.yaml").read_text()), "telemetry": {"enabled": True}}
    (home / "dagster.yaml").write_text(yaml.safe_dump(changed))
    prepare_home(tmp_path)
    assert yaml.safe_load((home / "dagster.yaml").read_text()) == changed


@pytest.mark.parametrize("before", [None, "/elsewhere"])
def test_what_a_command_loads_and_starts_finds_its_home(
    before: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    if before:
        monkeypatch.setenv("DAGSTER_HOME", before)
    with at_home(Path("home")):
        assert os.environ["DAGSTER_HOME"] == str(tmp_path / "home")
    assert os.environ.get("DAGSTER_HOME") == before
