"""What is red, and why: `tests/loops/test_postgres_loop.py` asks the real webserver, with each part killed in turn."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.workspace.workspace import CodeLocationEntry, CodeLocationLoadStatus, DefinitionsSource
from dagster._daemon.types import DaemonHeartbeat
from dagster._utils.error import SerializableErrorInfo

from ml_assets.processes.health import SECONDS_OF_SILENCE, find_problems
from ml_assets.project.home import open_instance


@dataclass
class Context:
    """What a webserver's request knows: an instance, and its code locations."""

    instance: dg.DagsterInstance
    entries: dict[str, CodeLocationEntry] = field(default_factory=dict)

    def get_code_location_entries(self) -> dict[str, CodeLocationEntry]:
        return self.entries

    def beat(self, seconds_ago: float, *kinds: str) -> None:
        for kind in kinds or sorted(self.instance.get_required_daemon_types()):
            self.instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - seconds_ago, kind, None, None))

    def problems(self) -> list[str]:
        return find_problems(self, as_of=datetime.now(UTC))  # type: ignore[arg-type]


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    with open_instance(tmp_path / "home") as instance:
        yield Context(instance)


def entry(**of: Any) -> CodeLocationEntry:
    given = {"code_location": None, "load_error": None, "load_status": CodeLocationLoadStatus.LOADED, **of}
    origin = dg._core.remote_origin.GrpcServerCodeLocationOrigin(host="localhost", port=1, location_name="shop")  # type: ignore[attr-defined]
    rest = {"display_metadata": {}, "update_timestamp": 0.0, "version_key": "", "origin": origin}
    return CodeLocationEntry(**given, **rest, definitions_source=DefinitionsSource.CODE_SERVER)


def test_all_works_while_each_part_of_the_daemon_was_heard_lately(context: Context) -> None:
    context.beat(SECONDS_OF_SILENCE - 10)
    assert context.problems() == []


def test_a_daemon_that_never_was_and_one_that_is_silent_are_named_with_their_silence(context: Context) -> None:
    (never,) = context.problems()
    assert never.startswith("the daemon is silent; its last heartbeats: ")
    assert "SENSOR never" in never
    context.beat(0)
    context.beat(SECONDS_OF_SILENCE + 10, "SENSOR")
    (one,) = context.problems()
    assert one.removeprefix("the daemon is silent; its last heartbeats: ").startswith("SENSOR 13")


def test_a_code_location_that_is_not_loaded_is_named_with_the_first_line_of_its_error(context: Context) -> None:
    context.beat(0)
    error = SerializableErrorInfo("defs.yaml: wrong key\nmore\n", [], "DefsFileError")
    context.entries = {"shop": entry(load_error=error), "other": entry()}
    assert context.problems() == [
        "code location shop is not loaded: defs.yaml: wrong key",
        "code location other is not loaded yet",
    ]
