"""What the systemd units run, as systemd would: in their order, and anew when it was killed. systemd itself is not here."""

import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.support import forks
from tests.support.projects import REPOSITORY, TeamProject
from tests.support.webserver import free_port

FOLDER = REPOSITORY / "deploy" / "systemd"
CODE, DAEMON, WEBSERVER = (f"ml-assets-{name}.service" for name in ("code", "daemon", "webserver"))
#: Programs of the environment, as the modules that `python -m` runs.
PROGRAMS = {"dagster": "dagster", "ml-assets": "ml_assets"}


def unit(name: str) -> ConfigParser:
    """A unit file. A setting that is there twice is an error."""
    parser = ConfigParser(interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((FOLDER / name).read_text(encoding="utf-8"))
    return parser


def start_order() -> list[str]:
    """The services that the target wants, each after those that it is to be started after."""
    wanted = unit("ml-assets.target")["Unit"]["Wants"].split()
    after = {name: set(unit(name)["Unit"]["After"].split()) & set(wanted) for name in wanted}
    order: list[str] = []
    while len(order) < len(wanted):
        order.append(next(name for name in wanted if name not in order and after[name] <= set(order)))
    return order


def environment_file() -> dict[str, str]:
    """The variables of the example of an environment file."""
    lines = (FOLDER / "ml-assets.env").read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value.strip("'") for name, _, value in pairs}


@dataclass
class Units:
    """The services of a team's project, each a program with its log `<unit>.log` in the home."""

    team: TeamProject
    folder: Path
    port: int = field(default_factory=free_port)
    running: dict[str, forks.Program] = field(default_factory=dict)

    @property
    def health(self) -> requests.Response:
        """The answer of the probe, with its code."""
        return requests.get(f"http://127.0.0.1:{self.port}/healthz", timeout=30)

    @property
    def workspace(self) -> Path:
        """The workspace of the daemon and the webserver."""
        return self.folder / "workspace.yaml"

    def command(self, name: str) -> list[str]:
        """What a unit executes, with our places for its own, as the arguments of `python -m`."""
        program, *arguments = self._here(unit(name)["Service"]["ExecStart"]).split()
        return [PROGRAMS[Path(program).name], *arguments]

    def start(self, name: str) -> None:
        """Start a service, and wait until it counts as started."""
        # Of a runtime directory, nothing outlives its service.
        if "RuntimeDirectory" in unit(name)["Service"]:
            (self.folder / "code.sock").unlink(missing_ok=True)
        self.workspace.write_text(self._here((FOLDER / "workspace.yaml").read_text(encoding="utf-8")))
        with (self.team.home / f"{name}.log").open("ab") as log:
            self.running[name] = forks.start(
                self.command(name), cwd=self.team.root, env=self.team.environment, stdout=log, stderr=log
            )
        if waits := unit(name)["Service"].get("ExecStartPost"):
            subprocess.run(shlex.split(self._here(waits)), check=True, timeout=120)

    def kill(self, name: str) -> None:
        """Kill the program of a service."""
        self.running[name].kill()
        self.running[name].wait()

    def stop(self, name: str) -> None:
        """As `systemctl stop`: SIGTERM to the program alone (`KillMode=mixed`), which must be enough."""
        service = unit(name)["Service"]
        assert service["KillMode"] == "mixed"
        self.running[name].send_signal(signal.SIGTERM)
        self.running[name].wait(float(service["TimeoutStopSec"]))

    def restart_what_ended(self) -> list[str]:
        """Start anew what has ended, as `Restart=always` does. Returns: what that was."""
        ended = [name for name, program in self.running.items() if program.poll() is not None]
        for name in ended:
            assert unit(name)["Service"]["Restart"] == "always"
            self.start(name)
        return ended

    def wait_until(self, status: int, *, names: str = "", seconds: float = 120) -> str:
        """Wait until the probe has a status, and names something. Returns: its answer."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                answer = self.health
                seen = f"{answer.status_code} {answer.text}"
                if answer.status_code == status and names in answer.text:
                    return answer.text
            except requests.RequestException as error:
                seen = str(error)
            assert time.monotonic() < deadline, seen
            time.sleep(0.5)

    def _here(self, text: str) -> str:
        for theirs, ours in self._places.items():
            text = text.replace(theirs, ours)
        return text

    @property
    def _places(self) -> Mapping[str, str]:
        return {
            "/opt/ml-assets/deploy/systemd/workspace.yaml": str(self.workspace),
            "/run/ml-assets/code.sock": str(self.folder / "code.sock"),
            "ml_assets.definitions": f"{self.team.package}.definitions",
            "location_name: ml_assets": f"location_name: {self.team.location_name}",
            "--port 3000": f"--port {self.port}",
        }


@contextmanager
def units(team: TeamProject) -> Iterator[Units]:
    """The services of the target meanwhile."""
    # A socket's path is at most 107 bytes long.
    with tempfile.TemporaryDirectory(prefix="units-", dir="/tmp") as folder:
        services = Units(team, Path(folder))
        try:
            for name in start_order():
                services.start(name)
            yield services
        finally:
            for name in reversed(services.running):
                services.stop(name)
