"""Executes the cells of a notebook in a kernel, whoever asks: a run of Dagster or a test.

It tells how the notebook ended; what becomes of that is a matter of `run`. Heavy: it loads Jupyter.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NotebookExecutionManager
from papermill.log import logger
from typing_extensions import override

_KERNEL_START_SECONDS = 120
#: The name of what was raised last, if Python would end by it with status 0, else nothing.
EXIT = (
    # A notebook may call a column `type`.
    "(lambda raised, b: b.type(raised).__name__ if b.isinstance(raised, b.SystemExit) and (raised.code is None or "
    "b.isinstance(raised.code, b.int) and not raised.code) else '')"
    "(__import__('sys').last_value, __import__('builtins'))"
)
_MAY_RAISE = "raises-exception"


class CellError(NamedTuple):
    """What a cell raised. `traceback`: its lines, with their colors; none where IPython gives none."""

    cell: NotebookNode
    ename: str
    evalue: str
    traceback: list[str]


class Ending(NamedTuple):
    """How a notebook ended, whose kernel lived.

    `error`: what made it fail; None: it ended well. `exit`: the cell that ended it with status 0, so that those after
    it were not run; None: the last one ended it.
    """

    error: CellError | None
    exit: NotebookNode | None


def execute(notebook: NotebookNode, *, folder: Path, log_output: bool) -> Ending:
    """Execute a notebook in a folder, in place. What a cell prints goes to papermill's logger where asked for.

    A cell fails that raises, or that shows an error; one tagged `raises-exception` may do either.
    Raises: RuntimeError when the kernel dies.
    """
    # No file: the notebook is in our hands.
    manager = NotebookExecutionManager(notebook, output_path=None, log_output=log_output, progress_bar=False)
    manager.notebook_start()
    client = _Client(
        manager,
        kernel_name="python3",
        startup_timeout=_KERNEL_START_SECONDS,
        timeout=None,
        log=logger,
        log_output=log_output,
        # JupyterLab knows no such tag.
        skip_cells_with_tag="",
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    finally:
        manager.notebook_complete()
    return Ending(client.error or next(_shown_errors(notebook, client.exit), None), client.exit)


def _shown_errors(notebook: NotebookNode, ended: NotebookNode | None) -> Iterator[CellError]:
    """Errors that cells show although they ended well, as IPython's `%%capture` and `%run` let them."""
    for cell in notebook.cells:
        if cell is not ended and _MAY_RAISE not in cell.metadata.get("tags", []):
            for output in cell.get("outputs", []):
                if output.output_type == "error":
                    yield CellError(cell, output.ename, output.evalue, output.traceback)


class _OwnPython(KernelSpecManager):
    """Whatever kernel a notebook names, it is run by the Python that runs this."""

    @override
    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    error: CellError | None = None
    exit: NotebookNode | None = None

    @override
    def create_kernel_manager(self) -> KernelManager:
        manager: KernelManager = super().create_kernel_manager()
        manager.kernel_spec_manager = _OwnPython()
        return manager

    @override
    async def _check_raise_for_error(self, cell: NotebookNode, cell_index: int, exec_reply: Any) -> None:
        try:
            await super()._check_raise_for_error(cell, cell_index, exec_reply)
        except CellExecutionError as error:
            # The kernel's answer alone tells of each failure: some are not among the outputs, or only in words.
            if await self._exit() == error.ename:
                self.exit = cell
            else:
                traceback = exec_reply["content"].get("traceback") or []
                self.error = CellError(cell, error.ename, error.evalue, traceback)
            raise

    async def _exit(self) -> str:
        """The name of what was raised, if Python would end by it with status 0."""
        content: dict[str, Any] = {"status": "aborted"}
        # What is asked while the kernel takes leave of the cells after the failed one is put off, too.
        while content["status"] == "aborted":
            asked = self.kc.execute("", silent=True, user_expressions={"exit": EXIT})
            content = (await self.async_wait_for_reply(asked))["content"]
        return str(content["user_expressions"]["exit"].get("data", {}).get("text/plain", "")).strip("'")
