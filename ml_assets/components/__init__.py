from ml_assets.components.evaluated_model import EvaluatedModel
from ml_assets.components.event_log import EventLog

__all__ = ["EvaluatedModel", "EventLog"]
