"""Runs one notebook on its order, and tells what it left behind, or why it failed: the same for Dagster and a test."""

import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ml_assets.notebooks.code.formats import FormatError, read_notebook
from ml_assets.notebooks.order import RESULT_FILE, StepOrder, StepResult
from ml_assets.notebooks.running.memory import MEMORY, MemoryGroup
from ml_assets.notebooks.running.missing_columns import meant_columns
from ml_assets.notebooks.running.spark_errors import spark_reason
from ml_assets.paths import AnyPath, outage_in

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from ml_assets.notebooks.running.client import CellError

_COLOR = re.compile("\x1b\\[[0-9;]*[A-Za-z]")
#: Characters of a reason and of a traceback that are kept; the executed notebook has them in full.
_REASON, _TRACEBACK = 2_000, 20_000


class NotebookError(Exception):
    """A notebook failed. The message names its cell, with source and traceback."""


class KernelDiedError(NotebookError):
    """The kernel of a notebook ended in a cell, and nothing says why: somebody may have killed it."""


class KernelStartError(Exception):
    """The kernel of a notebook did not start, which says nothing of the notebook."""


class Notebook(NamedTuple):
    """A notebook to run. `opening`: its cell that sets the context, in place of the one tagged `parameters`."""

    path: Path
    node: "NotebookNode"
    opening: "NotebookNode"

    @classmethod
    def read(cls, path: Path, opening: str) -> "Notebook":
        """The notebook of a file, of whatever minor version of the format. Args: `opening`: what sets `context`.

        Raises: NotebookError for what is no notebook.
        """
        try:
            node = read_notebook(path)
        except FormatError as error:
            raise NotebookError(f"{path} is no Jupyter notebook (version 4): {error}") from None
        # What papermill's client notes goes there.
        node.metadata["papermill"] = {}
        tagged = (cell for cell in node.cells if "parameters" in cell.metadata.get("tags", []))
        cell = next(cell for cell in tagged if cell.cell_type == "code")
        cell.source, cell.metadata["tags"] = opening, ["injected-parameters"]
        return cls(path, node, cell)


def run_on_order(
    notebook: Notebook,
    order: StepOrder,
    order_file: Path,
    *,
    kernels: Path | None = None,
    log: Callable[[str], None] | None = None,
    memory: MemoryGroup = MEMORY,
) -> StepResult:
    """Run a notebook in its own folder, in place.

    It ends well that has saved when its last cell ended, or one that exits with status 0.
    Args: `kernels`: the address of the warm process that its kernel is forked from; None: it starts cold; `log`: is
    told what it prints meanwhile; `memory`: of this container.
    Raises: NotebookError when a cell raises, the kernel dies (KernelDiedError where nothing says why), or the notebook
    saves no artifact; KernelStartError; AwayError when a store is away that it reads.
    """
    what, name = f"{order.asset} {order.partition}", notebook.path.name
    try:
        ended = _execute(notebook, kernels=kernels, log=log, memory=memory, inputs=order.inputs)
    except NotebookError as error:
        raise type(error)(f"{name} failed for {what}{error}") from None
    result = _result(order_file.with_name(RESULT_FILE))
    if result.data_version is None:
        why = f"ended in {ended}, before it saved" if ended else "saved nothing"
        raise NotebookError(f"{name} {why} for {what}: end it with step.save(...)")
    return result


def _execute(
    notebook: Notebook,
    *,
    kernels: Path | None,
    log: Callable[[str], None] | None,
    memory: MemoryGroup,
    inputs: Mapping[str, AnyPath],
) -> str:
    """Returns: the cell that ended the notebook before its last one; nothing where none did.

    Raises: NotebookError whose message continues that of the caller; KernelStartError.
    """
    # These load Jupyter; only a process that runs a notebook pays for that.
    from ml_assets.notebooks.kernels.provisioner import warm_kernels
    from ml_assets.notebooks.running.client import execute
    from ml_assets.notebooks.running.progress import showing

    kills, node = memory.kills(), notebook.node
    shown = showing(log, [cell.cell_type for cell in node.cells]) if log else nullcontext()
    try:
        with warm_kernels(kernels), shown:
            ending = execute(node, folder=notebook.path.parent, log_output=log is not None)
    except RuntimeError as error:
        raise _death(node, error, memory, killed=memory.kills() > kills) from None
    if ending.error is not None:
        if outage := outage_in(f"{ending.error.ename}: {ending.error.evalue}"):
            # It says nothing of the notebook.
            raise outage
        raise NotebookError(_told(ending.error, inputs, is_opening=ending.error.cell is notebook.opening))
    return f"cell [{ending.exit.execution_count}]" if ending.exit else ""


def _told(error: "CellError", inputs: Mapping[str, AnyPath], *, is_opening: bool) -> str:
    cell, ename, evalue = error.cell, error.ename, error.evalue
    spark = spark_reason(ename, evalue)
    hint = meant_columns(ename, evalue, inputs.values())
    reason = f"Spark: {spark}" if spark else f"{ename}: {_shortened(evalue, _REASON)}{hint}"
    if is_opening:
        # Its traceback may hold the whole instance, with its passwords.
        return f" before its first cell: {reason}"
    traceback = _COLOR.sub("", "\n".join(error.traceback)) or reason
    # Where a reason is shown on one line, the last line of what follows is kept.
    last = f"\nSpark: {spark}" if spark else ""
    told = _shortened(traceback, _TRACEBACK)
    return f" in cell [{cell.execution_count}]: {reason}\n{_quoted(cell.source)}\n\n{told}{last}"


def _death(notebook: "NotebookNode", error: RuntimeError, memory: MemoryGroup, *, killed: bool) -> Exception:
    """What became of a kernel, in the last cell that began. Args: `killed`: whether for lack of memory."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    begun = [(number, cell) for number, cell in enumerate(cells, 1) if cell.metadata.papermill["start_time"]]
    if not begun:
        return KernelStartError(f"the kernel of a notebook did not start: {error}")
    number, cell = begun[-1]
    died = "died"
    if killed:
        died = f"was killed for lack of memory ({memory.limit()}): raise the limit, or let it hold fewer rows at once"
    # Where the whole machine lacked memory, the notebook may not have been what took it.
    kind = NotebookError if killed and memory.is_limited() else KernelDiedError
    return kind(f" in cell [{number}], where its kernel {died}\n{_quoted(cell.source)}\n: {error}")


def _quoted(source: str) -> str:
    return "\n".join(f"    {line}" for line in source.splitlines())


def _shortened(text: str, longest: int) -> str:
    """A text without its middle, where it is longer."""
    half = longest // 2
    left_out = len(text) - 2 * half
    return text if left_out <= 0 else f"{text[:half]} ... {left_out} characters ... {text[-half:]}"


def _result(path: Path) -> StepResult:
    return StepResult.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else StepResult()
