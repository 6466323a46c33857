"""Whole projects in a temporary folder, as a team would have them, and the real daemon on them."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import jupytext
import pandas as pd
import yaml
from dagster._core.storage.tags import RUN_KEY_TAG
from dagster._grpc.client import DagsterGrpcClient

from ml_assets.orchestration.arrival.shown import arrival_records
from ml_assets.orchestration.launcher import command_of
from ml_assets.orchestration.sensors import Tick, run_request
from ml_assets.processes.settling import wait_until_settled
from ml_assets.project.home import prepare_home
from ml_assets.project.project import Project
from ml_assets.temporary import TemporaryFolder
from tests.support import forks

REPOSITORY = Path(__file__).parents[2]
_DEFINITIONS = """
from pathlib import Path

import dagster as dg

from ml_assets.definitions import build_definitions
from ml_assets.orchestration import sensors

# As often as the daemon looks: nobody else pays for these ticks.
sensors.SECONDS_BETWEEN_TICKS = 5


@dg.definitions
def defs():
    return build_definitions(dg.ComponentTree.for_project(Path(__file__).parents[1]))
"""
_BEGINNING = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% tags=["parameters"]
import dagstermill

context = dagstermill.get_context()

# %%
from ml_assets.notebooks.step import Step

step = Step.of(context)

"""


@dataclass(frozen=True)
class TeamProject:
    """A project of its own, with the standard notebooks, in `root`; its state is in `home`."""

    root: Path
    package: str

    @classmethod
    def make(cls, root: Path, package: str, defs: dict[str, str]) -> "TeamProject":
        """Write a project: `defs` holds the text of each defs.yaml by its folder below `defs/`."""
        root.mkdir(parents=True, exist_ok=True)
        (root / "pyproject.toml").write_text(
            f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{package}"\n', encoding="utf-8"
        )
        for folder, text in defs.items():
            path = root / package / "defs" / folder / "defs.yaml"
            path.parent.mkdir(parents=True)
            path.write_text(text, encoding="utf-8")
        (root / package / "__init__.py").touch()
        (root / package / "definitions.py").write_text(_DEFINITIONS, encoding="utf-8")
        shutil.copytree(REPOSITORY / "notebooks", root / "notebooks")
        project = cls(root, package)
        prepare_home(project.home)
        # Kernels, runs and this process find the package here.
        sys.path.insert(0, str(root))
        os.environ["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
        return project

    @property
    def home(self) -> Path:
        """The home folder."""
        return self.root / "home"

    @property
    def project(self) -> Project:
        """The project as the command line sees it."""
        return Project(self.home, self.root)

    @property
    def location(self) -> list[str]:
        """The code location on Dagster's command line."""
        return ["-m", f"{self.package}.definitions"]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command on this project."""
        return {**os.environ, "DAGSTER_HOME": str(self.home)}

    def write_partition(self, location: str, key: str, frame: pd.DataFrame, *, marker: bool = True) -> Path:
        """Let an event partition arrive."""
        folder = self.home / "events" / location / f"date={key}"
        folder.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(folder / "part-0.parquet", index=False)
        if marker:
            (folder / "_SUCCESS").touch()
        return folder

    def write_notebook(self, path: str, cells: str) -> None:
        """Write a notebook of the team's own, whose cells `cells` begin with `# %%`; its step is `step`."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        jupytext.write(jupytext.reads(_BEGINNING + cells, fmt="py:percent"), self.root / path)

    @property
    def location_name(self) -> str:
        """The name of the code location."""
        return f"{self.package}.definitions"

    @contextmanager
    def code_server(self) -> Iterator[Path]:
        """Serve the code location meanwhile. Yields: the workspace.yaml that names it."""
        # A socket's path is at most 107 bytes long.
        with TemporaryFolder() as folder:
            socket, workspace = folder.path / "socket", folder.path / "workspace.yaml"
            served = {"grpc_server": {"socket": str(socket), "location_name": self.location_name}}
            workspace.write_text(yaml.safe_dump({"load_from": [served]}), encoding="utf-8")
            command = ["dagster", "api", "grpc", "--socket", str(socket), *self.location]
            # Two processes that make a new instance at once make it twice.
            self.project.instance.get_runs_count()
            log = self.home / "code_server.log"
            with forks.running(command, cwd=self.root, log=log, env=self.environment) as server:
                client, deadline = DagsterGrpcClient(socket=str(socket)), time.monotonic() + 120
                while client.health_check_query() != "SERVING":
                    assert server.poll() is None, log.read_text()
                    assert time.monotonic() < deadline, log.read_text()
                    time.sleep(0.1)
                yield workspace

    @contextmanager
    def daemon(self) -> Iterator["TeamProject"]:
        """Run the real daemon meanwhile, with the runs that it begins."""
        with self.code_server() as workspace:
            command = ["dagster._daemon", "run", "--workspace", str(workspace)]
            with forks.running(command, cwd=self.root, log=self.home / "daemon.log", env=self.environment):
                yield self

    def settle(self, service: str, *, seconds: float = 600) -> Tick:
        """Wait until nothing is due or running; the daemon must be running."""
        project = self.project
        return wait_until_settled(
            project.instance, lambda: project.look([service]), on_look=lambda _: None, seconds=seconds
        )

    def make_due(self, service: str) -> Tick:
        """Without a daemon, do as the sensor says until nothing is due: its arrivals, and its runs one after another."""
        project = self.project
        while True:
            tick = project.look([service])
            if not tick.arrivals and not tick.launches:
                return tick
            for record in arrival_records(tick.arrivals, project.logs.values(), project.events_root, tick.seen):
                project.instance.report_runless_asset_event(record)
            for launch in tick.launches:
                assets, partitions = launch.request.assets, launch.request.partitions
                request = run_request(launch)
                # The daemon launches a key once.
                tags = {**request.tags, RUN_KEY_TAG: str(request.run_key)}
                assert not project.instance.get_runs_count(dg.RunsFilter(tags={RUN_KEY_TAG: tags[RUN_KEY_TAG]}))
                run = project.runs.create(assets, partitions, tags)
                forks.run(command_of(project.instance, run), cwd=self.root, env=self.environment, seconds=600)
                assert self.run(run.run_id).is_finished, f"run {run.run_id} ended without a verdict"

    def run(self, run_id: str) -> dg.DagsterRun:
        """A run of this instance."""
        found = self.project.instance.get_run_by_id(run_id)
        assert found is not None
        return found

    def command(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command, such as `dagster`, on this project."""
        return forks.run([name.replace("-", "_"), *arguments], cwd=self.root, env=self.environment)
