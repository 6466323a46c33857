"""What is started as a script's background job, where SIGINT is ignored, is gone soon after one SIGTERM, with all below it."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import yaml

from tests.deploy.test_image import of as instructions_of
from tests.support import shop
from tests.support.postgres import DagsterPostgres, postgres_server
from tests.support.projects import REPOSITORY, TeamProject
from tests.support.webserver import answers, free_port

SECONDS = 20
MARK = "STARTED_BY_THE_TEST_OF_INTERRUPTS"
#: Its kernel is at work when the signal comes.
NOTEBOOK = """\
# %%
import time
from pathlib import Path

(root,) = [parent for parent in Path.cwd().parents if (parent / "notebooks").exists()]
(root / "begun").touch()
time.sleep(600)
"""


@dataclass(frozen=True)
class Job:
    """A program that was started to ignore SIGINT, and the mark that all processes below it carry."""

    process: subprocess.Popen[bytes]
    mark: str

    def alive(self) -> list[str]:
        """The processes that carry the mark."""
        return [" ".join(one.cmdline())[:200] for one in psutil.process_iter() if self._has_mark(one)]

    def _has_mark(self, one: psutil.Process) -> bool:
        try:
            return one.environ().get(MARK) == self.mark and one.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@contextmanager
def background(command: Sequence[str], cwd: Path, **environment: str) -> Iterator[Job]:
    """Start a command as a script does with `command &`."""
    mark = uuid.uuid4().hex
    with (cwd / f"{mark}.log").open("w") as log:
        process = subprocess.Popen(
            ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *command],
            cwd=cwd,
            env={**os.environ, **environment, MARK: mark},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        job = Job(process, mark)
        try:
            yield job
        finally:
            for one in psutil.process_iter():
                if job._has_mark(one):
                    with suppress(psutil.Error):
                        one.kill()
            process.wait()


def wait_until(true: Callable[[], bool], job: Job, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert job.process.poll() is None, "it has ended by itself"
        assert time.monotonic() < deadline, job.alive()
        time.sleep(0.2)


def assert_gone_after_sigterm(*jobs: Job) -> None:
    for job in jobs:
        job.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + SECONDS
    for job in jobs:
        job.process.wait(max(0, deadline - time.monotonic()))
        while left := job.alive():
            assert time.monotonic() < deadline, left
            time.sleep(0.1)


@pytest.mark.parametrize(("number", "ends"), [("INT", "KeyboardInterrupt"), ("TERM", "-15")])
def test_a_process_that_heeds_interrupts_ends_on_each_of_both(number: str, ends: str, tmp_path: Path) -> None:
    code = (
        "import time\nfrom ml_assets.interrupts import heed_interrupts\nheed_interrupts()\n"
        "try:\n    print('begun', flush=True)\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('KeyboardInterrupt')"
    )
    ignoring = ["sh", "-c", "trap '' INT TERM; exec \"$@\"", "sh", sys.executable, "-c", code]
    with subprocess.Popen(ignoring, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(getattr(signal, f"SIG{number}"))
        printed, code_of_end = process.stdout.read().strip(), process.wait(10)
    assert ends == (printed or str(code_of_end))


def make_team(root: Path, package: str) -> TeamProject:
    """A shop whose models wait for ever while they are trained."""
    declared = shop.DEFS["shop/order"] + "  notebooks: {model: notebooks/shop/model.ipynb}\n"
    team = TeamProject.make(root, package, {**shop.DEFS, "shop/order": declared})
    team.write_notebook("notebooks/shop/model.ipynb", NOTEBOOK)
    for log in ("visits", "orders"):
        shop.arrive(team, log, 1, 3)
    return team


@pytest.mark.slow
def test_make_dev_with_its_daemon_code_servers_runs_and_kernels(tmp_path: Path) -> None:
    team = make_team(tmp_path / "project", "developed_shop")
    module = {"python_module": {"module_name": f"{team.package}.definitions"}}
    (team.root / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [module]}))
    make = ["make", "--file", str(REPOSITORY / "Makefile"), f"VENV={sys.prefix}", f"HOME_FOLDER={team.home}"]
    # Dagster's own port is looked at, and taken seconds later: another `make dev` of the tests may do so meanwhile.
    port = {"DAGSTER_CLI_DEV_PORT": str(free_port())}
    with background([*make, "--old-file", f"{sys.prefix}/.ready", "dev"], team.root, **port) as job:
        wait_until((team.root / "begun").exists, job)
        assert len([one for one in job.alive() if "dagster" in one]) >= 4
        assert_gone_after_sigterm(job)


def deployed(name: str, replaced: dict[str, str]) -> list[str]:
    """What the image runs by a manifest."""
    (manifest,) = [
        one
        for one in yaml.safe_load_all((REPOSITORY / f"deploy/k8s/manifests/{name}.yaml").read_text())
        if one["kind"] == "Deployment"
    ]
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    (entry_point,) = map(yaml.safe_load, instructions_of("ENTRYPOINT"))
    return [*entry_point, *(replaced.get(word, word) for word in container["args"])]


@pytest.mark.slow
def test_what_is_deployed_on_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    team = make_team(tmp_path / "project", "deployed_shop")
    grpc, http = str(free_port()), str(free_port())
    workspace = team.root / "workspace.yaml"
    server = {"grpc_server": {"host": "localhost", "port": int(grpc), "location_name": "deployed"}}
    workspace.write_text(yaml.safe_dump({"load_from": [server]}))
    replaced = {
        "ml_assets.definitions": f"{team.package}.definitions",
        "0.0.0.0": "127.0.0.1",
        "3030": grpc,
        "3000": http,
        "/opt/dagster/home/workspace.yaml": str(workspace),
    }
    monkeypatch.setenv("PATH", f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}")
    with postgres_server() as postgres:
        home = DagsterPostgres(postgres).new_home(team.home, monkeypatch)
        here = {"DAGSTER_HOME": str(home)}
        with (
            background(deployed("code", replaced), team.root, **here) as code,
            background(deployed("webserver", replaced), team.root, **here) as webserver,
            background(deployed("daemon", replaced), team.root, **here) as daemon,
        ):
            wait_until(lambda: answers(f"http://127.0.0.1:{http}"), webserver)
            wait_until((team.root / "begun").exists, daemon)
            assert len(daemon.alive()) > 1
            assert_gone_after_sigterm(daemon, webserver, code)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_tests_with_what_they_have_started(workers: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-n", workers, str(REPOSITORY / "tests/support/endless.py")]
    options = ["--rootdir", str(REPOSITORY), "--confcutdir", str(REPOSITORY), "-c", str(REPOSITORY / "pyproject.toml")]
    begun = tmp_path / "begun"
    with background([*command, *options], tmp_path, ENDLESS=str(begun)) as job:
        wait_until(begun.exists, job)
        wait_until(lambda: len(job.alive()) >= 4, job, seconds=60)
        assert_gone_after_sigterm(job)
