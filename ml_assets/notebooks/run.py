"""Runs one notebook for one partition, by papermill, with dagstermill's context.

dagstermill hands a notebook its run. A run here may hold many partitions, so each notebook is shown the run as if it
held its partition alone; everything else about the notebook contract stays dagstermill's.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from ml_assets.notebooks.formats import read_notebook
from ml_assets.notebooks.memory import MemoryGroup
from ml_assets.notebooks.missing_columns import meant_columns
from ml_assets.notebooks.order import ORDER_TAG, RESULT_FILE, StepOrder, StepResult
from ml_assets.notebooks.spark_errors import spark_reason
from ml_assets.paths import AnyPath

_KERNEL_START_SECONDS = 120
_MEMORY = MemoryGroup()
_EXECUTED = "executed.ipynb"
_INJECTED = "injected-parameters"


class NotebookError(Exception):
    """A notebook failed. The message names its cell, with source and traceback."""


def run_notebook(
    context: dg.AssetExecutionContext,
    *,
    notebook: Path,
    order: StepOrder,
    executed: AnyPath,
    kernels: Path | None = None,
    memory: MemoryGroup = _MEMORY,
) -> StepResult:
    """Run a notebook in its own folder, and keep its executed copy, whether it succeeds or fails.

    Args: `executed`: where the executed notebook is kept; `kernels`: the address of the warm process that its kernel is
    forked from; None: it starts cold; `memory`: of this container.
    Raises: NotebookError when a cell raises, the kernel dies, or the notebook saves no artifact.
    """
    step_context = context.get_step_execution_context()
    with tempfile.TemporaryDirectory(prefix="ml_assets-") as work:
        order_file = Path(work) / "order.json"
        order_file.write_text(order.model_dump_json(indent=1), encoding="utf-8")
        try:
            seen = _OnePartition(step_context, order.partition, order_file)
            _execute(seen, notebook, Path(work), context.log.info, kernels=kernels, memory=memory, inputs=order.inputs)
        except NotebookError as error:
            raise NotebookError(f"{notebook.name} failed for {order.asset} {order.partition}{error}") from None
        finally:
            _keep(Path(work) / _EXECUTED, executed, order)
            # dagstermill makes this folder for each run and leaves it behind.
            shutil.rmtree(Path(tempfile.gettempdir()) / "dagstermill" / context.run.run_id, ignore_errors=True)
        result = _result(Path(work) / RESULT_FILE)
    if result.data_version is None:
        raise NotebookError(
            f"{notebook.name} saved nothing for {order.asset} {order.partition}: end it with step.save(...)"
        )
    return result


def _execute(
    step_context: "_OnePartition",
    notebook: Path,
    work: Path,
    log: Callable[[str], None],
    *,
    kernels: Path | None,
    memory: MemoryGroup,
    inputs: Mapping[str, AnyPath],
) -> None:
    """What dagstermill's own `execute_notebook` does, but in the notebook's folder, as Jupyter does, and with progress.

    Raises: NotebookError whose message continues that of the caller.
    """
    # These load Jupyter; only a process that runs a notebook pays for that.
    import papermill
    from papermill.exceptions import PapermillException, PapermillExecutionError
    from papermill.iorw import write_ipynb

    from ml_assets.notebooks.kernels import warm_kernels
    from ml_assets.notebooks.progress import showing

    given, executed, kills = work / "given.ipynb", work / _EXECUTED, memory.kills()
    replaced = _with_context(read_notebook(notebook), _write_context(step_context, work))
    write_ipynb(replaced, str(given))
    try:
        with warm_kernels(kernels), showing(log, [cell.cell_type for cell in replaced.cells]):
            papermill.execute_notebook(
                str(given),
                str(executed),
                log_output=True,
                progress_bar=False,
                start_timeout=_KERNEL_START_SECONDS,
                resources={"metadata": {"path": str(notebook.parent)}},
            )
    except PapermillExecutionError as error:
        spark = spark_reason(error.ename, error.evalue)
        hint = meant_columns(error.ename, error.evalue, inputs.values())
        reason = f"Spark: {spark}" if spark else f"{error.ename}: {error.evalue}{hint}"
        if error.source in [cell.source for cell in replaced.cells if _is_injected(cell)]:
            # Source and traceback of this cell hold the whole instance, with its passwords.
            raise NotebookError(f" before its first cell: {reason}") from None
        # Where a reason is shown on one line, the last line of what follows is kept.
        last = f"\nSpark: {spark}" if spark else ""
        raise NotebookError(
            f" in cell [{error.exec_count}]: {reason}\n{_quoted(error.source)}\n{error}{last}"
        ) from None
    except (PapermillException, RuntimeError) as error:
        why = f"was killed for lack of memory ({memory.limit()})" if memory.kills() > kills else "died"
        raise NotebookError(f"{_where_it_ended(executed, why)}: {error}") from None


def _write_context(step_context: "_OnePartition", work: Path) -> Path:
    """Write down, in a folder of this process, what dagstermill makes its context from: it holds the whole instance."""
    from dagstermill.factory import get_papermill_parameters

    parameters = get_papermill_parameters(step_context, {}, str(work / "output.log"), "asset")  # type: ignore[arg-type]
    context = {
        "executable_dict": parameters["__dm_executable_dict"],
        "job_run_dict": parameters["__dm_pipeline_run_dict"],
        "node_handle_kwargs": parameters["__dm_node_handle_kwargs"],
        "instance_ref_dict": parameters["__dm_instance_ref_dict"],
        "step_key": parameters["__dm_step_key"],
        **parameters["__dm_context"],  # type: ignore[dict-item]
    }
    path = work / "context.json"
    path.write_text(json.dumps(context), encoding="utf-8")
    return path


def _with_context(notebook: Any, path: Path) -> Any:
    """The notebook with a cell in place of the one tagged `parameters` that sets its context."""
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    opens = f"context = KernelContext.read({str(path)!r})"
    cell.source = f"from ml_assets.notebooks.kernel_context import KernelContext\n\n{opens}"
    cell.metadata["tags"] = [_INJECTED]
    return notebook


def _where_it_ended(executed: Path, why: str) -> str:
    """The last cell that began, where no cell raised: its kernel died. Args: `why`: what became of it."""
    import nbformat

    if not executed.exists():
        return " before its first cell"
    cells = [cell for cell in nbformat.read(executed, as_version=4).cells if cell.cell_type == "code"]
    begun = [
        (number, cell) for number, cell in enumerate(cells, 1) if cell.metadata.get("papermill", {}).get("start_time")
    ]
    if not begun:
        return " before its first cell"
    number, cell = begun[-1]
    return f" in cell [{number}], where its kernel {why}\n{_quoted(cell.source)}\n"


def _quoted(source: str) -> str:
    return "\n".join(f"    {line}" for line in source.splitlines())


def _result(path: Path) -> StepResult:
    return StepResult.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else StepResult()


def _is_injected(cell: Any) -> bool:
    return _INJECTED in cell.metadata.get("tags", [])


def _keep(path: Path, executed: AnyPath, order: StepOrder) -> None:
    """Keep the executed notebook without the cell that dagstermill injected: it holds the whole instance and run.

    In its place stands one that opens the same partition in Jupyter.
    """
    import nbformat

    if not path.exists():
        return
    notebook = nbformat.read(path, as_version=4)
    for cell in filter(_is_injected, notebook.cells):
        opens = f'context = context_of("{order.asset}", "{order.partition}")'
        cell.source = f"from ml_assets.jupyter import context_of\n\n{opens}"
        # A traceback quotes the source.
        errors = [output for output in cell.outputs if output.output_type == "error"]
        words = "".join(f"{error.ename}: {error.evalue}\n" for error in errors)
        cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text=words)] if words else []
    for key in ("parameters", "input_path", "output_path"):
        notebook.metadata.get("papermill", {}).pop(key, None)
    executed.parent.mkdir(parents=True, exist_ok=True)
    executed.write_text(nbformat.writes(notebook), encoding="utf-8")


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
