"""The home folder: everything that a local instance keeps, beside Dagster's own state."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import yaml

from ml_assets.environments import ENVIRONMENTS
from ml_assets.variables import HOME, being

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


class HomeError(Exception):
    """A home folder cannot be made, or not be opened. The message says which file is wrong."""


def prepare_home(home: Path) -> Path:
    """Make the folder and its `dagster.yaml` where they are missing.

    Returns: the absolute path, as DAGSTER_HOME wants it.
    Raises: HomeError.
    """
    home = home.absolute()
    config = home / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not config.exists():
            module, _, launcher = ENVIRONMENTS["local"].launcher.rpartition(".")
            cores = max(2, os.cpu_count() or 2)
            text = _DAGSTER_YAML.format(cores=cores, launcher_module=module, launcher=launcher)
            config.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HomeError(f"{home}: cannot be a home folder: {error.strerror} ({error.filename})") from error
    return home


@contextmanager
def at_home(home: Path) -> Iterator[None]:
    """Meanwhile definitions that this process loads as Dagster does, and runs that it starts, find this home."""
    with being(HOME, str(home.absolute())):
        yield


def open_instance(home: Path) -> dg.DagsterInstance:
    """The Dagster instance of a home folder.

    Raises: HomeError.
    """
    home = prepare_home(home)
    try:
        return dg.DagsterInstance.from_config(str(home))
    except (yaml.YAMLError, UnicodeDecodeError, dg.DagsterInvalidConfigError) as error:
        words = " ".join(str(error).split())
        raise HomeError(f"{home / 'dagster.yaml'}: is no configuration of Dagster: {words}") from error
    except OSError as error:
        raise HomeError(f"{home}: cannot be opened: {error.strerror} ({error.filename})") from error
