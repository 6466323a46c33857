"""Composition root: what is loaded, and with which resources."""

import warnings
from pathlib import Path

import dagster as dg

from ml_assets.catalog import catalog
from ml_assets.components import EvaluatedModel
from ml_assets.components.evaluated_model import event_logs
from ml_assets.declarations.reading import DefsFileError, find_cause
from ml_assets.environments import Resources, current
from ml_assets.orchestration.notebook_view import serve_executed
from ml_assets.orchestration.resources import Storage
from ml_assets.orchestration.sensors import service_sensor

# Dagster warns of its beta features once for each asset that uses one; versions are locked, so nothing changes unseen.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

PROJECT_ROOT = Path(__file__).parent.parent
#: The services whose events the demo writes.
_OF_DEMO = frozenset({"ads", "fashion", "grocery"})


def build_definitions(tree: dg.ComponentTree, resources: Resources | None = None) -> dg.Definitions:
    """Everything that a folder of defs.yaml files declares, with one sensor for each service.

    Args: `resources`: others than those of the environment, with the settings of Spark, say.
    """
    environment = current()
    assets = declared(tree)
    logs = event_logs(tree)
    models = [component.to_spec(logs) for component in tree.get_all_components(EvaluatedModel)]
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


def how_to_get_events(project_root: Path, service: str) -> str:
    """What writes the events of a service, in words; empty where nobody knows."""
    return "`make demo` writes those of the demo" if project_root == PROJECT_ROOT and service in _OF_DEMO else ""


def declared(tree: dg.ComponentTree) -> dg.Definitions:
    """What the components of a project define. `tree.build_defs()` would make the catalog of all components anew.

    Raises: DefsFileError for a file that is wrong.
    """
    event_logs(tree)
    children = tree.find_root_decl().iterate_child_component_decls()
    try:
        return dg.Definitions.merge(*(tree.build_defs(child.loc) for child in children))
    except Exception as error:
        if refused := find_cause(error, DefsFileError):
            # Dagster shows the whole chain, in which the one line that says what is wrong is hard to find.
            raise DefsFileError(str(refused)) from None
        raise


@dg.definitions
def defs() -> dg.Definitions:
    """The code location."""
    return build_definitions(dg.ComponentTree.for_project(PROJECT_ROOT))
