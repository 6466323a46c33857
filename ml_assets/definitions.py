"""Composition root: what is loaded, and with which resources."""

import warnings

import dagster as dg

from ml_assets.catalog import catalog
from ml_assets.components.evaluation_loop import loop_definitions
from ml_assets.declarations.of_project import build_declared
from ml_assets.demo_services import CHECKOUT
from ml_assets.environments import Resources, current

# Dagster warns of its beta features once for each asset that uses one; versions are locked, so nothing changes unseen.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


def build_definitions(tree: dg.ComponentTree, resources: Resources | None = None) -> dg.Definitions:
    """Everything that a folder of defs.yaml files declares, with one sensor for each service.

    Args: `resources`: others than those of the environment, with the settings of Spark, say.
    Raises: NewerFormatError for a home of a newer version.
    """
    environment = current()
    # First of all: it names the file that is wrong.
    declared = build_declared(tree)
    loop = loop_definitions(tree, environment.resources() if resources is None else resources)
    rest = dg.Definitions(executor=environment.executor(), component_tree=tree)
    return dg.Definitions.merge(declared, loop, rest, catalog())


@dg.definitions
def defs() -> dg.Definitions:
    """The code location."""
    return build_definitions(dg.ComponentTree.for_project(CHECKOUT))
