"""Unit tests of functions inside a notebook, by testbook: no other cell runs, and no Dagster."""

from collections.abc import Iterator
from pathlib import Path

import jupytext
import pytest
from testbook import testbook
from testbook.client import TestbookNotebookClient
from testbook.exceptions import TestbookRuntimeError

from ml_assets.notebooks.kernels.provisioner import warm_kernels
from tests.support.spark import JAVA, NO_JAVA

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not JAVA, reason=NO_JAVA)]

NOTEBOOK = """\
# %% tags=["parameters"]
raise RuntimeError("there is no context in a unit test")

# %% tags=["functions"]
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def click_rates(shown: pd.DataFrame) -> pd.Series:
    if shown.empty:
        raise ValueError("nothing was shown")
    return shown.groupby("position")["clicked"].mean()


def clicks_by_day(clicks: DataFrame) -> DataFrame:
    return clicks.groupBy(F.to_date("event_time").alias("day")).agg(F.count("*").alias("clicks"))


# %%
raise RuntimeError("nor are there events")
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestbookNotebookClient]:
    """The notebook's kernel, in which its functions alone are defined."""
    path: Path = tmp_path_factory.mktemp("notebook") / "clicks.ipynb"
    jupytext.write(jupytext.reads(NOTEBOOK, fmt="py:percent"), path)
    with warm_kernels(None), testbook(path, execute=["functions"], timeout=300) as tb:
        yield tb


def test_a_pandas_function_is_called_on_rows_of_the_test(notebook: TestbookNotebookClient) -> None:
    notebook.inject("shown = pd.DataFrame({'position': [1, 1, 2], 'clicked': [1, 0, 0]})")
    click_rates = notebook.ref("click_rates")
    assert click_rates(notebook.ref("shown")).to_dict() == {"1": 0.5, "2": 0.0}


def test_what_a_function_raises_reaches_the_test(notebook: TestbookNotebookClient) -> None:
    notebook.inject("empty = pd.DataFrame({'position': [], 'clicked': []})")
    with pytest.raises(TestbookRuntimeError, match="nothing was shown") as raised:
        notebook.ref("click_rates")(notebook.ref("empty"))
    assert raised.value.eclass is ValueError


def test_a_spark_function_is_called_on_rows_of_the_test(notebook: TestbookNotebookClient) -> None:
    notebook.inject(
        """
        from pyspark.sql import SparkSession

        spark = SparkSession.builder.master("local[1]").config("spark.sql.session.timeZone", "UTC").getOrCreate()
        times = ["2026-03-01 10:00:00", "2026-03-01 23:59:59", "2026-03-02 00:00:00"]
        clicks = spark.createDataFrame([(time,) for time in times], "event_time string")
        clicks = clicks.withColumn("event_time", F.to_timestamp("event_time"))
        """
    )
    rows = notebook.value("[[str(row.day), row.clicks] for row in clicks_by_day(clicks).orderBy('day').collect()]")
    assert rows == [["2026-03-01", 2], ["2026-03-02", 1]]


def test_no_other_cell_of_the_notebook_has_run(notebook: TestbookNotebookClient) -> None:
    ran = [cell.source.split("(")[0] for cell in notebook.cells if cell.get("execution_count")]
    assert "raise RuntimeError" not in ran
    with pytest.raises(TestbookRuntimeError, match="there is no context in a unit test"):
        notebook.execute_cell("parameters")
