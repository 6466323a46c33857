"""The magics of IPython that a notebook uses and nobody knows: their cells fail wherever it is run."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any

_CALL = {"run_line_magic": "line", "run_cell_magic": "cell"}
#: What may make others known, which only a run can tell.
_MAKES = re.compile(r"\b(?:re)?load_ext\b|\bregister_\w*magic|\balias|%run\b")
#: Prints the names of the kernel's magics by kind. The shell leaves no history.
_ASK = """
import json
from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets.config import Config
shell = ZMQInteractiveShell(config=Config(HistoryManager={"enabled": False}))
print(json.dumps({kind: list(of) for kind, of in shell.magics_manager.magics.items()}))
"""


def unknown_magics(notebook: Mapping[str, Any]) -> Iterator[str]:
    """The magics, each with the number of its cell; none where the notebook may make some known."""
    cells = [("".join(cell["source"]), number) for number, cell in enumerate(notebook["cells"], 1) if _is_code(cell)]
    if not any("%" in source for source, _ in cells) or any(_MAKES.search(source) for source, _ in cells):
        return
    # What has no magics does without.
    from IPython.core.inputtransformer2 import TransformerManager

    transformer = TransformerManager()  # type: ignore[no-untyped-call]
    for source, number in cells:
        for kind, name in _magics(transformer.transform_cell(source)):
            if name not in _known()[kind]:
                yield f"cell {number}: there is no magic {'%' if kind == 'line' else '%%'}{name}"


def _is_code(cell: Mapping[str, Any]) -> bool:
    return bool(cell["cell_type"] == "code")


def _magics(python: str) -> Iterator[tuple[str, str]]:
    """The kinds and names of the magics in a cell that IPython has made Python of."""
    try:
        tree = ast.parse(python)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CALL:
            match node.args:
                case [ast.Constant(str(name)), *_]:
                    yield _CALL[node.func.attr], name


@cache
def _known() -> Mapping[str, Collection[str]]:
    """Asked in a process of its own: a shell changes the environment, `__main__` and more of the one that it is in."""
    done = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, check=True, text=True)
    known: Mapping[str, Collection[str]] = json.loads(done.stdout)
    return known
