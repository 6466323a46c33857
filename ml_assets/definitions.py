"""Composition root: what is loaded, and with which resources."""

import warnings
from pathlib import Path
from typing import Any

import dagster as dg

from ml_assets.components import EvaluatedModel
from ml_assets.components.evaluated_model import event_logs
from ml_assets.orchestration.resources import default_resources
from ml_assets.orchestration.sensors import service_sensor

# Dagster warns of its beta features once for each asset that uses one; versions are locked, so nothing changes unseen.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

PROJECT_ROOT = Path(__file__).parent.parent


def build_definitions(tree: dg.ComponentTree, resources: dict[str, Any] | None = None) -> dg.Definitions:
    """Everything that a folder of defs.yaml files declares, with one sensor for each service.

    Args: `resources`: others than the default ones, as tests and deployments need.
    """
    assets = tree.build_defs()
    logs = event_logs(tree)
    models = [component.to_spec(logs) for component in tree.get_all_components(EvaluatedModel)]
    services = sorted({log.service for log in logs.values()} | {model.service for model in models})
    sensors = [
        service_sensor(
            service,
            [log for log in logs.values() if log.service == service],
            [model for model in models if model.service == service],
            tree.project_root,
        )
        for service in services
    ]
    # Steps run in the run's own process: what costs is the notebooks, and each has a process of its own.
    rest = dg.Definitions(resources=resources or default_resources(), sensors=sensors, executor=dg.in_process_executor)
    return dg.Definitions.merge(assets, rest)


@dg.definitions
def defs() -> dg.Definitions:
    """The code location."""
    return build_definitions(dg.ComponentTree.for_project(PROJECT_ROOT))
