"""Only what a notebook did is a verdict on its partition; everything else is tried again, and fails nothing for good."""

import os
import signal
import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster_postgres.utils import DagsterPostgresException
from sqlalchemy.exc import OperationalError, ProgrammingError

from ml_assets.data.artifacts.store import StrayFileError
from ml_assets.domain.errors import SpecError
from ml_assets.notebooks.running.run import KernelDiedError, KernelStartError, NotebookError
from ml_assets.orchestration.assets import model_definitions
from ml_assets.orchestration.launching.runs import range_tags
from ml_assets.orchestration.recorded.facts import asset_key, read_error, read_facts
from ml_assets.orchestration.resources import NoStorageError, Storage, default_resources
from ml_assets.orchestration.running import runner, verdicts
from ml_assets.orchestration.running.verdicts import PAUSES
from tests.orchestration.conftest import Service
from tests.support.projects import REPOSITORY

ASSET, DUE = "shop/order/training_data", "2026-05-03"
#: What nobody mends by waiting; and a database that answers.
MISTAKES = [
    SpecError("notebooks.model", "m.ipynb", "a notebook with a cell tagged parameters"),
    TypeError("takes 1 positional argument"),
    KeyError("DATABASE"),
    ImportError("hdfs:// is reached by the package hdfs-native"),
    NoStorageError("artifacts has no root"),
    ProgrammingError("select", {}, Exception("no such column")),
]
NO_ROWS, DIED = NotebookError("no rows"), KernelDiedError("its kernel died")
OUTAGES = [
    DagsterPostgresException("too many retries for DB connection"),
    OperationalError("insert", {}, Exception("database is locked")),
    OSError(28, "No space left on device"),
    ConnectionError("Could not connect to the endpoint URL"),
    KernelStartError("Kernel didn't respond in 120 seconds"),
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "PAUSES", (0,) * len(PAUSES))


def attempts(
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    what: Iterable[Exception | Callable[[], Exception]],
    at: str,
    days: int = 1,
) -> int:
    """Launch a run whose attempts end so. Returns: how many there were. Args: `at`: what of the runner raises; `days`: of the run."""
    left, count = list(what), 0

    def fail(*_: object, **__: object) -> None:
        nonlocal count
        count += 1
        # One that is too many is a verdict, too.
        error = left.pop(0) if left else NotebookError("one attempt too many")
        raise error if isinstance(error, Exception) else error()

    monkeypatch.setattr(runner, at, fail)
    # Of several partitions, a warm process: no kernel comes to start.
    monkeypatch.setattr(runner, "kernels_of", lambda *_, **__: None)
    service.arrive(*range(1, 3 + days))
    service.look()
    result = dg.materialize(
        [one for one in model_definitions(service.model, REPOSITORY).assets or () if one.key == asset_key(ASSET)],
        instance=service.instance,
        resources={**default_resources(), "events": Storage(root=str(service.root))},
        tags=range_tags([DUE, f"2026-05-{2 + days:02}"]),
        raise_on_error=False,
    )
    assert not result.success
    return count


def failed(service: Service) -> str | None:
    """The verdict on the partition."""
    of = read_facts(service.instance, [service.model], code={}).failed[ASSET]
    return read_error(service.instance, ASSET, DUE) if DUE in of else None


@pytest.mark.parametrize("at", ["pin", "run_notebook"])
@pytest.mark.parametrize("outage", OUTAGES, ids=lambda error: type(error).__name__)
def test_an_outage_beside_the_notebook_is_no_verdict(
    service: Service, monkeypatch: pytest.MonkeyPatch, outage: Exception, at: str
) -> None:
    # Who waits for a database waits beside the attempts.
    monkeypatch.setattr("ml_assets.notebooks.patience.PATIENCE_SECONDS", 0)
    assert attempts(service, monkeypatch, [outage] * 5, at) == len(PAUSES) + 1
    assert failed(service) is None


def test_after_an_outage_the_verdict_is_that_of_the_notebook(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    assert attempts(service, monkeypatch, [OUTAGES[0], OUTAGES[2], NO_ROWS], "run_notebook") == 3
    assert failed(service) == "NotebookError: no rows"


def test_a_notebook_that_raises_is_not_run_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    assert attempts(service, monkeypatch, [NO_ROWS], "run_notebook") == 1
    assert failed(service) == "NotebookError: no rows"


def test_a_kernel_that_dies_gets_one_more_attempt_also_after_an_outage(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert attempts(service, monkeypatch, [OUTAGES[2], DIED, OUTAGES[2], DIED], "run_notebook") == 4
    assert failed(service) == "KernelDiedError: its kernel died"


def test_a_notebook_that_fails_while_its_events_change_or_are_away_has_no_verdict(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Exception:
        service.root.rename(service.root.with_name("away"))
        return NO_ROWS

    assert attempts(service, monkeypatch, [fail], "run_notebook") == 1
    assert failed(service) is None


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda error: type(error).__name__)
def test_a_plain_mistake_is_shown_at_once_and_is_no_verdict(
    service: Service, monkeypatch: pytest.MonkeyPatch, mistake: Exception
) -> None:
    assert attempts(service, monkeypatch, [mistake], "pin") == 1
    assert failed(service) is None


def test_a_file_that_lies_elsewhere_is_the_notebooks_own(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    assert attempts(service, monkeypatch, [StrayFileError("rows.txt leads out of its artifact")], "run_notebook") == 1
    assert failed(service) == "StrayFileError: rows.txt leads out of its artifact"


def test_what_one_partition_has_waited_for_in_vain_the_next_does_not_wait_for_anew(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first waits for all pauses, the second for none; the verdict on the third says that the outage is over.
    outages = [OUTAGES[2]] * (len(PAUSES) + 2)
    assert attempts(service, monkeypatch, [*outages, NO_ROWS, OUTAGES[2], NO_ROWS], "run_notebook", days=4) == 9
    assert failed(service) is None


def test_a_run_that_is_canceled_between_two_attempts_is_stopped(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel(seconds: float) -> None:
        (run,) = service.instance.get_runs()
        service.instance.report_run_canceling(run)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(seconds)

    monkeypatch.setattr(verdicts, "PAUSES", (60,))
    monkeypatch.setattr(verdicts, "time", SimpleNamespace(sleep=cancel))
    assert attempts(service, monkeypatch, [OUTAGES[2]], "run_notebook") == 1
    (observed,) = service.instance.fetch_observations(asset_key(ASSET), limit=10).records
    assert observed.asset_observation is not None
    assert str(observed.asset_observation.description).startswith("stopped: a person canceled run ")


def test_what_the_store_holds_already_is_not_tried_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    published = verdicts.ArtifactError("it has been published by run 1; launch a new run to remake it")
    assert attempts(service, monkeypatch, [published], "run_notebook") == 1
    assert failed(service) is None
