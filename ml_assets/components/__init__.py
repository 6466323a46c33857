"""The components that YAML files name: a declaration becomes Dagster definitions.

Belongs here: `build_defs`. Not: what the keys mean, which is `declarations`.
"""

import warnings

import dagster as dg

from ml_assets.components.evaluated_model import EvaluatedModel
from ml_assets.components.evaluation_loop import EvaluationLoop
from ml_assets.components.event_log import EventLog

# `dg` asks every installed package what it can scaffold, and so warns of this one of dagster_spark's at each command.
warnings.filterwarnings("ignore", message="Class `SparkDeclarativePipelineScaffolder`", category=dg.PreviewWarning)
# Of what we use of Dagster's own news, it warns once for each asset; versions are locked, so nothing changes unseen.
for _message in ("Specifying a partitions_def on an AssetCheckSpec", "Parameter `backfill_policy` of function `asset`"):
    warnings.filterwarnings("ignore", message=_message)

__all__ = ["EvaluatedModel", "EvaluationLoop", "EventLog"]
