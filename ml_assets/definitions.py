"""Composition root: what is loaded, and with which resources."""

import warnings

import dagster as dg

from ml_assets.catalog import catalog
from ml_assets.declarations.of_project import build_declared, declared_models, event_logs
from ml_assets.demo_services import CHECKOUT, how_to_get_events
from ml_assets.environments import Resources, current
from ml_assets.orchestration.notebook_view import serve_executed
from ml_assets.orchestration.resources import Storage
from ml_assets.orchestration.sensors import service_sensor

# Dagster warns of its beta features once for each asset that uses one; versions are locked, so nothing changes unseen.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


def build_definitions(tree: dg.ComponentTree, resources: Resources | None = None) -> dg.Definitions:
    """Everything that a folder of defs.yaml files declares, with one sensor for each service.

    Args: `resources`: others than those of the environment, with the settings of Spark, say.
    """
    environment = current()
    assets = build_declared(tree)
    logs, models = event_logs(tree), declared_models(tree)
    services = sorted({log.service for log in logs.values()} | {model.service for model in models})
    sensors = [
        service_sensor(
            service,
            [log for log in logs.values() if log.service == service],
            [model for model in models if model.service == service],
            tree.project_root,
            automation=environment.automation(),
            hint=how_to_get_events(tree.project_root, service),
        )
        for service in services
    ]
    resources = environment.resources() if resources is None else resources
    if isinstance(executed := resources.get("executed_notebooks"), Storage):
        serve_executed(executed)
    rest = dg.Definitions(resources=resources, sensors=sensors, executor=environment.executor(), component_tree=tree)
    return dg.Definitions.merge(assets, rest, catalog())


@dg.definitions
def defs() -> dg.Definitions:
    """The code location."""
    return build_definitions(dg.ComponentTree.for_project(CHECKOUT))
