"""The systemd units as files; `tests/loops/test_postgres_loop.py` runs what they run."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml

from tests.support.postgres import PRODUCTION
from tests.support.projects import REPOSITORY
from tests.support.units import CODE, DAEMON, FOLDER, PROGRAMS, WEBSERVER, environment_file, start_order, unit

PAGE = (REPOSITORY / "docs" / "production.md").read_text(encoding="utf-8")
SERVICES = [CODE, DAEMON, WEBSERVER]


def test_the_code_server_is_started_before_those_that_ask_it() -> None:
    assert start_order()[0] == CODE
    assert sorted(start_order()) == sorted(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_comes_back_for_ever_without_its_database_and_a_stop_reaches_its_program_alone(name: str) -> None:
    start, service = unit(name)["Unit"], unit(name)["Service"]
    assert (service["Restart"], start["StartLimitIntervalSec"]) == ("always", "0")
    assert "postgresql.service" in start["After"].split()
    assert not {"Requires", "BindsTo", "Requisite"} & set(start)
    assert start["PartOf"] == "ml-assets.target"
    assert service["KillMode"] == "mixed"
    # Its runs and their kernels end within 20 seconds.
    assert float(service["TimeoutStopSec"]) >= 40


def test_a_kernel_without_memory_does_not_end_the_daemon() -> None:
    assert unit(DAEMON)["Service"]["OOMPolicy"] == "continue"


def test_each_program_is_installed_as_what_the_tests_run() -> None:
    scripts = {one.name: one.value.partition(":")[0] for one in entry_points(group="console_scripts")}
    for name in SERVICES:
        program = Path(unit(name)["Service"]["ExecStart"].split()[0])
        assert program.parent == Path("/opt/ml-assets/.venv/bin")
        assert scripts[program.name].partition(".")[0] == PROGRAMS[program.name]


def test_the_example_of_an_environment_names_what_the_instance_reads_and_holds_no_password() -> None:
    given = environment_file()
    storage = yaml.safe_load(PRODUCTION.read_text(encoding="utf-8"))["storage"]["postgres"]["postgres_db"]
    assert set(given) == {value["env"] for value in storage.values()} | {"DAGSTER_HOME", "PATH"}
    assert given["DAGSTER_PG_PASSWORD"] == ""
    for name in SERVICES:
        assert unit(name)["Service"]["EnvironmentFile"] == "/etc/ml-assets.env"


def test_the_page_names_each_unit_and_only_files_that_are_there() -> None:
    assert {f"ml-assets-{name}.service" for name in re.findall(r"^\| `ml-assets-(\w+)`", PAGE, re.MULTILINE)} == set(
        SERVICES
    )
    for path in re.findall(r"/opt/ml-assets/([^\s`,)]+)", PAGE):
        assert list(REPOSITORY.glob(path)), path


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing; on Debian: apt-get install systemd")
    for file in [*FOLDER.glob("*.service"), *FOLDER.glob("*.target")]:
        text = file.read_text(encoding="utf-8").replace("/opt/ml-assets/.venv", sys.prefix)
        (tmp_path / file.name).write_text(text.replace("/opt/ml-assets", str(REPOSITORY)), encoding="utf-8")
    command = ["systemd-analyze", "verify", *map(str, tmp_path.iterdir())]
    verified = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
