"""What notebooks import, for the warm process that kernels are forked from."""

import duckdb

import ml_assets.metrics.evaluate
import ml_assets.models.delayed_feedback
import ml_assets.models.gbdt
import ml_assets.models.saved
import ml_assets.notebooks.kernel_context
import ml_assets.notebooks.reading
import ml_assets.notebooks.step
import ml_assets.notebooks.summary  # noqa: F401

# It has been opened by the import, with a thread that a fork would lack. It opens again when it is used.
duckdb.default_connection().close()
