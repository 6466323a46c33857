"""Versions: of this package, and of who wrote a home and an artifact."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from ml_assets import written_by
from ml_assets.cli.main import main
from ml_assets.data.artifacts.inventory import Inventory, Version
from ml_assets.data.artifacts.store import MANIFEST, ArtifactStore, StoreError
from ml_assets.definitions import defs
from ml_assets.orchestration.resources import Storage
from ml_assets.orchestration.sensors import service_sensor
from ml_assets.project.home import open_instance, prepare_home
from ml_assets.written_by import (
    HOME_FORMAT,
    MARK,
    STORE_FORMAT,
    MarkError,
    NewerFormatError,
    check_home,
    current_version,
    mark_home,
)

ROOT = Path(__file__).parents[1]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
OURS = {"format": HOME_FORMAT, "written_by": DECLARED}
NEWER = {"format": HOME_FORMAT + 1, "written_by": "9.1.0"}
MODEL = ("ads/cvr/model", "2026-01-01", "run-1")
REFUSAL = (
    f"was written by ml_assets 9.1.0 in format {HOME_FORMAT + 1}; this is {DECLARED}, which knows {HOME_FORMAT} at "
    "most: install ml_assets 9.1.0 or a later one, or restore the backup of before its upgrade"
)


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    home = prepare_home(tmp_path / "home")
    write(home, NEWER)
    return home


def write(home: Path, mark: object) -> None:
    (home / MARK).write_text(json.dumps(mark), encoding="utf-8")


def mark_of(home: Path) -> object:
    return json.loads((home / MARK).read_text(encoding="utf-8"))


def test_the_version_is_that_of_the_project_and_printed() -> None:
    assert current_version() == DECLARED
    assert CliRunner().invoke(main, ["--version"]).output == f"ml-assets, version {DECLARED}\n"


def test_a_new_home_says_who_made_it(tmp_path: Path) -> None:
    assert mark_of(prepare_home(tmp_path / "home")) == OURS


def test_a_home_of_before_there_were_marks_is_opened_and_marked_once_something_is_written(tmp_path: Path) -> None:
    home = prepare_home(tmp_path / "home")
    (home / MARK).unlink()
    open_instance(home).dispose()
    assert not (home / MARK).exists()
    mark_home(home)
    assert mark_of(home) == OURS


def test_a_tick_marks_the_home_that_it_writes_to_and_asks_nothing_of_a_newer_one(tmp_path: Path) -> None:
    home = prepare_home(tmp_path / "home")
    write(home, {"format": 1, "written_by": "0.1.0"})
    sensor = service_sensor("shop", [], [], tmp_path)
    with open_instance(home) as instance:
        context = dg.build_sensor_context(instance, resources={"events": Storage(root="events")})
        sensor(context)
        assert mark_of(home) == OURS
        # An upgrade of another process.
        write(home, NEWER)
        with pytest.raises(NewerFormatError):
            sensor(context)


@pytest.mark.parametrize("other", ["0.0.9", "9.1.0"])
def test_another_version_of_the_same_format_goes_on_and_is_named_by_its_own_mark(other: str, tmp_path: Path) -> None:
    write(tmp_path, {"format": HOME_FORMAT, "written_by": other})
    check_home(tmp_path)
    mark_home(tmp_path)
    assert mark_of(tmp_path) == OURS


def test_a_home_that_cannot_be_written_is_used_without_a_mark(tmp_path: Path) -> None:
    # Of a full disk, a foreign owner and a home that is mounted for reading alike; root may write all others.
    (tmp_path / MARK).symlink_to(tmp_path / "none" / MARK)
    mark_home(tmp_path)
    assert not (tmp_path / MARK).exists()


def test_a_home_of_a_newer_format_is_left_as_it_is(newer: Path) -> None:
    for refusing in (check_home, mark_home):
        with pytest.raises(NewerFormatError, match=re.escape(REFUSAL)):
            refusing(newer)
    assert mark_of(newer) == NEWER


@pytest.mark.parametrize("command", [["plan", "all"], ["debt"], ["backfill", "all"], ["fail-runs"], ["dev"]])
def test_commands_refuse_a_home_of_a_newer_format(command: list[str], newer: Path) -> None:
    result = CliRunner().invoke(main, [*command, "--home", str(newer)])
    assert result.exit_code == 3
    assert f"Error: {newer}: {REFUSAL}\n" == result.stderr
    assert not (newer / "history").exists()


def test_what_production_runs_refuses_it_too(newer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(newer))
    with pytest.raises(NewerFormatError):
        defs()
    for unit in ("daemon", "webserver"):
        result = CliRunner().invoke(main, [unit])
        assert result.exit_code == 3
        assert REFUSAL in result.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "is no JSON"), ("[]", "[]; this is a mapping"), ('{"format": "2"}', "'2'; this is a number")],
)
def test_a_mark_that_is_none_is_named(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / MARK).write_text(text, encoding="utf-8")
    with pytest.raises(MarkError, match=re.escape(words)):
        check_home(tmp_path)


def test_processes_that_mark_a_home_at_once_never_leave_or_read_half_a_mark(tmp_path: Path) -> None:
    write(tmp_path, {"format": 1, "written_by": "0.1.0"})
    program = (
        "import sys; from pathlib import Path; from threading import Thread; from ml_assets import written_by\n"
        "def work(name):\n"
        "    written_by.current_version = lambda: name\n"
        "    for _ in range(50): written_by.mark_home(Path(sys.argv[1])); written_by.check_home(Path(sys.argv[1]))\n"
        "threads = [Thread(target=work, args=[name]) for name in ('one', 'another')]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
    )
    at_once = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stderr=subprocess.PIPE) for _ in "123"]
    assert [process.communicate()[1] for process in at_once] == [b"", b"", b""]
    assert [path.name for path in tmp_path.iterdir()] == [MARK]


def published(store: ArtifactStore, **changed: object) -> Path:
    folder = store.prepare(*MODEL)
    (folder / "trees.txt").write_bytes(b"tree")
    made = store.publish(Path(str(folder)), {"data_version": "abc"})
    if changed:
        (folder / MANIFEST).write_text(json.dumps({**made.manifest, **changed}), encoding="utf-8")
    return Path(str(folder))


def test_an_artifact_names_the_version_that_wrote_it_and_its_data_version_does_not_know_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ArtifactStore(tmp_path / "one").load(*MODEL) if published(ArtifactStore(tmp_path / "one")) else None
    monkeypatch.setattr(written_by, "current_version", lambda: "9.1.0")
    published(ArtifactStore(tmp_path / "other"))
    other = ArtifactStore(tmp_path / "other").load(*MODEL)
    assert one is not None
    assert (one.manifest["written_by"], other.manifest["written_by"]) == (DECLARED, "9.1.0")
    assert one.manifest["format"] == STORE_FORMAT
    assert one.data_version == other.data_version


def test_an_artifact_of_a_newer_format_is_not_read_and_not_lost(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    published(store, format=STORE_FORMAT + 1, written_by="9.1.0")
    with pytest.raises(StoreError, match="was written by ml_assets 9.1.0 in format 2"):
        store.load(*MODEL)
    with pytest.raises(StoreError, match=r"was written by ml_assets 9\.1\.0"):
        Inventory(store, MODEL[0]).losses([Version(*MODEL[1:])])


def test_an_artifact_of_before_there_were_formats_is_read(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    folder = published(store)
    old = {key: value for key, value in store.load(*MODEL).manifest.items() if key not in {"format", "written_by"}}
    (folder / MANIFEST).write_text(json.dumps(old), encoding="utf-8")
    assert store.load(*MODEL).manifest == old
