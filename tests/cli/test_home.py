"""The home folder."""

from pathlib import Path

import yaml
from dagster._core.instance.config import PoolGranularity

from ml_assets.cli.home import open_instance, prepare_home


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
