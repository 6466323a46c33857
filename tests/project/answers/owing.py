"""A shop on a real instance: a test records what arrived, was made or failed, and asks what is owed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from click.testing import CliRunner, Result
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._utils.error import SerializableErrorInfo

from ml_assets.cli.main import main
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.maturity import Arrivals
from ml_assets.domain.owed.facts import metrics_inputs, model_inputs
from ml_assets.domain.windows import needed, windows_of
from ml_assets.orchestration.recorded.facts import FAILED, attempt, materialization, note_begun, read_facts
from ml_assets.orchestration.recorded.ticks import sensor_name
from ml_assets.project.project import Project

TRAINING_DATA, MODEL = "shop/order/training_data", "shop/order/model"
EVALUATION_DATA, METRICS = "shop/order/evaluation_data_2d", "shop/order/metrics_2d"
HORIZON = Duration(2, "d")
AT = datetime(2026, 3, 7, tzinfo=UTC)


@dataclass
class Shop:
    """The project, and what is recorded of it."""

    project: Project
    model: Model
    code: dict[str, str]

    def arrive(self, log: str, day: int, version: str = "v1") -> None:
        self._record(materialization(f"shop/{log}", f"2026-03-{day:02}", version))

    def make(self, *assets: str, day: int) -> None:
        """Record that a run made a day of some assets, from what they would be made from now."""
        for asset in assets:
            partition = f"2026-03-{day:02}"
            inputs = self._inputs(asset, partition)
            note_begun(self.project.instance, asset, partition, inputs, self.code[asset], "")
            self._record(materialization(asset, partition, f"rows of {day}"))
            # Reported from outside of a run, it belongs to the run without a name.
            folder = self.project.store.folder(asset, partition, "")
            if not folder.exists():
                folder.mkdir(parents=True)
                self.project.store.publish(folder, {"data_version": f"rows of {day}"})  # type: ignore[arg-type]

    def fail(self, asset: str, *, day: int, error: str) -> None:
        partition = f"2026-03-{day:02}"
        inputs, code = self._inputs(asset, partition), self.code[asset]
        self._record(attempt(asset, partition, inputs, code, "run-7", FAILED, error=error))

    def _inputs(self, asset: str, partition: str) -> str:
        facts = read_facts(self.project.instance, [self.model], code=self.code)
        made = {name: of.get(partition) for name, of in facts.made.items()}
        data, training_data, model = made[EVALUATION_DATA], made[TRAINING_DATA], made[MODEL]
        if asset == MODEL and training_data:
            return model_inputs(training_data)
        if asset == METRICS and data and model:
            return metrics_inputs(data, model)
        windows = windows_of(
            self.model, self.model.partitions.index_of(partition), {EVALUATION_DATA: HORIZON}.get(asset)
        )
        return Arrivals(self.model.logs, facts.arrived).inputs(needed(self.model, windows))

    def _record(self, event: Any) -> None:
        self.project.instance.report_runless_asset_event(event)

    def debt(self, *arguments: str, as_of: str = "2026-03-10T09:00+01:00") -> Result:
        command = ["debt", *arguments, "--as-of", as_of, "--home", str(self.project.home)]
        return CliRunner().invoke(main, command, catch_exceptions=False)


def tick(shop: Shop, status: TickStatus) -> None:
    """Record a tick of the shop's sensor, as the daemon does."""
    instance = shop.project.instance
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("debt_shop"), "__repository__")
    state = InstigatorState(
        RemoteInstigatorOrigin(repository, sensor_name("shop")),
        InstigatorType.SENSOR,
        InstigatorStatus.DECLARED_IN_CODE,
        SensorInstigatorData(min_interval=15),
    )
    if not instance.all_instigator_state():
        instance.add_instigator_state(state)
    told = (state.instigator_origin_id, state.name, InstigatorType.SENSOR, status, AT.timestamp())
    error = SerializableErrorInfo("it is down", [], None) if status is TickStatus.FAILURE else None
    instance.create_tick(TickData(*told, error=error, selector_id=state.selector_id))
