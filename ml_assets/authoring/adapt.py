"""Turns a data scientist's notebook into a step: adds the parameters cell, the step and the save, and nothing else.

Also says which cells read files by themselves: what does not come from the step is not gated. Files belong to `new`.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from ml_assets.authoring.unsaved import find_unsaved, last_name

_PARAMETERS = "parameters"
_SAVES = {"save", "save_model", "save_files"}
_READERS = {"read_text", "read_bytes", "loadtxt", "genfromtxt"}
#: pandas has more than a dozen: read_csv, read_parquet, read_sql ...
_PANDAS_READER = re.compile(r"read_[a-z_]+")
#: What runs Python that follows on its line, or in its cell.
_TIMED = re.compile(r"^(\s*)%%?(?:time|timeit|capture|prun)\b", re.MULTILINE)


class AdaptError(ValueError):
    """A notebook cannot be adapted. The message says what to change or to give."""


@dataclass(frozen=True)
class Read:
    """A place where a notebook reads a file by itself.

    `cell`: its number, from 1; `line`: the statement; `instead`: what to put in its place, which gives `rows` a table;
    `reader`, `path` and `options`: by which function what is read and how, as far as it is written out.
    """

    cell: int
    line: str
    instead: str
    rows: str
    reader: str
    path: str | None
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Adapted:
    """The notebook with what it lacked, a sentence for each thing done, and what a person should change.

    `reads` keep it from being gated; `refused`: what a model holds, each with its cell, so that `step.save_model`
    refuses it.
    """

    notebook: NotebookNode
    done: tuple[str, ...]
    reads: tuple[Read, ...]
    refused: tuple[tuple[str, int], ...]


def adapt(notebook: NotebookNode, asset: str, variable: str | None = None) -> Adapted:
    """Add the cells that make a notebook the step of an asset, where it lacks them.

    Args: `variable`: the name that holds the fitted model; None: the one that is fitted last.
    Raises: AdaptError when that is not clear, or the notebook uses the names that the added cells need.
    """
    cells = list(notebook.cells)
    trees = [_parse(cell) for cell in cells]
    parameters = [number for number, cell in enumerate(cells) if _PARAMETERS in cell.metadata.get("tags", ())]
    step = next((name for tree in trees if (name := _step_name(tree))), None)
    _check_names(trees, parameters, own_step=step is not None)

    place = parameters[0] + 1 if parameters else _first_code(cells)
    added = [] if parameters else [_parameters_cell(asset)]
    if step is None:
        added.append(_code_cell("from ml_assets.notebooks.step import Step\n\nstep = Step.of(context)"))
    cells[place:place] = added
    done = [] if parameters else ["added the cell tagged `parameters`, which Dagster replaces"]
    if not any(_saves(tree, step or "step") for tree in trees):
        model, fitted, others = _model_variable(trees, variable)
        cells.append(_code_cell(f"{step or 'step'}.save_model({model})"))
        done.append(
            f"saves `{model}`" + (f", which cell {fitted + 1 + len(added)} fits last" if fitted is not None else "")
        )
        if others:
            done.append(f"does not save {', '.join(others)}, fitted before; to save another: --model-variable NAME")
    adapted = nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)
    return Adapted(adapted, tuple(done), tuple(_reads(adapted)), tuple(find_unsaved(map(_parse, cells))))


def _parameters_cell(asset: str) -> NotebookNode:
    source = f'from ml_assets.jupyter import context_of\n\ncontext = context_of("{asset}")'
    return _code_cell(source, tags=[_PARAMETERS])


def _code_cell(source: str, **metadata: Any) -> NotebookNode:
    return nbformat.v4.new_code_cell(source, metadata=metadata)


def _first_code(cells: list[NotebookNode]) -> int:
    """The place of the first cell of code: a title stays above."""
    return next((number for number, cell in enumerate(cells) if cell.cell_type == "code"), len(cells))


def _parse(cell: NotebookNode) -> ast.Module:
    """The Python of a cell; empty where it holds another language or no Python at all."""
    try:
        return ast.parse(_python(cell))
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _python(cell: NotebookNode) -> str:
    """The code of a cell, with IPython's own lines as calls."""
    if cell.cell_type != "code":
        return ""
    manager = TransformerManager()  # type: ignore[no-untyped-call]
    return manager.transform_cell(_TIMED.sub(r"\1", cell.source))


def _step_name(tree: ast.Module) -> str | None:
    """The name that `Step.of(context)` is given."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(func=ast.Attribute(value=ast.Name(id="Step"), attr="of")),
            ):
                return name
    return None


def _saves(tree: ast.Module, step: str) -> bool:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attribute)):
                if name == step and attribute in _SAVES:
                    return True
    return False


def _check_names(trees: list[ast.Module], parameters: list[int], *, own_step: bool) -> None:
    """Refuse a parameters cell without a context, and other uses of the names `context` and `step`."""
    if len(parameters) > 1:
        numbers = ", ".join(str(one + 1) for one in parameters)
        raise AdaptError(f"cells {numbers} are tagged `parameters`: only one may be, for Dagster replaces it")
    for number, tree in enumerate(trees):
        stored = _stored(tree)
        if number in parameters and "context" not in stored:
            raise AdaptError(
                f"cell {number + 1} is tagged `parameters` and sets no `context`: Dagster replaces that cell, so what "
                "it sets would be lost; take the tag away"
            )
        taken = {"context"} - ({"context"} if number in parameters else set()) | ({"step"} if not own_step else set())
        if clash := sorted(taken & stored):
            raise AdaptError(
                f"cell {number + 1} sets `{clash[0]}`, a name that the added cells need; rename it, or tag the cell "
                "`parameters` if it holds the context already"
            )


def _stored(tree: ast.Module) -> set[str]:
    """The names that a cell sets."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    return names | {alias.asname or alias.name for node in imports for alias in node.names}


def _model_variable(trees: list[ast.Module], given: str | None) -> tuple[str, int | None, list[str]]:
    """The name that holds the model, the place of the cell that fits it last, and the other names that are fitted."""
    fitted = [(number, _fitted(tree)) for number, tree in enumerate(trees)]
    names = list(dict.fromkeys(name for _, found in fitted for name in found))
    if given is not None:
        stored = {name for tree in trees for name in _stored(tree)}
        if given not in stored:
            fits = ", ".join(names) or "none"
            raise AdaptError(f"--model-variable {given}: no cell sets it; `.fit(` is called on {fits}")
        return given, None, []
    if not names:
        raise AdaptError("no cell calls `.fit(` on a name: say which name holds the model by --model-variable NAME")
    number, last = next((number, found) for number, found in reversed(fitted) if found)
    if len(set(last)) > 1:
        found = ", ".join(dict.fromkeys(last))
        raise AdaptError(f"cell {number + 1} fits {found}: say which one is the model by --model-variable NAME")
    return last[0], number, [name for name in names if name != last[0]]


def _fitted(tree: ast.Module) -> list[str]:
    """The names that are fitted, or given what was fitted, outside of functions and classes; in order."""
    finder = _Fits()
    finder.visit(tree)
    return finder.names


class _Fits(ast.NodeVisitor):
    def __init__(self) -> None:
        self.names: list[str] = []

    def visit_Assign(self, node: ast.Assign) -> None:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Attribute(attr="fit"))):
                self.names.append(name)
            case _:
                self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="fit")):
                self.names.append(name)
            case _:
                self.generic_visit(node)

    def _skip(self, node: ast.AST) -> None:
        """What a function holds happens elsewhere."""

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = _skip  # noqa: N815


def _reads(notebook: NotebookNode) -> Iterator[Read]:
    for number, cell in enumerate(notebook.cells, 1):
        for statement in _statements(_parse(cell)):
            for call in _calls(statement):
                line = ast.get_source_segment(_python(cell), statement) or ast.unparse(statement)
                yield _read(number, line.partition("\n")[0], statement, call)


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """The innermost statements, in order."""
    blocks: list[ast.AST] = [tree]
    while blocks:
        node = blocks.pop(0)
        inner = [one for one in ast.iter_child_nodes(node) if isinstance(one, (ast.stmt, ast.excepthandler))]
        if isinstance(node, ast.stmt):
            yield node
        blocks[:0] = inner


def _calls(statement: ast.stmt) -> Iterator[ast.Call]:
    """The calls of a statement that read files, without those of the statements inside of it."""
    waiting = [node for node in ast.iter_child_nodes(statement) if not isinstance(node, (ast.stmt, ast.excepthandler))]
    while waiting:
        node = waiting.pop(0)
        waiting[:0] = ast.iter_child_nodes(node)
        if isinstance(node, ast.Call) and _is_read(node):
            yield node


def _is_read(call: ast.Call) -> bool:
    name = last_name(call.func)
    if name == "open":
        modes = [*call.args[1:2], *(one.value for one in call.keywords if one.arg == "mode")]
        return not any(isinstance(mode, ast.Constant) and set("wax") & set(str(mode.value)) for mode in modes)
    if name == "load":  # numpy's and joblib's; those of json and pickle are given what `open` opened.
        return bool(call.args) and isinstance(call.args[0], ast.Constant)
    return name in _READERS or _PANDAS_READER.fullmatch(name) is not None


def _read(number: int, line: str, statement: ast.stmt, call: ast.Call) -> Read:
    target, path = "rows", None
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            target = name
    match call.args:
        case [ast.Constant(value=str(text)), *_]:
            path = text
    return Read(
        cell=number,
        line=line,
        instead=f'{target} = step.read("training_data")',
        rows=target,
        reader=last_name(call.func),
        path=path,
        options=_literals(call),
    )


def _literals(call: ast.Call) -> dict[str, Any]:
    """The keyword arguments that are written out."""
    found = {}
    for keyword in call.keywords:
        try:
            value = ast.literal_eval(keyword.value)
        except ValueError:
            continue
        if keyword.arg:
            found[keyword.arg] = value
    return found
