"""What runs and notebooks import, for the warm process that they are forked from."""
# ruff: noqa: F401

import importlib
import os
import warnings

# The debugger of kernels says that it would miss breakpoints, of which an executed notebook has none.
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")

# First: it looks for numpy's functions in each module that is there, of which there are thousands in the end.
import skops.io

# isort: split
import dagster as dg

with warnings.catch_warnings():
    warnings.simplefilter("ignore", dg.BetaWarning)
    import dagstermill

import dagster_spark
import duckdb
import fsspec.implementations.local
import ibis.backends.duckdb
import ipykernel.debugger
import ipykernel.kernelapp
import IPython.core.completerlib
import IPython.extensions.storemagic
import jinja2
import lightgbm
import matplotlib.pyplot
import matplotlib_inline.backend_inline
import pandas
import pandas.io.formats.html
import pandas.plotting._matplotlib
import papermill
import pyarrow.dataset
import pyarrow.parquet
import tomlkit
import tornado.platform.asyncio

import ml_assets.data.no_leak
import ml_assets.metrics.evaluate
import ml_assets.models.delayed_feedback
import ml_assets.models.gbdt
import ml_assets.models.saved
import ml_assets.models.sklearn_classifier
import ml_assets.notebooks.kernels.context
import ml_assets.notebooks.kernels.provisioner
import ml_assets.notebooks.kernels.shell
import ml_assets.notebooks.reading
import ml_assets.notebooks.running.client
import ml_assets.notebooks.running.progress
import ml_assets.notebooks.step
import ml_assets.notebooks.summary
from ml_assets.catalog import catalog
from ml_assets.dagster_names import PRELOADED

for _module in PRELOADED:
    importlib.import_module(_module)

# It has been opened by the import, with a thread that a fork would lack. It opens again when it is used.
duckdb.default_connection().close()

# Last: it imports every plugin that is installed, one of which may be broken.
catalog()
