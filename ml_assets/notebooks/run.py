"""Runs one notebook for one partition, by dagstermill's own execution.

dagstermill hands a notebook its run. A run here may hold many partitions, so each notebook is shown the run as if it
held its partition alone; everything else about the notebook contract stays dagstermill's.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from ml_assets.notebooks.order import ORDER_TAG, RESULT_FILE, StepOrder, StepResult


class NotebookError(Exception):
    """A notebook failed. The message names its cell and shows the traceback."""


def run_notebook(context: dg.AssetExecutionContext, *, notebook: Path, order: StepOrder, executed: Path) -> StepResult:
    """Run a notebook and keep its executed copy, whether it succeeds or fails.

    Args: `executed`: where the executed notebook is kept.
    Raises: NotebookError when a cell raises, the kernel dies, or the notebook saves no artifact.
    """
    # These load Jupyter; only a process that runs a notebook pays for that.
    from dagstermill.factory import execute_notebook
    from papermill.exceptions import PapermillException

    with tempfile.TemporaryDirectory(prefix="ml_assets-") as work:
        order_file = Path(work) / "order.json"
        order_file.write_text(order.model_dump_json(indent=1), encoding="utf-8")
        step_context = _OnePartition(context.get_step_execution_context(), order.partition, order_file)
        try:
            execute_notebook(
                step_context,  # type: ignore[arg-type]
                name=order.asset,
                save_notebook_on_failure=False,
                notebook_path=str(notebook),
                output_notebook_dir=work,
                inputs={},
            )
        except (PapermillException, RuntimeError) as error:
            raise NotebookError(f"{notebook.name} failed for {order.asset} {order.partition}: {error}") from error
        finally:
            _keep(Path(work), executed)
            # dagstermill makes this folder for each run and leaves it behind.
            shutil.rmtree(Path(tempfile.gettempdir()) / "dagstermill" / context.run_id, ignore_errors=True)
        result = _result(Path(work) / RESULT_FILE)
    if result.data_version is None:
        raise NotebookError(
            f"{notebook.name} saved nothing for {order.asset} {order.partition}: end it with step.save(...)"
        )
    return result


def _result(path: Path) -> StepResult:
    return StepResult.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else StepResult()


def _keep(work: Path, executed: Path) -> None:
    """Keep the executed notebook without the cell that dagstermill injected: it holds the whole instance and run."""
    import nbformat

    for path in work.glob("*-out.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if "injected-parameters" in cell.metadata.get("tags", []):
                cell.source = (
                    "# The run's context was injected here.\nimport dagstermill\n\ncontext = dagstermill.get_context()"
                )
        notebook.metadata.get("papermill", {}).pop("parameters", None)
        executed.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, executed)


class _OnePartition:
    """A step's context whose run holds one partition, and tells the notebook where its order is."""

    def __init__(self, step_context: Any, partition: str, order_file: Path) -> None:
        ranges = (ASSET_PARTITION_RANGE_START_TAG, ASSET_PARTITION_RANGE_END_TAG)
        run = step_context.dagster_run
        tags = {key: value for key, value in run.tags.items() if key not in ranges}
        self._step_context = step_context
        self.dagster_run = run.with_tags({**tags, PARTITION_NAME_TAG: partition, ORDER_TAG: str(order_file)})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step_context, name)
