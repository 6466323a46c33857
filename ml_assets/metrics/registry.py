"""The metrics that an evaluation reports, in the order of its table. Adding a metric is its file and a line here."""

from ml_assets.metrics.average_precision import AVERAGE_PRECISION
from ml_assets.metrics.base_rate import BASE_RATE
from ml_assets.metrics.brier_score import BRIER_SCORE
from ml_assets.metrics.calibration_ratio import CALIBRATION_RATIO
from ml_assets.metrics.expected_calibration_error import EXPECTED_CALIBRATION_ERROR
from ml_assets.metrics.log_loss import LOG_LOSS
from ml_assets.metrics.metric import Metric
from ml_assets.metrics.normalized_entropy import NORMALIZED_ENTROPY
from ml_assets.metrics.roc_auc import ROC_AUC

ALL_METRICS: tuple[Metric, ...] = (
    LOG_LOSS,
    NORMALIZED_ENTROPY,
    ROC_AUC,
    AVERAGE_PRECISION,
    BRIER_SCORE,
    CALIBRATION_RATIO,
    EXPECTED_CALIBRATION_ERROR,
    BASE_RATE,
)
