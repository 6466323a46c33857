"""Runs one notebook for one partition of a Dagster run, with dagstermill's context.

dagstermill hands a notebook its run. A run here may hold many partitions, so each notebook is shown the run as if it
held its partition alone; everything else about the notebook contract stays dagstermill's.
"""

import json
from pathlib import Path
from typing import Any

import dagster as dg

from ml_assets.dagster_names import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
    pack_value,
)
from ml_assets.notebooks.order import ORDER_TAG, StepOrder, StepResult
from ml_assets.notebooks.running.memory import MEMORY, MemoryGroup
from ml_assets.notebooks.running.run import Notebook, run_on_order
from ml_assets.paths import AnyPath
from ml_assets.temporary import TemporaryFolder


def run_notebook(
    context: dg.AssetExecutionContext,
    *,
    notebook: Path,
    order: StepOrder,
    executed: AnyPath,
    kernels: Path | None = None,
    memory: MemoryGroup = MEMORY,
) -> StepResult:
    """Run a notebook in its own folder, and keep its executed copy, whether it succeeds or fails.

    Args: `executed`: where the executed notebook is kept; `kernels`: the address of the warm process that its kernel is
    forked from; None: it starts cold; `memory`: of this container.
    Raises: as `run_on_order`.
    """
    step_context = context.get_step_execution_context()
    with TemporaryFolder() as folder:
        order_file = folder.path / "order.json"
        order_file.write_text(order.model_dump_json(indent=1), encoding="utf-8")
        written = _write_context(_OnePartition(step_context, order.partition, order_file), folder.path)
        opens = f"context = KernelContext.read({str(written)!r})"
        opened = Notebook.read(notebook, f"from ml_assets.notebooks.kernels.context import KernelContext\n\n{opens}")
        try:
            return run_on_order(opened, order, order_file, kernels=kernels, log=context.log.info, memory=memory)
        finally:
            _keep(opened, executed, order)


def _write_context(step_context: "_OnePartition", work: Path) -> Path:
    """Write down, in a folder of this process, what dagstermill makes its context from: it holds the whole instance."""
    # dagstermill's own way takes one folder of the machine for that, which belongs to the first user who runs one.
    results = work / "results"
    results.mkdir()
    context = {
        "executable_dict": step_context.job.to_dict(),
        "job_run_dict": pack_value(step_context.dagster_run),
        "node_handle_kwargs": step_context.node_handle._asdict(),
        "instance_ref_dict": pack_value(step_context.instance.get_ref()),
        "step_key": step_context.step.key,
        "output_log_path": str(work / "output.log"),
        "marshal_dir": str(results),
        "run_config": step_context.run_config,
    }
    path = work / "context.json"
    path.write_text(json.dumps(context), encoding="utf-8")
    return path


def _keep(notebook: Notebook, executed: AnyPath, order: StepOrder) -> None:
    """Keep the executed notebook without the cell that opened it: what it shows may hold the whole instance and run.

    In its place stands one that opens the same partition in Jupyter.
    """
    import nbformat

    cell = notebook.opening
    opens = f'context = context_of("{order.asset}", "{order.partition}")'
    cell.source = f"from ml_assets.jupyter import context_of\n\n{opens}"
    # A traceback quotes the source.
    errors = [output for output in cell.outputs if output.output_type == "error"]
    words = "".join(f"{error.ename}: {error.evalue}\n" for error in errors)
    cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text=words)] if words else []
    executed.parent.mkdir(parents=True, exist_ok=True)
    executed.write_text(nbformat.writes(notebook.node), encoding="utf-8")


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
