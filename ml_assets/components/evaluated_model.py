"""The `EvaluatedModel` component: a model's declaration becomes its assets, checks and schedule."""

import dagster as dg

from ml_assets.declarations.model import ModelDeclaration
from ml_assets.declarations.of_project import check_driven, event_logs
from ml_assets.declarations.reading import refusing_attributes
from ml_assets.declarations.scaffold import ModelScaffolder
from ml_assets.environments import current
from ml_assets.orchestration.assets import model_definitions
from ml_assets.orchestration.repair import repair_schedule


@dg.scaffold_with(ModelScaffolder)
class EvaluatedModel(ModelDeclaration):
    """A model that is trained on each partition and judged at each horizon, when its outcomes are in."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets of this model."""
        check_driven(context)
        with refusing_attributes(context):
            model = self.to_spec(event_logs(context.component_tree))
            assets = model_definitions(model, context.project_root)
            repair = self.to_repair()
        if repair is None:
            return assets
        schedule = repair_schedule(model, repair, context.project_root, automation=current().automation())
        return dg.Definitions.merge(assets, dg.Definitions(schedules=[schedule]))
