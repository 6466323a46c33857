"""What runs and notebooks import, for the warm process that they are forked from."""
# ruff: noqa: F401

import dagster._cli
import dagstermill
import duckdb
import ibis.backends.duckdb
import ipykernel.kernelapp
import ipykernel_launcher
import IPython.core.completer
import lightgbm
import matplotlib.pyplot
import matplotlib_inline.backend_inline
import pandas
import papermill
import pyarrow.parquet

import ml_assets.metrics.evaluate
import ml_assets.models.delayed_feedback
import ml_assets.models.gbdt
import ml_assets.models.saved
import ml_assets.notebooks.kernel_context
import ml_assets.notebooks.kernels
import ml_assets.notebooks.reading
import ml_assets.notebooks.step
import ml_assets.notebooks.summary

# It has been opened by the import, with a thread that a fork would lack. It opens again when it is used.
duckdb.default_connection().close()
