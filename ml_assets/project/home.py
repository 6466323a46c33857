"""The home folder: everything that a local instance keeps, beside Dagster's own state."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import yaml

from ml_assets.dagster_names import CheckError
from ml_assets.environments import ENVIRONMENTS
from ml_assets.project.impatience import NoAnswerError, asking_once
from ml_assets.project.remedies import described
from ml_assets.variables import HOME, being
from ml_assets.whole_files import write_whole
from ml_assets.written_by import check_home, mark_home

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


_UNSET = re.compile(r'environment variable "(\w+)" which is not set')
_FAILED = re.compile(r" of original value .* failed:\n[\w.]+Error(?=: )")


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
            write_whole(config, text)
            mark_home(home)
    except OSError as error:
        raise HomeError(f"{home}: cannot be a home folder: {described(error, home)}") from error
    return home


@contextmanager
def at_home(home: Path) -> Iterator[None]:
    """Meanwhile definitions that this process loads as Dagster does, and runs that it starts, find this home."""
    with being(HOME, str(home.absolute())):
        yield


def open_instance(home: Path) -> dg.DagsterInstance:
    """The Dagster instance of a home folder.

    Raises: HomeError, within some seconds where its database does not answer; NewerFormatError, MarkError.
    """
    home = prepare_home(home)
    config = home / "dagster.yaml"
    try:
        check_home(home)
        with asking_once():
            return dg.DagsterInstance.from_config(str(home))
    except NoAnswerError as error:
        right = "start it, or mend its address or password there or in the variables that it names"
        raise HomeError(f"{config}: storage: the database does not answer: {error}; {right}") from error
    except dg.DagsterInvalidConfigError as error:
        raise HomeError(describe_config(config, error)) from error
    except (yaml.YAMLError, UnicodeDecodeError, CheckError) as error:
        words = " ".join(str(error).split())
        raise HomeError(f"{config}: is no configuration of Dagster: {words}") from error
    except OSError as error:
        raise HomeError(f"{home}: cannot be opened: {described(error, home)}") from error


def describe_config(config: Path, error: dg.DagsterInvalidConfigError) -> str:
    """What is wrong with a dagster.yaml, on one line."""
    unset = dict.fromkeys(name for one in error.errors for name in _UNSET.findall(one.message))
    if unset:
        are = "variables" if len(unset) > 1 else "variable"
        return f"{config}: names the environment {are} {', '.join(unset)}, not set here; set what is missing"
    # Of a variable's value, Dagster tells its stack; of an unknown key, its whole schema.
    told = [_FAILED.sub("", one.message).partition("\n\nStack Trace")[0] for one in error.errors]
    words = "; ".join(one.partition(" Expected: ")[0] for one in told)
    return " ".join(f"{config}: is no configuration of Dagster: {words}".split())
