"""A table of notebooks, and what becomes of each: it saved, or why not. Their runs are a matter of the test."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from ml_assets import variables
from ml_assets.notebooks.order import RESULT_FILE, StepOrder
from ml_assets.notebooks.running.dagster_run import run_notebook
from ml_assets.notebooks.running.run import Notebook, NotebookError, run_on_order

SAVE = """\
import pandas as pd
from ml_assets.notebooks.step import Step

step = Step.of(context)
_ = step.save(pd.DataFrame({"visits": [1, 2]}))"""
FAIL = "1 / 0"
SAVED = "saved"
#: Cells tagged with this may raise.
MAY_RAISE = "raises-exception"
PYTHON = {"name": "python3", "display_name": "Python 3", "language": "python"}
#: Characters that Python takes for white space, and some tools for the end of a line.
ODD = b"literal = '\\u2028, \\u2029, \\x85, \\x0b, \\x0c, \\x1c'".decode("unicode_escape")


@dataclass(frozen=True)
class Row:
    """Cells, with a tag where they are pairs, and what becomes of them.

    `verdict`: SAVED, or a part of the error. `warned`: a part of what `ml-assets pair --check` says.
    """

    verdict: str
    cells: tuple[str | tuple[str, str], ...]
    metadata: dict[str, Any] = field(default_factory=lambda: {"kernelspec": PYTHON})
    minor: int = 5
    warned: str = ""

    def write(self, folder: Path, opening: str) -> Path:
        """The notebook in a folder of its own. Args: `opening`: the cell tagged parameters, as Jupyter runs it."""
        cells = [(opening, "parameters"), *((cell, "") if isinstance(cell, str) else cell for cell in self.cells)]
        written = [
            {
                **({"id": f"cell-{number}"} if self.minor >= 5 else {}),
                "cell_type": "code",
                "source": source,
                "metadata": {"tags": [tag]} if tag else {},
                "outputs": [],
                "execution_count": None,
            }
            for number, (source, tag) in enumerate(cells)
        ]
        content = {"cells": written, "metadata": self.metadata, "nbformat": 4, "nbformat_minor": self.minor}
        folder.mkdir(parents=True)
        path = folder / "model.ipynb"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path


def fails(why: str, *cells: str | tuple[str, str], warned: str = "") -> Row:
    return Row(why, (SAVE, *cells), warned=warned)


def saves(*cells: str | tuple[str, str], **changes: Any) -> Row:
    return Row(SAVED, cells, **changes)


ROWS = {
    "sys exit": saves(SAVE, "import sys\nsys.exit()", FAIL),
    "exit with a status that is false": saves(SAVE, "import sys\nsys.exit(False)", FAIL),
    "IPython's exit": saves(SAVE, "exit()", FAIL),
    "quit without a call": saves(SAVE, "quit", FAIL),
    "exit where a column is called type": saves(SAVE, "type, int = 'click', 1\nimport sys\nsys.exit(0)", FAIL),
    "an exit of a kind of its own": saves(SAVE, "class Enough(SystemExit): ...\nraise Enough", FAIL),
    "exit before the save": Row("ended in cell [2], before it saved", ("import sys\nsys.exit(0)", SAVE)),
    "no save": Row("saved nothing", ("1",)),
    "another status": fails("in cell [3]: SystemExit: 3", "exit(3)"),
    "a text": fails("in cell [3]: SystemExit: no rows", "import sys\nsys.exit('no rows')"),
    "a text that is a digit": fails("in cell [3]: SystemExit: 0", "import sys\nsys.exit('0')"),
    "an empty text": fails("in cell [3]: SystemExit: ", "import sys\nsys.exit('')"),
    "a process that ends": fails("in cell [3], where its kernel died", "import os\nos._exit(0)"),
    "an error after the save": fails("in cell [3]: ZeroDivisionError: division by zero", FAIL, "2"),
    "cells that may raise or exit, and one that others skip": saves(
        (FAIL, MAY_RAISE), ("exit(3)", MAY_RAISE), (SAVE, "skip-execution")
    ),
    "magics and half a character": saves(
        "%time 1", "%%capture\nprint(1)", "!true", r"print('\ud800')", r"'\udfff'", SAVE
    ),
    "odd characters": saves(f"{ODD}\nassert len(literal) == 16", SAVE, warned="U+2028"),
    "an unknown magic": fails(
        "in cell [3]: UsageError: Line magic function `%no_such` not found", "%no_such", warned="no magic %no_such"
    ),
    "an unknown magic of cells": fails(
        "in cell [3]: UsageError: Cell magic `%%no_such` not found", "%%no_such\n1", warned="no magic %%no_such"
    ),
    "an error that a magic shows": fails("in cell [3]: ZeroDivisionError: division by zero", f"%%capture\n{FAIL}"),
    "an error without words of its own": fails(
        "in cell [3]: RuntimeError: silent",
        "class Silent(Exception):\n    def __str__(self):\n        raise RuntimeError('silent')\n\n\nraise Silent",
    ),
    "an error of half a character": fails(
        r"in cell [3]: ValueError: \ud800 and \udc80", r"raise ValueError('\ud800 and \udc80')"
    ),
    "a long error": fails("in cell [3]: ValueError: xxx", "raise ValueError('x' * 100_000)"),
    "format 4.0 without a kernel": saves(SAVE, metadata={}, minor=0),
    "a kernel of which the name alone is known": saves(SAVE, metadata={"kernelspec": {"name": "python3"}}),
    "format 4.2 with a kernel of another name": saves(
        SAVE,
        metadata={"kernelspec": {"name": "conda-env-ml-py", "display_name": "ml", "language": "Python"}},
        minor=2,
    ),
}
#: What is refused before it is run, by a part of the error.
REFUSED = {
    "another language": Row(
        "its kernel is of R", ("x <- 1",), {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}
    ),
    "another language, by what ran it": Row("its kernel is of julia", ("x = 1",), {"language_info": {"name": "julia"}}),
    "half a character": Row("cell 2 holds U+D800, half of a character", ("'\ud800'",)),
}


def order(folder: Path) -> Path:
    """The file of an order, beside which a notebook leaves its result."""
    (folder / "artifact").mkdir(parents=True)
    now = datetime(2026, 1, 2, tzinfo=UTC)
    given = {"cutoff": now, "windows": {}, "run_id": "run", "attribution": timedelta(days=7), "horizon": None}
    what = {"asset": "shop/order/model", "step": "model", "partition": "2026-01-01", "config": {}}
    file = folder / "order.json"
    ordered = StepOrder(**what, **given, folder=folder / "artifact", inputs={}, examples=None)
    file.write_text(ordered.model_dump_json(), encoding="utf-8")
    return file


def opening(file: Path) -> str:
    """What opens an order in Jupyter, and in tests."""
    opens = f"context = context_of_order(Path({str(file)!r}))"
    return f"from pathlib import Path\n\nfrom ml_assets.notebooks.context import context_of_order\n\n{opens}"


def in_a_test(notebook: Path, file: Path, kernels: Path | None) -> str:
    """The verdict of the fixture's own run."""
    ordered = StepOrder.model_validate_json(file.read_bytes())
    try:
        run_on_order(Notebook.read(notebook, opening(file)), ordered, file, kernels=kernels)
    except NotebookError as error:
        return str(error)
    return SAVED


def has_saved(file: Path) -> bool:
    """Whether a notebook has left a saved artifact beside its order."""
    result = file.with_name(RESULT_FILE)
    return result.exists() and json.loads(result.read_bytes())["data_version"] is not None


@dg.asset
def verdicts(context: dg.AssetExecutionContext) -> dict[str, str]:
    """Runs the notebooks of a folder, one after the other, as the partitions of a run; writes down their verdicts."""
    folder, kernels = Path(variables.inherited()["VERDICTS"]), variables.get("KERNELS")
    found = {}
    for notebook in sorted(folder.glob("*/model.ipynb")):
        file = order(notebook.parent / "order")
        ordered = StepOrder.model_validate_json(file.read_bytes())
        try:
            run_notebook(
                context,
                notebook=notebook,
                order=ordered,
                executed=notebook.with_name("executed.ipynb"),
                kernels=Path(kernels) if kernels else None,
            )
            found[notebook.parent.name] = SAVED
        except NotebookError as error:
            found[notebook.parent.name] = str(error)
    (folder / "verdicts.json").write_text(json.dumps(found))
    return found


defs = dg.Definitions(assets=[verdicts])
