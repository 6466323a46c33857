"""Options of the tests, the seed of those that draw examples, and how a run of the tests ends."""

import gc
import os
import re
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType

import psutil
import pytest
from hypothesis import is_hypothesis_test, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

import tests.support.storages
from ml_assets.interrupts import heed_interrupts
from ml_assets.notebooks.kernels import warm
from ml_assets.temporary import remove_abandoned
from tests.support.hdfs import Hdfs, hdfs_server
from tests.support.postgres import DagsterPostgres, postgres_server
from tests.support.spark import JVM

# The same examples each time; `--hypothesis-profile random` draws others. How long one takes is the machine's matter.
settings.register_profile("seeded", derandomize=True, database=None, deadline=None)
settings.register_profile("random", derandomize=False, deadline=None)
settings.load_profile("seeded")

# Imported by what is forked, too.
warm.PRELOAD = (*warm.PRELOAD, tests.support.storages.__name__)

# The days of the demo are those of a home: here of none but a test's own.
os.environ.pop("DAGSTER_HOME", None)

# Of drivers, and of masters and workers.
os.environ |= {"SPARK_SUBMIT_OPTS": JVM, "SPARK_DAEMON_JAVA_OPTS": JVM}

#: They are run in pods.
collect_ignore = ["support/in_pods"]

_BROWSER = "tests/browser/"
#: What takes longest begins first, so that no worker is left with it in the end.
_LONGEST = (
    "test_run",
    "test_other_project",
    "test_your_first_model",
    # And with it all of the browser.
    "test_executed_notebook",
    "test_spark_loop",
    "test_image",
    "test_backfill",
    "test_postgres_loop",
    "test_interrupts",
    "test_notebook_history",
    "test_kernel",
    "test_verdicts",
    "test_gated_loop",
    "test_spark_engine",
    "test_store_loops",
    "test_retail_loop",
    "test_standard_notebooks",
    "test_spark_cluster",
    "test_taobao_loop",
    "test_memo",
    "test_planted_leaks",
    "test_table_loop",
    "test_sensor_simulation",
    "test_due_simulation",
    "test_spark_tables",
    "test_pair",
    "test_hourly_loop",
    "test_delayed_feedback_notebook",
    "test_executor",
    # Of the fast ones.
    "test_history",
    "test_examples",
    "test_fashion_model",
    "test_plan",
)


def pytest_configure(config: pytest.Config) -> None:
    """Let no test inherit that SIGINT is ignored, and end with all that tests have started."""
    heed_interrupts()
    if not hasattr(config, "workerinput"):
        signal.signal(signal.SIGTERM, _end)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what processes left that tests have killed."""
    if not hasattr(config, "workerinput"):
        remove_abandoned(tempfile.gettempdir())


def _end(number: int, _frame: FrameType | None) -> None:
    """End the workers and what they have started: daemons lead sessions of their own."""
    for worker in psutil.Process().children():
        worker.suspend()
    started = psutil.Process().children(recursive=True)
    for one in started:
        with suppress(psutil.Error):
            one.kill()
    psutil.wait_procs(started, timeout=10)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files that hold no test of those asked for need not be imported: each worker imports them all."""
    asked = config.option.markexpr
    if asked not in ("slow", "not slow") or not collection_path.name.startswith("test_"):
        return None
    text = collection_path.read_text(encoding="utf-8")
    all_slow = re.search(r"^pytestmark = (\[\s*)?pytest\.mark\.slow", text, re.MULTILINE)
    holds = "mark.slow" in text or "STORAGES" in text if asked == "slow" else not all_slow
    return None if holds else True


class _ByFile(LoadFileScheduling):
    """Gives all tests of a file to one worker, and all of the browser to one, as they share a home."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return _BROWSER if file.startswith(_BROWSER) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ByFile | None:
    """Which worker is given which tests."""
    return _ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the files; the tests of one stay as they are. Those that draw examples draw as many as are asked for."""
    items.sort(key=lambda item: _LONGEST.index(item.path.stem) if item.path.stem in _LONGEST else len(_LONGEST))
    drawing = {item.obj for item in items if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj)}
    for test in drawing:
        # Where Hypothesis keeps them: it has no public way to change those of a test.
        given = test._hypothesis_internal_use_settings
        examples = max(1, given.max_examples // config.getoption("--one-in"))
        test._hypothesis_internal_use_settings = settings(given, max_examples=examples)


def pytest_collection_finish() -> None:
    """What has been imported stays: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def dagster_postgres() -> Iterator[DagsterPostgres]:
    """One PostgreSQL for all tests of a worker that keep instances there, and leave it running."""
    with postgres_server() as server:
        yield DagsterPostgres(server)


@pytest.fixture(scope="session")
def hdfs() -> Iterator[Hdfs]:
    """One HDFS for all tests of a worker; what stops it, starts it again."""
    with hdfs_server() as server:
        yield server


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many examples are drawn."""
    parser.addoption("--examples", type=int, default=None, help="How many examples the simulated sensor plays.")
    parser.addoption("--one-in", type=int, default=1, help="Of so many examples, each test that draws them draws one.")
