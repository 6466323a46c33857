"""The simulated world on a real instance: real files, real ticks, real pins and events; notebooks alone are left out."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import (
    AssetObservationData,
    DagsterEvent,
    DagsterEventType,
    StepMaterializationData,
)
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from ml_assets.data.artifacts.store import ArtifactStore
from ml_assets.data.logs.event_files import partition_folder
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.maturity import ImmatureWindowError
from ml_assets.domain.owed.due import Request
from ml_assets.orchestration import sensors
from ml_assets.orchestration.recorded.facts import FAILED, asset_key, attempt, materialization, note_begun
from ml_assets.orchestration.recorded.memo import Memo
from ml_assets.orchestration.running.pins import ChangedWhileReadError, MissingInputError, Pins, check_unchanged, pin
from ml_assets.project.home import open_instance
from tests.domain.steps import Run, Step
from tests.domain.wall_clock import edge
from tests.domain.watched import Watched

JOB = "__ASSET_JOB"


class RealWorld(Watched):
    """What happens, happens on an instance in `root`; each answer is held against the world's own."""

    days = 6

    def __init__(self, model: Model, root: Path) -> None:
        super().__init__(model, partitions_per_run=10)
        self.instance = open_instance(root / "home")
        self.root, self.store = root / "events", ArtifactStore(root / "artifacts")
        self._pins: dict[str, Pins] = {}
        self._memo, self._looks = Memo(), 0
        for log in model.logs:
            (self.root / log.location).mkdir(parents=True)

    def arrive(self, log: str, day: int, *, says: int = 0) -> None:
        super().arrive(log, day, says=says)
        declared = next(one for one in self.model.logs if one.key == log)
        folder = partition_folder(self.root, declared, declared.partitions.key(day))
        folder.mkdir(exist_ok=True)
        # Two writings within the clock's tick differ by their size.
        (folder / "part-0.parquet").write_bytes(b"x" * self.source[log][day].times)
        (folder / "_SUCCESS").touch()

    def arrived(self, log: str, day: int) -> bool:
        """Here a marker does not tell of a partition that is not over."""
        calendar = next(one for one in self.model.logs if one.key == log).partitions
        return super().arrived(log, day) and edge(calendar, day + 1) <= self.now

    def requests(self) -> list[Request]:
        self._looks += 1
        if self._looks % 5 == 0:
            # The process of the sensors is started anew.
            self._memo = Memo()
        tick = self._look(self._memo)
        assert tick == self._look(None), "what was found before changes nothing"
        for arrival in tick.arrivals:
            self.instance.report_runless_asset_event(materialization(*arrival))
        return [launch.request for launch in tick.launches]

    def _look(self, memo: Memo | None) -> sensors.Tick:
        return sensors.look(
            self.instance,
            self.model.logs,
            [self.model],
            code=dict(self.code),
            events_root=self.root,
            as_of=self.now,
            memo=memo,
        )

    def launch(self, steps: list[Step], key: str = "") -> Run:
        run = super().launch(steps, key)
        tags = {
            ASSET_PARTITION_RANGE_START_TAG: self.key(min(step.day for step in steps)),
            ASSET_PARTITION_RANGE_END_TAG: self.key(max(step.day for step in steps)),
        }
        made = dg.DagsterRun(
            job_name=JOB,
            asset_selection=frozenset(asset_key(step.asset) for step in steps),
            tags=tags | ({sensors.REQUEST_TAG: key} if key else {}),
            status=dg.DagsterRunStatus.STARTED,
        )
        run.name = self.instance.add_run(made).run_id
        return run

    def _real_pin(self, step: Step) -> Pins:
        horizon = self.horizon(step.asset)
        name = step.asset.removeprefix(f"{self.model.name}/").removesuffix(f"_{horizon}")
        return pin(
            self.instance,
            self.model,
            name,
            horizon,
            self.key(step.day),
            as_of=self.now,
            events_root=self.root,
            store=self.store,
        )

    def _refuse(self, step: Step) -> None:
        with pytest.raises((ImmatureWindowError, MissingInputError)):
            self._real_pin(step)

    def _begin(self, step: Step, run: Run) -> None:
        self._pins[run.name] = pins = self._real_pin(step)
        self.store.prepare(step.asset, self.key(step.day), run.name)
        note_begun(self.instance, step.asset, self.key(step.day), pins.inputs, self.code[step.asset], run.name)

    def _has_changed(self, step: Step, run: Run) -> bool:
        changed, events = super()._has_changed(step, run), self._pins[run.name].events
        assert events
        if changed:
            with pytest.raises(ChangedWhileReadError):
                check_unchanged(self.model, events, self.root)
        else:
            check_unchanged(self.model, events, self.root)
        return changed

    def _fail(self, step: Step, run: Run) -> None:
        inputs, code = self._pins[run.name].inputs, self.code[step.asset]
        tried = attempt(step.asset, self.key(step.day), inputs, code, run.name, FAILED)
        self._report(run, DagsterEventType.ASSET_OBSERVATION, AssetObservationData(tried))

    def _make(self, step: Step, run: Run, data_version: str) -> None:
        super()._make(step, run, data_version)
        partition = self.key(step.day)
        self.store.publish(self.store.folder(step.asset, partition, run.name), {"data_version": data_version})
        made = StepMaterializationData(materialization(step.asset, partition, data_version))
        self._report(run, DagsterEventType.ASSET_MATERIALIZATION, made)

    def _is_over(self, run: Run) -> None:
        real = self.instance.get_run_by_id(run.name)
        assert real
        if run.lost or any(self.begun[step].failed for step in run.holds if step in self.begun):
            self.instance.report_run_failed(real)
        else:
            self._report(run, DagsterEventType.RUN_SUCCESS, None)

    def _report(self, run: Run, kind: DagsterEventType, data: object) -> None:
        event = DagsterEvent(event_type_value=kind.value, job_name=JOB, event_specific_data=data)  # type: ignore[arg-type]
        self.instance.report_dagster_event(event, run_id=run.name)
