"""A step's folder as a run prepares it, and a context that stands for dagstermill's."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ml_assets.data.artifacts.store import ArtifactStore
from ml_assets.notebooks.order import ORDER_TAG, RESULT_FILE, StepOrder, StepResult
from ml_assets.notebooks.step import Step
from tests.support.spark import JAVA, NO_JAVA


class Ordered:
    """A step that was ordered by a file, as in a kernel."""

    def __init__(self, work: Path, store: ArtifactStore, **changes: Any) -> None:
        folder = store.prepare("ads/cvr/model", "2026-01-01", "run-1")
        fields: dict[str, Any] = {
            "asset": "ads/cvr/model",
            "step": "model",
            "partition": "2026-01-01",
            "cutoff": datetime(2026, 1, 2, tzinfo=UTC),
            "windows": {},
            "run_id": "run-1",
            "attribution": timedelta(days=7),
            "horizon": None,
            "config": {"features": ["device"], "trees": 50},
            "folder": folder,
            "inputs": {},
            "examples": None,
        }
        order_file = work / "order.json"
        order_file.write_text(StepOrder(**(fields | changes)).model_dump_json(), encoding="utf-8")
        self.folder = folder
        self.log = logging.getLogger("a run's log")
        self.context = SimpleNamespace(run=SimpleNamespace(tags={ORDER_TAG: str(order_file)}), log=self.log)
        self.step = Step.of(self.context)
        self._result_file = order_file.with_name(RESULT_FILE)

    @property
    def result(self) -> StepResult | None:
        """What the notebook has left behind so far."""
        if not self._result_file.exists():
            return None
        return StepResult.model_validate_json(self._result_file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """The Spark session of this process, in a time zone that is not UTC."""
    if not JAVA:
        pytest.skip(NO_JAVA)
    from pyspark.sql import SparkSession

    settings = {"spark.ui.enabled": "false", "spark.sql.session.timeZone": "Asia/Tokyo"}
    session = SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
    yield session
    session.stop()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def ordered(tmp_path: Path, store: ArtifactStore) -> Callable[..., Ordered]:
    work = tmp_path / "work"
    work.mkdir()
    return lambda **changes: Ordered(work, store, **changes)
