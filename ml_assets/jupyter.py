"""Opens the step of a notebook in Jupyter, with what a Dagster run of its partition would give it.

Same event logs, same windows and cutoff, same upstream versions. What the notebook saves goes to a scratch folder
(`<home>/scratch/<asset>/<partition>`), and nothing is recorded. Under Dagster the cell that calls this is replaced.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from ml_assets import variables
from ml_assets.data.artifacts.store import ArtifactError, load_artifact
from ml_assets.notebooks.context import Context, context_of_order
from ml_assets.orchestration.recorded.current import current
from ml_assets.orchestration.recorded.facts import read_facts
from ml_assets.orchestration.running.orders import step_order
from ml_assets.orchestration.running.pins import MissingInputError, pin_events, upstream_assets
from ml_assets.paths import AnyPath
from ml_assets.project.at_hand import root_at_hand
from ml_assets.project.project import Project

_SCRATCH = "scratch"
_ARTIFACT = "artifact"


class NotOpenError(Exception):
    """A notebook asked for a partition that cannot be opened."""


def context_of(asset: str, partition: str | None = None) -> Context:
    """The context of one partition of an asset, such as `context_of("news/signup/model", "2026-01-05")`.

    The project is the one around the working folder; its state is in DAGSTER_HOME, or else in `.home` there.
    Args: `partition`: the newest one whose inputs exist where it is left out.
    Raises: NoAssetError and NotOpenError for what there is not; ImmatureWindowError or MissingInputError when the
    inputs of the partition do not exist yet.
    """
    root = root_at_hand()
    project = Project(Path(variables.get(variables.HOME) or root / variables.DEFAULT_HOME), root)
    return context_of_order(_Opened(project, asset, datetime.now(UTC)).write_order(partition))


class _Opened:
    """An asset of a project, as of an instant."""

    def __init__(self, project: Project, asset: str, as_of: datetime) -> None:
        self.project, self.asset, self.as_of = project, asset, as_of
        self.model, self.step, self.horizon = project.find(asset)
        self.upstream = upstream_assets(self.model, self.step, self.horizon)

    def write_order(self, partition: str | None) -> Path:
        """Order a partition, in the scratch folder. Returns: the file of the order."""
        project, model, step, horizon = self.project, self.model, self.step, self.horizon
        partition = self._newest() if partition is None else self._known(partition)
        inputs = {name: self._input(asset, partition) for name, asset in self.upstream.items()}
        events = None
        if not inputs:
            events = pin_events(project.instance, model, horizon, partition, self.as_of, project.events_root)
        folder = self._scratch(self.asset, partition)
        shutil.rmtree(folder.parent, ignore_errors=True)
        folder.mkdir(parents=True)
        order = step_order(
            model,
            step,
            horizon,
            partition,
            cutoff=model.partitions.interval(model.partitions.index_of(partition)).end,
            run_id=_SCRATCH,
            folder=folder,
            inputs=inputs,
            events=events,
            events_root=project.events_root,
            scratch=True,
            spark=project.spark_settings,
        )
        path = folder.with_name("order.json")
        path.write_text(order.model_dump_json(indent=1), encoding="utf-8")
        return path

    def _known(self, partition: str) -> str:
        try:
            self.model.partitions.index_of(partition)
        except ValueError as error:
            raise NotOpenError(f"{self.asset} has no partition {partition!r}: {error}") from None
        return partition

    def _newest(self) -> str:
        # Asks the sources what has arrived, as a sensor does: what is recorded may be older, where no daemon runs.
        found = self.project.look([self.model.service]).found[self.model.name][self.asset]
        made = read_facts(self.project.instance, [self.model], code={}).made
        for partition, status in reversed(list(found.items())):
            inputs = [partition in made[asset] or self._saved(asset, partition) for asset in self.upstream.values()]
            # Evaluation data that waits for its model alone has its rows.
            has_rows = status.inputs is not None or (self.step == "evaluation_data" and not status.missing)
            if all(inputs) if inputs else has_rows:
                return partition
        words = [f"; {partition} is {status.state} {status.why}" for partition, status in found.items()]
        raise NotOpenError(f"no partition of {self.asset} has its inputs yet{''.join(words[:1])}")

    def _input(self, asset: str, partition: str) -> AnyPath:
        found = current(self.project.instance, self.project.store, asset, partition)
        if found is not None:
            return found.artifact.folder
        if self._saved(asset, partition):
            return self._scratch(asset, partition)
        raise MissingInputError(asset, partition, "materialize it, or run its notebook here first")

    def _saved(self, asset: str, partition: str) -> bool:
        try:
            load_artifact(self._scratch(asset, partition))
        except ArtifactError:
            return False
        return True

    def _scratch(self, asset: str, partition: str) -> Path:
        return self.project.home.absolute() / _SCRATCH / asset / partition / _ARTIFACT
