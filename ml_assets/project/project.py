"""The project as the command line sees it: what it declares, and what its home folder holds."""

import re
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path

import dagster as dg

from ml_assets.data.artifacts.store import ArtifactStore
from ml_assets.declarations.of_project import build_declared, declared_models, event_logs
from ml_assets.demo_services import how_to_get_events
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.near_misses import suggestion
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.environments import Resources, current
from ml_assets.notebooks.order import FromVariable
from ml_assets.orchestration.arrival.present import Now, find
from ml_assets.orchestration.assets import code_versions
from ml_assets.orchestration.launching.runs import Runs
from ml_assets.orchestration.recorded.facts import asset_key
from ml_assets.orchestration.resources import Spark, Storage
from ml_assets.orchestration.sensors import Tick, describe_absent, look
from ml_assets.paths import AnyPath
from ml_assets.project.at_hand import DagsterProject, NoProjectError, root_at_hand
from ml_assets.project.home import at_home, open_instance


class NoAssetError(ValueError):
    """There is no such model, or no model has such an asset. The message names those that there are."""


#: What is no selection of Dagster's: the name of a service, a model or an asset, right or wrong.
_NAME = re.compile(r"[\w/ .-]*")


# Of what is new in Dagster, it warns a person who asks for something else.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


@dataclass(frozen=True)
class Project:
    """The logs and models declared below `root`, with the state below `home`."""

    home: Path
    root: Path = field(default_factory=root_at_hand)

    @cached_property
    def tree(self) -> dg.ComponentTree:
        """The declarations."""
        # A command does not look for modules in the working folder.
        if self.imports not in sys.path:
            sys.path.insert(0, self.imports)
        return dg.ComponentTree.for_project(self.root)

    @cached_property
    def at_hand(self) -> DagsterProject:
        """Where what is in its folder."""
        return DagsterProject.around(self.root)

    @property
    def imports(self) -> str:
        """The folder that the project's package is imported from."""
        return str(self.at_hand.imports)

    @property
    def definitions_module(self) -> str:
        """The module of the code location."""
        return self.at_hand.definitions_module

    @cached_property
    def logs(self) -> dict[str, EventLog]:
        """The event logs by key."""
        with at_home(self.home):
            return event_logs(self.tree)

    @cached_property
    def models(self) -> dict[str, Model]:
        """The models by name."""
        # Building the definitions refuses a wrong declaration by the path of its file.
        with at_home(self.home):
            build_declared(self.tree)
            return {spec.name: spec for spec in sorted(declared_models(self.tree), key=lambda spec: spec.name)}

    def model(self, name: str) -> Model:
        """A model by its name. Raises: NoAssetError."""
        if name not in self.models:
            there = ", ".join(self.models) or "none"
            raise NoAssetError(f"{name!r} is no model{suggestion(name, self.models)}; there are {there}")
        return self.models[name]

    @property
    def assets(self) -> list[str]:
        """The asset keys of all models."""
        return [asset for model in self.models.values() for asset in model.assets]

    def find(self, asset: str) -> tuple[Model, str, Duration | None]:
        """The model, the step and the horizon of an asset.

        Raises: NoAssetError.
        """
        for model in self.models.values():
            for step, horizon in model.steps:
                if model.asset(step, horizon) == asset:
                    return model, step, horizon
        hint = suggestion(asset, self.assets)
        raise NoAssetError(f"{asset!r} is no asset of a model{hint}; there are {', '.join(self.assets) or 'none'}")

    def select(self, selection: str) -> list[str]:
        """The assets of models that a selection names: all, a service, a model, an asset, or Dagster's own syntax.

        Raises: NoAssetError when it names none.
        """
        if not self.models:
            raise NoAssetError("the project declares no model yet; `ml-assets new SERVICE/MODEL` adds one")
        text = selection.strip().rstrip("/")
        found = [asset for asset in self.assets if text == "all" or f"{asset}/".startswith(f"{text}/")]
        if not found and not _NAME.fullmatch(text):
            keys = self._resolve(text)
            found = [asset for asset in self.assets if asset_key(asset) in keys]
        if not found:
            names = ["all", *sorted({model.service for model in self.models.values()}), *self.models, *self.assets]
            raise NoAssetError(
                f"{selection!r} is no service, model, asset or selection of Dagster such as 'tag:service=ads'"
                f"{suggestion(text, names)}; there are {', '.join(names)}"
            )
        return found

    def _resolve(self, selection: str) -> Set[dg.AssetKey]:
        graph = self.definitions.resolve_asset_graph()
        try:
            return dg.AssetSelection.from_string(selection).resolve(graph)
        except (dg.DagsterError, ValueError) as error:
            first = str(error).partition("\n")[0]
            raise NoAssetError(f"{selection!r} is no selection of Dagster: {first}") from error

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """The Dagster instance."""
        return open_instance(self.home)

    @cached_property
    def resources(self) -> Resources:
        """The resources of the project's definitions, which are those of the environment unless they name others."""
        return {**current().resources(), **(self.definitions.resources or {})}

    @cached_property
    def definitions(self) -> dg.Definitions:
        """The definitions of the project, which its code location loads.

        Raises: NoProjectError when the module has no `defs`.
        """
        if self.imports not in sys.path:
            sys.path.insert(0, self.imports)
        with at_home(self.home):
            module = import_module(self.definitions_module)
            found = getattr(module, "defs", None)
            if isinstance(found, dg.Definitions):
                return found
            if not callable(found):
                right = "a function `defs` under @dg.definitions, as `dg` writes it, or Definitions of that name"
                raise NoProjectError(f"{module.__file__}: has no `defs`; write {right}")
            made: dg.Definitions = found()
            return made

    @property
    def events_root(self) -> AnyPath:
        """Where event logs lie."""
        return self._path("events")

    @property
    def store(self) -> ArtifactStore:
        """Where artifacts lie."""
        return ArtifactStore(self._path("artifacts"))

    @property
    def executed_root(self) -> AnyPath:
        """Where executed notebooks lie."""
        return self._path("executed_notebooks")

    @property
    def spark_settings(self) -> dict[str, str | FromVariable]:
        """What Spark is told."""
        spark = self.resources["spark"]
        if not isinstance(spark, Spark):
            raise TypeError(f"the resource spark is {spark!r}, not a Spark")
        return spark.settings()

    def _path(self, resource: str) -> AnyPath:
        storage = self.resources[resource]
        if not isinstance(storage, Storage):
            raise TypeError(f"the resource {resource} is {storage!r}, not a Storage")
        return storage.path(self.instance)

    @property
    def runs(self) -> Runs:
        """What creates runs of the project's assets."""
        return Runs(self.instance, self.root, self.definitions_module, self.imports)

    def now(self, models: Sequence[Model], *, as_of: datetime, store: ArtifactStore | None = None) -> Now:
        """What is there of some models and the logs that they read, looked into however long it takes.

        Args: `store`: as of `find`.
        Raises: as `find`.
        """
        code = code_versions(models, self.root)
        return find(
            self.instance, models, code=code, events_root=self.events_root, as_of=as_of, store=store, seconds=None
        )

    def describe_absent(self, absent: Mapping[str, str]) -> list[str]:
        """A line for each log of which nothing can have arrived yet. Args: `absent`: as of `Now`."""
        return [
            describe_absent(why, how_to_get_events(self.root, self.logs[log].service)) for log, why in absent.items()
        ]

    def look(self, services: Iterable[str]) -> Tick:
        """What the sensors of some services would do now."""
        services = set(services)
        models = [model for model in self.models.values() if model.service in services]
        code = code_versions(models, self.root)
        logs = [log for log in self.logs.values() if log.service in services]
        return look(self.instance, logs, models, code=code, events_root=self.events_root, as_of=datetime.now(UTC))
