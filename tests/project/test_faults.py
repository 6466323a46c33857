"""Faults of what a command works on: one line with file, key or value and what to do, and an exit code of its own."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from dagster_graphql.implementation import events
from dagster_webserver import app

from ml_assets.cli.main import main
from ml_assets.project.faults import EXIT_CODE
from tests.project.faulty import ASSET, COMMANDS, POSTGRES, Refused, as_nobody, files_of_at_most, write_config
from tests.support import shop
from tests.support.postgres import PRODUCTION
from tests.support.projects import TeamProject


@pytest.fixture(scope="module")
def team() -> Iterator[TeamProject]:
    """A shop whose home has been used. Not below pytest's folders, which other users cannot enter."""
    with tempfile.TemporaryDirectory(prefix="ml_assets-faults-", dir="/tmp") as folder:
        root = Path(folder)
        root.chmod(0o755)
        team = TeamProject.make(root, "faulty_shop", shop.DEFS)
        for log in ("visits", "orders"):
            (team.home / "events/shop" / log).mkdir(parents=True)
        team.project.instance.get_runs_count()
        yield team


@pytest.fixture
def home(team: TeamProject, request: pytest.FixtureRequest) -> Iterator[Path]:
    home = team.root / f"home-{abs(hash(request.node.name))}"
    shutil.copytree(team.home, home)
    yield home
    home.chmod(0o755)
    shutil.rmtree(home)


@pytest.fixture
def refused(team: TeamProject, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Runs a command that is refused. Returns: the one line that it says."""
    monkeypatch.chdir(team.root)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in (*POSTGRES, "DAGSTER_PG_PORT"):
        monkeypatch.delenv(name, raising=False)

    def refuse(home: Path, name: str, *arguments: str, **variables: str) -> str:
        arguments = arguments or tuple(COMMANDS.get(name, ()))
        result = CliRunner(env={"DAGSTER_HOME": str(home)} | variables).invoke(main, [name, *arguments])
        assert result.exit_code == EXIT_CODE, (name, result.output, result.exc_info)
        (line,) = result.output.splitlines()
        return line.removeprefix("Error: ")

    return refuse


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_names_the_variables_of_dagster_yaml_that_are_not_set(
    name: str, home: Path, refused: Refused
) -> None:
    shutil.copy(PRODUCTION, home / "dagster.yaml")
    others = {key: value for key, value in POSTGRES.items() if key != "DAGSTER_PG_PASSWORD"}
    assert refused(home, name, **others, DAGSTER_PG_PORT="1") == (
        f"{home}/dagster.yaml: names the environment variable DAGSTER_PG_PASSWORD, not set here; set what is missing"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_at_once_that_postgresql_is_down(name: str, home: Path, refused: Refused) -> None:
    shutil.copy(PRODUCTION, home / "dagster.yaml")
    started = time.monotonic()
    line = refused(home, name, **POSTGRES, DAGSTER_PG_PORT="1")
    assert time.monotonic() - started < 5
    assert line.startswith(
        f"{home}/dagster.yaml: storage: the database does not answer: connection to server at "
        '"127.0.0.1", port 1 failed: Connection refused; start it, or mend its address or password'
    )


def test_a_server_that_takes_a_connection_and_says_nothing_is_waited_for_for_seconds(
    home: Path, refused: Refused
) -> None:
    shutil.copy(PRODUCTION, home / "dagster.yaml")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        line = refused(home, "debt", **POSTGRES, DAGSTER_PG_PORT=str(silent.getsockname()[1]))
    assert time.monotonic() - started < 5
    assert "timeout expired" in line


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_names_the_file_of_a_database_that_is_damaged(name: str, home: Path, refused: Refused) -> None:
    path = home / "history/runs.db"
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 10_000)
    assert refused(home, name) == (
        f"{path}: database disk image is malformed; restore it from a backup, as docs/production.md tells"
    )


@pytest.mark.parametrize("file", ["history/runs/index.db", "schedules/schedules.db"])
def test_any_database_of_a_home_may_be_the_damaged_one(file: str, home: Path, refused: Refused) -> None:
    (home / file).write_bytes(b"garbage" * 1000)
    assert refused(home, "debt").startswith(f"{home / file}: file is not a database; restore it from a backup")


CONFIGS = {
    "run_launcher: [": "is no configuration of Dagster: while parsing a flow node",
    "3": 'is no configuration of Dagster: Failure condition: Expected YAML from file .* instead got: "3"',
    "nonsense: 3": 'is no configuration of Dagster: Received unexpected config entry "nonsense" at the root.',
    "concurrency: {runs: {max_concurrent_runs: many}}": "path root:concurrency:runs:max_concurrent_runs. Value \"many\"",
    "run_storage: {module: nowhere, class: Runs}": "Couldn't import module nowhere",
}  # fmt: skip


@pytest.mark.parametrize("text", CONFIGS)
def test_a_dagster_yaml_that_is_wrong_is_named_with_key_and_value(text: str, home: Path, refused: Refused) -> None:
    config = write_config(home, text)
    line = refused(home, "plan")
    assert line.startswith(f"{config}: ")
    assert re.search(CONFIGS[text].replace("(", r"\("), line), line
    assert len(line) < 400


def test_a_port_that_is_no_number_is_told_by_its_variable(home: Path, refused: Refused) -> None:
    shutil.copy(PRODUCTION, home / "dagster.yaml")
    line = refused(home, "debt", **POSTGRES, DAGSTER_PG_PORT="many")
    assert 'env variable "DAGSTER_PG_PORT" cannot be coerced into an int' in line


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_who_lacks_which_right_to_a_home(name: str, home: Path, refused: Refused) -> None:
    home.chmod(0)
    with as_nobody():
        line = refused(home, name)
    assert line.startswith(f"{home}")
    assert "Permission denied" in line
    assert line.endswith("the right to it, or run this as its owner")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_that_it_cannot_write_into_a_home(name: str, home: Path, refused: Refused) -> None:
    for path in (home, *home.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    with as_nobody():
        line = refused(home, name)
    assert str(home) in line
    assert line.endswith("the right to it, or run this as its owner")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_that_a_disk_is_full(name: str, home: Path, refused: Refused) -> None:
    with files_of_at_most(1000):
        line = refused(home, name)
    assert line.startswith(f"the database of {home}: disk I/O error; look at the disk, its limits and its space: make")


@pytest.mark.parametrize("name", ["home", "demo", "dev"])
def test_a_home_that_cannot_be_made_leaves_no_half_of_its_configuration(
    name: str, team: TeamProject, refused: Refused
) -> None:
    home = team.root / f"new-{name}"
    with files_of_at_most(100):
        line = refused(home, name)
    assert line == f"{home}: cannot be a home folder: File too large; raise the limit of `ulimit -f`"
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", ["dev", "demo", "webserver"])
def test_what_opens_the_ui_or_a_daemon_looks_at_the_home_before(
    name: str, home: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ours take their places in this process.
    monkeypatch.setattr(app, "DagsterWebserver", app.DagsterWebserver)  # type: ignore[attr-defined]
    monkeypatch.setattr(events, "from_dagster_event_record", events.from_dagster_event_record)
    config = write_config(home, "nonsense: 3")
    (home / "demo_anchor").write_text("2026-01-14", encoding="utf-8")
    assert refused(home, name).startswith(f"{config}: is no configuration of Dagster")


def test_a_real_disk_that_is_full_or_mounted_for_reading(team: TeamProject, refused: Refused) -> None:
    folder = team.root / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root mounts a disk, and not in every container")
    try:
        home = folder / "home"
        shutil.copytree(team.home, home)
        with suppress(OSError):
            (folder / "all").write_bytes(b"x" * 4_000_000)
        assert "make room on the disk of" in refused(home, "debt")
        assert refused(folder / "new", "home").startswith(f"{folder / 'new'}: cannot be a home folder: No space left")
        assert refused(team.home, "report", "--output", f"{folder}/report.html").startswith(
            f"{folder}/report.html: cannot be written: No space left on device; make room"
        )
        (folder / "all").unlink()
        assert not (folder / "report.html").exists()
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        assert refused(home, "debt").endswith("; mount it for writing, or name another place")
        assert refused(home, "report").startswith(
            f"{home}/report.html: cannot be written: Read-only file system; mount"
        )
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(
    ("name", "variables", "words"),
    [
        ("webserver", {"DAGSTER_HOME": "/nowhere"}, '$DAGSTER_HOME "/nowhere" is not a directory or does not exist'),
        ("webserver", {"DAGSTER_HOME": "home"}, '$DAGSTER_HOME "home" must be an absolute path'),
        ("debt", {"ML_ASSETS_ENVIRONMENT": "moon"}, "ML_ASSETS_ENVIRONMENT is 'moon'; there are local, test"),
        ("verify", {"ML_ASSETS_STORAGE": "moon://x"}, "ML_ASSETS_STORAGE is 'moon://x': Unsupported filesystem"),
        ("plan", {"ML_ASSETS_STORAGE": "relative/x"}, "ML_ASSETS_STORAGE is 'relative/x'; write a URL such as"),
        (
            "plan",
            {"ML_ASSETS_STORAGE": "s3://bucket", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/none"},
            "ML_ASSETS_STORAGE is 's3://bucket': NoCredentialsError: Unable to locate credentials; see that",
        ),
    ],
)
def test_a_variable_that_is_wrong_is_named_with_its_value(
    name: str, variables: dict[str, str], words: str, home: Path, refused: Refused
) -> None:
    assert refused(home, name, **variables).startswith(words)


@pytest.mark.parametrize("name", ["debt", "new"])
def test_a_pyproject_that_is_wrong_is_named(
    name: str, home: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.dg")
    monkeypatch.chdir(tmp_path)
    assert refused(home, name, *([] if name == "debt" else ["shop/next"])).startswith(
        f"{tmp_path}/pyproject.toml: is no TOML: Expected ']'"
    )


@pytest.mark.parametrize("arguments", [["report", "--output"], ["notebook", ASSET, "2026-03-05", "--html"]])
def test_where_nothing_can_be_written_is_said_before_the_work_is_done(
    arguments: list[str], team: TeamProject, home: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed = home / "notebooks/shop/order/metrics_2d/2026-03-05/run.ipynb"
    executed.parent.mkdir(parents=True)
    executed.write_text("{}", encoding="utf-8")
    monkeypatch.setattr("ml_assets.reports.metrics_page.render", None)
    (team.root / "a_file").touch()
    output = team.root / "a_file/page.html"
    assert refused(home, *arguments, str(output)) == (
        f"{output}: cannot be written: File exists ({team.root / 'a_file'}); name another file"
    )


def test_a_report_that_finds_the_disk_full_leaves_the_one_of_before(
    team: TeamProject, home: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = team.root / "page.html"
    page.write_text("the one of before")
    monkeypatch.setattr("ml_assets.reports.metrics_page.render", lambda *_: "x" * 10_000_000)
    # Room for what SQLite needs, and none for such a page.
    with files_of_at_most(5_000_000):
        line = refused(home, "report", "--output", str(page))
    assert line == f"{page}: cannot be written: File too large; raise the limit of `ulimit -f`"
    assert page.read_text() == "the one of before"
    assert [path.name for path in team.root.iterdir() if "page.html" in path.name] == ["page.html"]


def test_a_report_that_cannot_take_its_place_is_told_by_the_name_that_was_asked_for(
    team: TeamProject, home: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = team.root / "taken.html"

    def render(*_: object) -> str:
        page.mkdir()
        return "a page"

    monkeypatch.setattr("ml_assets.reports.metrics_page.render", render)
    line = refused(home, "report", "--output", str(page))
    assert line == f"{page}: cannot be written: Is a directory; name another file"
    assert [path.name for path in team.root.iterdir() if "taken.html" in path.name] == ["taken.html"]
