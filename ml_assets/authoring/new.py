"""Adds a model to a project: its defs.yaml, its notebook and a test; nothing that exists is overwritten.

What a new defs.yaml says is in `components.new_defs`; what a notebook lacks to be a step, in `adapt`.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jupytext  # type: ignore[import-untyped]
import nbformat
from nbformat import NotebookNode

from ml_assets.authoring.adapt import Read, adapt
from ml_assets.authoring.generated import render_test
from ml_assets.authoring.pairs import bring_into_step, find_pairs
from ml_assets.authoring.percent import from_text, lost_by_py, to_ipynb, to_text, torn_lines
from ml_assets.declarations.new_defs import NewModel, default_start, new_logs
from ml_assets.declarations.scaffold import LOGS_FOLDER, Declared, join_of, split_columns
from ml_assets.domain.calendar import Every
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.names import check_key
from ml_assets.domain.declared.spec import Notebooks
from ml_assets.notebooks.code.formats import read_notebook
from ml_assets.notebooks.code.runnable import other_language
from ml_assets.notebooks.code.standard import find_notebook
from ml_assets.project.at_hand import DagsterProject
from ml_assets.whole_files import write_whole

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_FEATURES = ("device", "hour")
_MEGABYTE = 1_000_000
#: Files that a notebook reads are copied with it up to this size together.
_COPIED = 50 * _MEGABYTE


class NewError(ValueError):
    """A model cannot be added. The message says what stands in the way; nothing was written."""


@dataclass(frozen=True)
class Options:
    """What a person asked for; None for what is to be found out."""

    name: str
    from_notebook: Path | None = None
    model_variable: str | None = None
    exposures: str | None = None
    outcomes: str | None = None
    id: str | None = None
    entity: str | None = None
    every: Every | None = None
    start: str | None = None
    timezone: str = "UTC"


@dataclass
class Plan:
    """What is to be written, by path, and what a person should know of it."""

    root: Path
    files: dict[Path, str] = field(default_factory=dict)
    #: Halves of a notebook that is adapted where it is.
    changed: dict[Path, str] = field(default_factory=dict)
    copies: dict[Path, Path] = field(default_factory=dict)
    diff: str = ""
    notes: list[str] = field(default_factory=list)

    def write(self) -> None:
        """Write all files, or none.

        Raises: NewError when one exists.
        """
        existing = [str(path) for path in (*self.files, *self.copies) if (self.root / path).exists()]
        if existing:
            raise NewError(f"{', '.join(existing)}: exists already; nothing was written")
        try:
            for path in (*self.files, *self.copies):
                (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            for path, text in self.files.items():
                write_whole(self.root / path, text)
            for path, source in self.copies.items():
                (self.root / path).write_bytes(source.read_bytes())
            for path, text in self.changed.items():
                write_whole(self.root / path, text)
        except OSError:
            for path in (*self.files, *self.copies):
                (self.root / path).unlink(missing_ok=True)
            raise
        # They are in step; this records it, so that the half that is edited next wins.
        for pair in find_pairs(self.root / path for path in {**self.files, **self.changed} if path.suffix == ".ipynb"):
            bring_into_step(pair)


def plan_model(asked: Options, folder: Path) -> Plan:
    """Find out all that a new model needs, in the project around `folder`. Writes nothing.

    Raises: NewError, AdaptError, ScaffoldError or SpecError for what cannot be; DefsFileError for a project whose
    declarations are wrong.
    """
    check_key("SERVICE/MODEL", asked.name)
    service, model = asked.name.split("/")
    if model == LOGS_FOLDER:
        raise NewError(f"{asked.name}: the folder {LOGS_FOLDER} of a service holds its event logs; choose another name")
    project = DagsterProject.around(folder)
    defs = project.defs / service
    hiding = next((one for one in (defs / "defs.yaml", defs / "defs.yml") if (project.root / one).exists()), None)
    if hiding:
        raise NewError(f"{hiding} hides the folders below it: move it to {defs / LOGS_FOLDER / hiding.name} first")

    plan = Plan(project.root)
    logs, exposures, outcomes, join = _choose_logs(plan, asked, project)
    if asked.from_notebook is None:
        notebook, samples = _copy_standard(plan, asked.name)
    else:
        notebook, samples = _adapt_notebook(plan, asked, folder / asked.from_notebook)
    features = () if asked.from_notebook else _FEATURES
    new = NewModel(asked.name, exposures, outcomes, join, {"model": notebook.as_posix()}, features)
    plan.files[defs / model / "defs.yaml"] = new.to_yaml(logs)
    plan.files[Path("tests", f"{service}_{model}", "test_notebooks.py")] = render_test(
        asked.name, logs[exposures], features, samples, slow=project.has_slow_tests
    )
    return plan


_Logs = tuple[Mapping[str, EventLog], str, str, Mapping[str, list[str]]]


def _choose_logs(plan: Plan, asked: Options, project: DagsterProject) -> _Logs:
    """All event logs, those of the model, and their join; two new ones where its service has none."""
    declared = project.declared()
    service = asked.name.split("/")[0]
    if asked.name in declared.uses:
        raise NewError(f"{asked.name} is declared already")
    join = join_of(asked.id, asked.entity)
    given = [key for key in (asked.exposures, asked.outcomes) if key]
    if declared.of_service(service) or any(key in declared.logs for key in given):
        for option, value in (("--every", asked.every), ("--start", asked.start)):
            if value:
                raise NewError(f"{option} {value}: is for new logs; those of {asked.name} are declared already")
        return declared.logs, *declared.choose(service, asked.exposures, asked.outcomes, join)

    exposures, outcomes = asked.exposures or f"{service}/exposures", asked.outcomes or f"{service}/outcomes"
    foreign = next((key for key in (exposures, outcomes) if not key.startswith(f"{service}/")), None)
    if foreign:
        raise NewError(f"no defs.yaml declares the event log {foreign}; one that is added begins with {service}/")
    ids = split_columns(asked.id) or ["exposure_id"]
    text, new = new_logs(
        exposures,
        outcomes,
        ids,
        ["outcome_id"] if asked.entity else ids,
        asked.start or default_start(),
        asked.timezone,
        asked.every or "day",
    )
    plan.files[project.defs / service / LOGS_FOLDER / "defs.yaml"] = text
    logs = {**declared.logs, **new}
    return logs, *Declared(logs, declared.uses).choose(service, exposures, outcomes, join)


def _copy_standard(plan: Plan, name: str) -> tuple[Path, list[tuple[Read, Path]]]:
    """Plan a copy of the standard model notebook. Returns: its path, and no files that it reads by itself."""
    path = Path("notebooks", name.replace("/", "_"), "model.ipynb")
    standard = Path(Notebooks.model).with_suffix(".py")
    notebook = nbformat.read(find_notebook(plan.root, Notebooks.model), as_version=4)
    before = to_text(notebook)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = f'from ml_assets.jupyter import context_of\n\ncontext = context_of("{name}/model")'
    text = to_text(notebook)
    plan.files |= {path.with_suffix(".py"): text, path: to_ipynb(text, notebook)}
    plan.diff = _diff(before, text, standard.as_posix(), path.with_suffix(".py").as_posix())
    return path, []


def _adapt_notebook(plan: Plan, asked: Options, given: Path) -> tuple[Path, list[tuple[Read, Path]]]:
    """Plan the notebook of a data scientist as a step. Returns: its path, and the files that it reads by itself."""
    given = given.resolve()
    before, original = _read_notebook(given)
    inside = given.is_relative_to((plan.root / "notebooks").resolve())
    folder = Path("notebooks", asked.name.replace("/", "_"))
    path = given.relative_to(plan.root.resolve()).with_suffix(".ipynb") if inside else folder / "model.ipynb"

    if inside:
        _check_halves(given, original)
    adapted = adapt(original, f"{asked.name}/model", asked.model_variable)
    kernel = adapted.notebook.metadata.get("kernelspec", _KERNEL).get("name")
    adapted.notebook.metadata["kernelspec"] = _KERNEL
    text = to_text(adapted.notebook)
    halves = {path.with_suffix(".py"): text, path: to_ipynb(text, adapted.notebook)}
    (plan.changed if inside else plan.files).update(halves)
    shown = given.relative_to(plan.root.resolve()) if given.is_relative_to(plan.root.resolve()) else given
    plan.diff = _diff(before, text, shown.as_posix(), path.with_suffix(".py").as_posix())

    plan.notes += adapted.done
    if kernel != _KERNEL["name"]:
        plan.notes.append(f"its kernel was {kernel}; notebooks run in the project's environment, so it is python3")
    if any(cell.get("outputs") for cell in original.cells):
        plan.notes.append("its outputs were left out" + ("" if inside else "; the original keeps them"))
    files = [(read, file) for read in adapted.reads if (file := _file_beside(given, read))]
    if not inside:
        _copy_files(plan, path.parent, [(str(read.path), file) for read, file in files])
    plan.notes += [_gating_note(read) for read in adapted.reads]
    plan.notes += [
        f"cell {cell} makes a {name}, which step.save_model refuses, for it is not loaded without running its code\n"
        "    put in its place: what scikit-learn has itself, or ml_assets.models.gbdt, as the standard notebook does;\n"
        "    a column that a function of yours makes belongs into the notebooks of training and evaluation data"
        for name, cell in adapted.refused
    ]
    return path, files


def _read_notebook(path: Path) -> tuple[str, NotebookNode]:
    """The text of a notebook, and its cells."""
    if not path.is_file():
        raise NewError(f"--from-notebook {path}: there is no such file")
    if path.suffix not in (".py", ".ipynb"):
        raise NewError(f"--from-notebook {path}: write a notebook's .ipynb, or its .py in the percent format")
    try:
        text = path.read_text(encoding="utf-8")
        notebook = from_text(text) if path.suffix == ".py" else read_notebook(path, upgrade=True)
    except ValueError as error:
        raise NewError(f"--from-notebook {path}: is no notebook (version 4): {error}") from None
    if language := other_language(notebook.metadata):
        raise NewError(f"--from-notebook {path}: is in {language}; a step is a notebook in Python")
    if lost := list(torn_lines(text) if path.suffix == ".py" else lost_by_py(notebook)):
        raise NewError("\n".join(f"--from-notebook {path}: {one}" for one in lost))
    return (text if path.suffix == ".py" else to_text(notebook)), notebook


def _check_halves(path: Path, notebook: NotebookNode) -> None:
    """Refuse a notebook whose other half says something else: it would be lost."""
    other = path.with_suffix(".ipynb" if path.suffix == ".py" else ".py")
    if not other.exists():
        return
    mine, theirs = ([(cell.cell_type, cell.source) for cell in one.cells] for one in (notebook, jupytext.read(other)))
    if mine != theirs:
        raise NewError(f"{path} and {other.name} differ; bring them into step first: ml-assets pair {path}")


def _file_beside(notebook: Path, read: Read) -> Path | None:
    """The file that a notebook reads by a path from its own folder, or below."""
    if read.path is None or Path(read.path).is_absolute() or ".." in Path(read.path).parts:
        return None
    file = notebook.parent / read.path
    return file if file.is_file() else None


def _copy_files(plan: Plan, folder: Path, files: list[tuple[str, Path]]) -> None:
    """Plan copies of the files that a notebook reads, so that it runs as before."""
    copies = {folder / name: file for name, file in files}
    size = sum(file.stat().st_size for file in copies.values())
    if size > _COPIED:
        names = ", ".join(str(file) for file in copies.values())
        plan.notes.append(f"not copied, being {size // _MEGABYTE} MB: {names}; the notebook does not find them")
        return
    plan.copies |= copies
    for path in copies:
        plan.notes.append(f"copied {path} beside it, so that it runs as before; delete it when nothing reads it")


def _gating_note(read: Read) -> str:
    return (
        f"cell {read.cell} reads a file by itself, so Dagster cannot keep the future out of it: {read.line}\n"
        f'    put in its place: {read.instead}\n    and train on {read.rows}[{read.rows}["mature"]]; '
        "the label is the column `label`"
    )


def _diff(before: str, after: str, old: str, new: str) -> str:
    lines = difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), old, new)
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def render(plan: Plan) -> str:
    """What was done, for a person to read: the diff, notes, files, and what to do next."""
    written = [path.as_posix() for path in (*plan.files, *plan.copies)]
    changed = [path.as_posix() for path in plan.changed]
    notebooks = [path for path in written + changed if path.startswith("notebooks/") and path.endswith(".py")]
    edit = ", ".join([*(path for path in written if path.endswith("defs.yaml")), *notebooks])
    return "\n".join(
        [
            plan.diff,
            *(f"* {note}" for note in plan.notes),
            *(f"wrote {path}" for path in written),
            *(f"changed {path}" for path in changed),
            "",
            f"1. edit {edit}",
            "2. make check",
            "3. make dev",
        ]
    )
