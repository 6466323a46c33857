"""What `dg scaffold defs` writes for a new event log and a new model; which logs a new model reads. Light."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import BaseModel, Field

from ml_assets.dagster_names import DagsterImportError
from ml_assets.declarations.model import ModelDeclaration
from ml_assets.declarations.new_defs import LOOP, NewLog, NewModel, default_start, new_logs, read_log
from ml_assets.declarations.of_project import event_logs
from ml_assets.declarations.reading import DefsFileError, find_cause
from ml_assets.domain.calendar import Every
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.names import check_key
from ml_assets.domain.errors import SpecError
from ml_assets.whole_files import write_whole

#: The folder of a service that holds its event logs.
LOGS_FOLDER = "logs"
_EXPOSURES, _OUTCOMES = "exposures", "outcomes"


class ScaffoldError(ValueError):
    """What was asked for cannot be scaffolded. The message says what is missing."""


@dataclass(frozen=True)
class Declared:
    """The event logs that a project declares, by key, and which of them its models use: (exposures, outcomes, join)."""

    logs: Mapping[str, EventLog]
    uses: Mapping[str, tuple[str, str, Mapping[str, list[str]]]]

    @classmethod
    def of(cls, tree: dg.ComponentTree) -> "Declared":
        """What the defs.yaml files of a project declare."""
        logs = event_logs(tree)
        models = tree.get_all_components(ModelDeclaration)
        return cls(logs, {one.name: (one.exposures, one.outcomes, one.join) for one in models})

    def of_service(self, service: str) -> list[str]:
        """The keys of the logs of a service."""
        return [key for key in self.logs if key.startswith(f"{service}/")]

    def choose(
        self, service: str, exposures: str | None, outcomes: str | None, join: Mapping[str, list[str]] | None
    ) -> tuple[str, str, Mapping[str, list[str]]]:
        """Which logs a new model of a service reads, and how it joins them; None for what is to be found out.

        Raises: ScaffoldError that says what to give, when it is not clear or not declared.
        """
        of_service = self.of_service(service)
        for key in (exposures, outcomes):
            if key and key not in self.logs:
                raise ScaffoldError(f"no defs.yaml declares the event log {key}; there are {_words(self.logs)}")
        if not exposures or not outcomes:
            found = self._clear(service, of_service, exposures, outcomes)
            if found is None:
                raise ScaffoldError(
                    f"it is not clear which logs of {service} are the exposures and which the outcomes: give "
                    f"--exposures and --outcomes; {service} declares {_words(of_service)}"
                )
            exposures, outcomes = found
        return exposures, outcomes, join or self._join(exposures, outcomes)

    def _clear(
        self, service: str, keys: list[str], exposures: str | None, outcomes: str | None
    ) -> tuple[str, str] | None:
        used = {use[:2] for name, use in self.uses.items() if name.startswith(f"{service}/")}
        proposed = used or ({(f"{service}/{_EXPOSURES}", f"{service}/{_OUTCOMES}")} if len(keys) == 2 else set())
        if len(keys) == 1:
            proposed = {(keys[0], keys[0])}
        elif given := (exposures or outcomes):
            rest = [key for key in keys if key != given]
            proposed = {(exposures or rest[0], outcomes or rest[0])} if len(rest) == 1 else proposed
        fitting = {(e, o) for e, o in proposed if exposures in (None, e) and outcomes in (None, o)}
        fitting = {pair for pair in fitting if set(pair) <= set(self.logs)}
        return fitting.pop() if len(fitting) == 1 else None

    def _join(self, exposures: str, outcomes: str) -> Mapping[str, list[str]]:
        used = [use[2] for use in self.uses.values() if use[:2] == (exposures, outcomes)]
        if used:
            return used[0]
        if exposures == outcomes:
            raise ScaffoldError(
                f"{exposures} is exposures and outcomes at once: give --entity with the columns that both rows share, "
                "such as --entity user_id"
            )
        return {"id": list(self.logs[exposures].columns.key)}


def split_columns(text: str | None) -> list[str]:
    """The names in a text such as `user_id,item_id`."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def join_of(id_: str | None, entity: str | None) -> dict[str, list[str]] | None:
    """The join of two options, None where neither is given.

    Raises: ScaffoldError when both are.
    """
    if id_ and entity:
        raise ScaffoldError(f"give either --id (now {id_}) or --entity (now {entity}), not both")
    if id_:
        return {"id": split_columns(id_)}
    return {"entity": split_columns(entity)} if entity else None


class LogParams(BaseModel):
    """Parameters of `dg scaffold defs ml_assets.EventLog`."""

    every: Every = Field(default="day", description="How long a partition is: hour, day or week.")
    start: str = Field(default="", description='First local date, such as "2026-01-01"; 1 January by default.')
    timezone: str = Field(default="UTC", description="Of the partitions, such as Asia/Tokyo.")
    id: str = Field(default="", description="Columns that identify a row, separated by commas.")


class ModelParams(BaseModel):
    """Parameters of `dg scaffold defs ml_assets.EvaluatedModel`."""

    exposures: str = Field(default="", description="Key of the event log of exposures.")
    outcomes: str = Field(default="", description="Key of the event log of outcomes.")
    id: str = Field(default="", description="Columns of an exposure id that both logs have, separated by commas.")
    entity: str = Field(default="", description="Columns such as user_id,item_id in both logs, instead of an id.")


class LogScaffolder(dg.Scaffolder[LogParams]):
    """Writes the defs.yaml of a log, or in a folder `logs` that of two: exposures and outcomes."""

    @classmethod
    def get_scaffold_params(cls) -> type[LogParams]:
        """The options."""
        return LogParams

    def scaffold(self, request: dg.ScaffoldRequest[LogParams]) -> None:
        """Write it."""
        _write(request, _log_yaml)


class ModelScaffolder(dg.Scaffolder[ModelParams]):
    """Writes the defs.yaml of a model with the standard notebooks, on logs that the project declares."""

    @classmethod
    def get_scaffold_params(cls) -> type[ModelParams]:
        """The options."""
        return ModelParams

    def scaffold(self, request: dg.ScaffoldRequest[ModelParams]) -> None:
        """Write it."""
        _write(request, _model_yaml)


class LoopScaffolder(dg.Scaffolder[BaseModel]):
    """Writes the defs.yaml of the loop of a project."""

    def scaffold(self, request: dg.ScaffoldRequest[BaseModel]) -> None:
        """Write it."""
        _write(request, lambda _: LOOP)


def _log_yaml(request: dg.ScaffoldRequest[LogParams]) -> str:
    service, name = _names(request)
    given, start = request.params, request.params.start or default_start()
    if name == LOGS_FOLDER:
        columns = split_columns(given.id)
        exposures, outcomes = (f"{service}/{one}" for one in (_EXPOSURES, _OUTCOMES))
        key = columns or ["exposure_id"]
        return new_logs(exposures, outcomes, key, key, start, given.timezone, given.every)[0]
    of_key = tuple(split_columns(given.id) or ["event_id"])
    text = NewLog(f"{service}/{name}", of_key, start, given.timezone, given.every).to_yaml()
    read_log(text)
    return text


def _model_yaml(request: dg.ScaffoldRequest[ModelParams]) -> str:
    service, name = _names(request)
    given = request.params
    declared = Declared.of(dg.ComponentTree.for_project(request.project_root or request.target_path))
    if not given.exposures and not given.outcomes and not declared.of_service(service):
        raise ScaffoldError(
            f"{service} declares no event log yet; first: dg scaffold defs ml_assets.EventLog {service}/{LOGS_FOLDER}"
            f"; or give --exposures and --outcomes of another service: there are {_words(declared.logs)}"
        )
    exposures, outcomes, join = declared.choose(
        service, given.exposures or None, given.outcomes or None, join_of(given.id, given.entity)
    )
    return NewModel(f"{service}/{name}", exposures, outcomes, join, features=["device", "hour"]).to_yaml(declared.logs)


def _names(request: dg.ScaffoldRequest[Any]) -> tuple[str, str]:
    """The service and the name that a path below `defs` gives."""
    below = request.target_path.parts
    path = "/".join(below[len(below) - below[::-1].index("defs") :]) if "defs" in below else request.target_path.name
    check_key("DEFS_PATH", path)
    service, name = path.split("/")
    return service, name


def _write(request: dg.ScaffoldRequest[Any], render: Any) -> None:
    import click

    try:
        if request.scaffold_format != "yaml":
            raise ScaffoldError(f"--format {request.scaffold_format}: it is declared in YAML alone; leave --format out")
        text = render(request)
    except Exception as error:
        _remove_empty(request.target_path)
        cause = find_cause(error, ScaffoldError, SpecError, DefsFileError, DagsterImportError)
        if cause is None:
            raise
        raise click.ClickException(str(cause)) from error
    write_whole(request.target_path / "defs.yaml", text)


def _remove_empty(folder: Path) -> None:
    """Remove the folder that dg made, and its empty parents."""
    for one in (folder, folder.parent):
        if one.is_dir() and not any(one.iterdir()):
            one.rmdir()


def _words(keys: Mapping[str, object] | Sequence[str]) -> str:
    return ", ".join(sorted(keys)) or "none"
