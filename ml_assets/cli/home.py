"""The home folder: everything that a local instance keeps, beside Dagster's own state."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from ml_assets.environments import ENVIRONMENTS
from ml_assets.variables import HOME

#: Written once; what a person changes in it stays.
_DAGSTER_YAML = """\
# Runs wait in a queue; nothing holds a process while it waits.
concurrency:
  runs:
    max_concurrent_runs: {cores}
  # Each model has a pool for its evaluations: one at a time.
  pools:
    granularity: run
    default_limit: 1
# Runs, and the kernels of their notebooks, are forked from a process that has imported what they need.
run_launcher:
  module: {launcher_module}
  class: {launcher}
run_monitoring:
  enabled: true
# Ticks are purged, materializations never.
retention:
  sensor:
    purge_after_days: {{skipped: 7, failure: 30, success: 30}}
nux:
  enabled: false
telemetry:
  enabled: false
"""


def prepare_home(home: Path) -> Path:
    """Make the folder and its `dagster.yaml` where they are missing.

    Returns: the absolute path, as DAGSTER_HOME wants it.
    """
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        module, _, launcher = ENVIRONMENTS["local"].launcher.rpartition(".")
        cores = max(2, os.cpu_count() or 2)
        text = _DAGSTER_YAML.format(cores=cores, launcher_module=module, launcher=launcher)
        config.write_text(text, encoding="utf-8")
    return home


@contextmanager
def at_home(home: Path) -> Iterator[None]:
    """Meanwhile definitions that this process loads as Dagster does, and runs that it starts, find this home."""
    before = os.environ.get(HOME)
    os.environ[HOME] = str(home.absolute())
    try:
        yield
    finally:
        os.environ.pop(HOME)
        os.environ |= {HOME: before} if before is not None else {}


def open_instance(home: Path) -> dg.DagsterInstance:
    """The Dagster instance of a home folder."""
    return dg.DagsterInstance.from_config(str(prepare_home(home)))
