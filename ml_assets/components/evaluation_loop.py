"""The `EvaluationLoop` component: what drives the logs and models of a project, without a line of Python."""

import dagster as dg

from ml_assets.declarations.loop import LoopDeclaration
from ml_assets.declarations.of_project import declared_models, event_logs
from ml_assets.declarations.reading import refusing_attributes
from ml_assets.declarations.scaffold import LoopScaffolder
from ml_assets.demo_services import how_to_get_events
from ml_assets.environments import Resources, current
from ml_assets.orchestration.notebook_view import serve_executed
from ml_assets.orchestration.resources import ExecutedNotebooks, Spark, Storage
from ml_assets.orchestration.sensors import service_sensor
from ml_assets.written_by import check_home_at_hand


@dg.scaffold_with(LoopScaffolder)
class EvaluationLoop(LoopDeclaration):
    """The sensors that drive all event logs and models of a project, and the resources and executor of their steps.

    A project has one. Its resources are `events`, `artifacts`, `executed_notebooks` and `spark`.
    """

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """A sensor for each service, resources, and an executor unless the project has one of its own."""
        environment = current()
        with refusing_attributes(context):
            resources = self._resources(environment.resources())
        executor = environment.executor() if self.executor == "environment" else None
        return dg.Definitions.merge(
            loop_definitions(context.component_tree, resources), dg.Definitions(executor=executor)
        )

    def _resources(self, default: Resources) -> Resources:
        """The resources of the environment, with what is declared in place."""
        declared = {name: root for name, root in self.to_storage().model_dump().items() if root}
        resources = dict(default)
        for name, resource in default.items():
            root = declared.get(name)
            if isinstance(resource, ExecutedNotebooks):
                keep = resource.keep_days if self.keep_days is None else self.keep_days
                resources[name] = ExecutedNotebooks(
                    root=root or resource.root, shared=resource.shared, keep_days=keep, warm=resource.warm
                )
            elif isinstance(resource, Storage) and root:
                resources[name] = Storage(root=root, shared=resource.shared)
        if spark := self.to_spark():
            resources["spark"] = Spark(spark_config=dict(spark))
        return resources


def loop_definitions(tree: dg.ComponentTree, resources: Resources) -> dg.Definitions:
    """One sensor for each service that a project declares, and the resources that sensors and steps ask for.

    Raises: DefsFileError for a file that is wrong; NewerFormatError for a home of a newer version.
    """
    check_home_at_hand()
    logs, models = event_logs(tree), declared_models(tree)
    services = sorted({log.service for log in logs.values()} | {model.service for model in models})
    automation = current().automation()
    sensors = [
        service_sensor(
            service,
            [log for log in logs.values() if log.service == service],
            [model for model in models if model.service == service],
            tree.project_root,
            automation=automation,
            hint=how_to_get_events(tree.project_root, service),
        )
        for service in services
    ]
    if isinstance(executed := resources.get("executed_notebooks"), Storage):
        serve_executed(executed)
    return dg.Definitions(resources=resources, sensors=sensors)
