"""The `EventLog` component: a log's declaration becomes its asset."""

import dagster as dg

from ml_assets.declarations.event_log import LogDeclaration
from ml_assets.declarations.of_project import check_driven
from ml_assets.declarations.scaffold import LogScaffolder
from ml_assets.orchestration.assets import event_log_definitions


@dg.scaffold_with(LogScaffolder)
class EventLog(LogDeclaration):
    """A time-partitioned table of exposures or of outcomes, in hive-partitioned Parquet or in a SQL database."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The asset of this log."""
        check_driven(context)
        return event_log_definitions(self.to_spec())
