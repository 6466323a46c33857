"""The real webserver of a team's project, asked as the Dagster UI asks it."""

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import requests

from ml_assets.notebooks.running.page import POLICY
from tests.support import forks
from tests.support.projects import TeamProject

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on InvalidSubsetError { message }
  }
}"""
RESUME = """
mutation Resume($run: String!) {
  launchRunReexecution(reexecutionParams: {parentRunId: $run, strategy: FROM_FAILURE}) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}"""
CANCEL = """
mutation Cancel($run: String!) {
  terminateRun(runId: $run) { __typename ... on TerminateRunSuccess { run { runId } } ... on PythonError { message } }
}"""
RUN = "query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
_ENDS = ("SUCCESS", "FAILURE", "CANCELED")


@dataclass(frozen=True)
class Webserver:
    """A webserver that runs, on the code location that a workspace names."""

    url: str
    location: str
    workspace: Path

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of a GraphQL query."""
        body = {"query": query, "variables": variables}
        answer = requests.post(f"{self.url}/graphql", json=body, timeout=60).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def launch(self, assets: list[str], tags: Mapping[str, str]) -> str:
        """Launch a run of some assets. Returns: its id."""
        params = {
            "selector": {
                "repositoryLocationName": self.location,
                "repositoryName": "__repository__",
                "pipelineName": "__ASSET_JOB",
                "assetSelection": [{"path": asset.split("/")} for asset in assets],
            },
            "mode": "default",
            "runConfigData": {},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        return _run_id(self.ask(LAUNCH, params=params)["launchPipelineExecution"])

    def resume(self, run_id: str) -> str:
        """Re-execute a run from its failure. Returns: the id of the new run."""
        return _run_id(self.ask(RESUME, run=run_id)["launchRunReexecution"])

    def cancel(self, run_id: str) -> None:
        """Stop a run, as a person does."""
        stopped = self.ask(CANCEL, run=run_id)["terminateRun"]
        assert stopped["__typename"] == "TerminateRunSuccess", stopped

    def wait(self, run_id: str, seconds: float = 240) -> str:
        """Wait for the end of a run. Returns: its status."""
        deadline = time.monotonic() + seconds
        while (status := self.ask(RUN, id=run_id)["runOrError"]["status"]) not in _ENDS:
            assert time.monotonic() < deadline, f"run {run_id} is {status}"
            time.sleep(1)
        return status

    def notebook(self, path: str) -> str:
        """The page that shows an executed notebook."""
        return self.page(f"/notebook?{urlencode({'path': path, 'repoLocName': self.location})}")

    def page(self, link: str) -> str:
        """What a link to an executed notebook leads to."""
        page = requests.get(self.url + link, timeout=60)
        assert page.status_code == 200, page.text
        assert page.headers["Content-Security-Policy"] == POLICY
        return page.text


@contextmanager
def webserver(team: TeamProject) -> Iterator[Webserver]:
    """The webserver, meanwhile."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with team.code_server() as workspace:
        command = ["ml_assets.processes.webserver", "-w", str(workspace), "-h", "127.0.0.1", "-p", str(port)]
        with forks.running(command, cwd=team.root, log=team.home / "webserver.log", env=team.environment):
            _wait_until_it_answers(url)
            yield Webserver(url, team.location_name, workspace)


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Whether a webserver serves: it says that it does before it listens."""
    try:
        return requests.get(f"{url}/server_info", timeout=5).ok
    except requests.RequestException:
        return False


def _wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + 120
    while not answers(url):
        assert time.monotonic() < deadline, f"{url} does not answer"
        time.sleep(0.5)


def _run_id(launched: Mapping[str, Any]) -> str:
    assert launched["__typename"] == "LaunchRunSuccess", launched
    return launched["run"]["runId"]
