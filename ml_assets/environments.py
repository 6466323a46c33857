"""Where the project runs, and what differs there. The variable ML_ASSETS_ENVIRONMENT names one; `local` is the default.

Nothing else asks where it runs: models, notebooks and the domain are the same everywhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import dagster as dg

from ml_assets import variables
from ml_assets.orchestration.resources import default_resources

Resources = Mapping[str, dg.ConfigurableResource[Any]]


class UnknownEnvironmentError(Exception):
    """ML_ASSETS_ENVIRONMENT names no environment."""


@dataclass(frozen=True)
class Environment:
    """What differs between the places that the project runs in.

    `resources`, `executor`: made when the code location is loaded. `launcher`: the class that the instance's
    dagster.yaml has to name; empty where Dagster+ has its own. `automation`: whether sensors and schedules run from the
    start.
    """

    resources: Callable[[], Resources]
    executor: Callable[[], dg.ExecutorDefinition]
    launcher: str
    automation: Callable[[], bool]


def _in_process() -> dg.ExecutorDefinition:
    # Steps run in the run's own process: what costs is the notebooks, and each has a process of its own.
    return dg.in_process_executor


def _in_pods() -> dg.ExecutorDefinition:
    # It loads the client of Kubernetes, which nobody else pays for.
    from ml_assets.orchestration.pods.executor import pod_executor

    return pod_executor()


def _shared() -> Resources:
    # In a pod a run has the notebooks' memory for itself, and mostly one notebook.
    return default_resources(shared=True, warm=False)


def _is_no_branch() -> bool:
    return variables.get(variables.BRANCH_DEPLOYMENT) != "1"


ENVIRONMENTS: Mapping[str, Environment] = MappingProxyType(
    {
        "local": Environment(
            default_resources, _in_process, "ml_assets.orchestration.launcher.WarmRunLauncher", lambda: True
        ),
        "test": Environment(
            default_resources, _in_process, "ml_assets.orchestration.launcher.WarmRunLauncher", lambda: False
        ),
        "kubernetes": Environment(
            _shared, _in_pods, "ml_assets.orchestration.kubernetes_launcher.KubernetesRunLauncher", lambda: True
        ),
        # Runs are launched by the agent. A branch shows what it would do, and does nothing by itself.
        "dagster_plus": Environment(_shared, _in_pods, "", _is_no_branch),
    }
)


def current() -> Environment:
    """The environment that this process runs in.

    Raises: UnknownEnvironmentError.
    """
    name = variables.get(variables.ENVIRONMENT) or "local"
    if name not in ENVIRONMENTS:
        raise UnknownEnvironmentError(f"{variables.ENVIRONMENT} is {name!r}; there are {', '.join(ENVIRONMENTS)}")
    return ENVIRONMENTS[name]
