"""docs/your-first-model.md is executed: every command as it stands, every file written, every edit applied."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from ml_assets.notebooks.running.page import POLICY
from tests.support.projects import REPOSITORY
from tests.support.webserver import answers

pytestmark = pytest.mark.slow

PAGE = REPOSITORY / "docs/your-first-model.md"
METRICS = "shop/order/metrics_2d"


MUTATION = {"query": 'mutation { terminateRun(runId: "none") { __typename } }'}


def ask(url: str, **headers: str) -> requests.Response:
    return requests.post(url, json=MUTATION, headers=headers, timeout=60)


#: Who asks for a change, and how.
ASKS: dict[str, Callable[[str], requests.Response]] = {
    "a program": ask,
    "its own page": lambda url: ask(url, Origin=url.removesuffix("/graphql")),
    "another site": lambda url: ask(url, Origin="http://evil.example"),
    "another name": lambda url: ask(url, Host="evil.example"),
    "by GET": lambda url: requests.get(url, params=MUTATION, timeout=60),
    "by GET, on two lines": lambda url: requests.get(f"{url}%0A", params=MUTATION, timeout=60),
    "as text": lambda url: ask(url, **{"Content-Type": "text/plain"}),
    "as a form": lambda url: requests.post(url, params=MUTATION, data={"a": "b"}, timeout=60),
}


class Reader:
    """Does what the page says, in a copy of the repository, whose package is the one that is imported.

    Two commands need a person. `make lab`: the notebook is run by a kernel instead of by hand. `make dev`: runs as it
    stands (but for the setting up, which would change this environment) until the metrics are there, then is ended.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {name: value for name, value in os.environ.items() if name not in ("DAGSTER_HOME", "PATH")}
        path = [str(Path(sys.executable).parent), os.environ["PATH"]]
        self.environment |= {"PYTHONPATH": str(root), "PATH": os.pathsep.join(path)}
        # Else `git apply` looks for a repository around the copy, and leaves out what lies outside of it.
        self.environment["GIT_CEILING_DIRECTORIES"] = str(root.parent)

    def follow(self, page: str) -> None:
        for kind, text in re.findall(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
            match kind:
                case "console":
                    for command in text.splitlines():
                        self.type(command)
                case "diff":
                    self.run(["git", "apply", "-p0", "-"], given=text)
                case "python":
                    name = re.match(r"# (\S+)\n", text)
                    assert name, text
                    (self.root / name[1]).write_text(text, encoding="utf-8")
                case _:
                    raise AssertionError(f"a block of {kind}: {text}")

    def type(self, command: str) -> None:
        if command == "make lab":
            self.run([".venv/bin/jupyter", "execute", "drafts/order.ipynb"])
        elif command == "make dev":
            with self.dagster_dev() as address:
                # Asking costs a process and much of a core, so it waits for the first files of a metric.
                self.wait_until(lambda: any(self.root.glob(f".home/artifacts/{METRICS}/*/*/manifest.json")))
                self.wait_until(lambda: set(self.causes()) == {"done"})
                executed = next(self.root.glob(f".home/notebooks/{METRICS}/*/*.ipynb"))
                asked = {"path": str(executed), "repoLocName": "ml_assets"}
                self.notebook = requests.get(f"{address}/notebook", params=asked, timeout=60)
                self.answered = {name: ask(f"{address}/graphql").status_code for name, ask in ASKS.items()}
        else:
            assert command.startswith((".venv/bin/", "rm ")), command
            self.run(command)

    def run(
        self, command: str | list[str], *, given: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            shell=isinstance(command, str),
            input=given,
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{command}\n{given or ''}\n{done.stdout}\n{done.stderr}"
        return done

    def causes(self) -> dict[str, list[str]]:
        """The partitions of the metrics by their state."""
        printed = self.run([".venv/bin/ml-assets", "debt", "shop/order", "--json"], check=False).stdout
        found: dict[str, list[str]] = {}
        for entry in json.loads(printed)["models"]["shop/order"]["entries"]:
            found.setdefault(entry["cause"], []).append(entry["partition"])
        return found

    @contextmanager
    def dagster_dev(self) -> Iterator[str]:
        log = self.root / "dev.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                ["make", "-o", ".venv/.ready", "dev"],
                cwd=self.root,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.wait_until(lambda: "Serving dagster-webserver on http" in log.read_text())
            (address,) = re.findall(r"Serving dagster-webserver on (\S+)", log.read_text())
            self.wait_until(lambda: answers(address))
            yield address
        finally:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    @staticmethod
    def wait_until(true: Callable[[], bool], *, seconds: float = 700) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, "what the page promises did not come"
            time.sleep(3)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    root = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, root / name)
    (root / ".venv").symlink_to(Path(sys.prefix))
    reader = Reader(root)
    found = reader.run([".venv/bin/python", "-c", "import ml_assets; print(ml_assets.__file__)"]).stdout
    assert Path(found.strip()).is_relative_to(root)
    reader.follow(PAGE.read_text(encoding="utf-8"))
    return reader


def test_at_the_end_of_the_page_the_metric_exists_and_nothing_is_owed(reader: Reader) -> None:
    assert reader.causes() == {"done": ["2026-03-03"]}
    report = (reader.root / ".home/report.html").read_text(encoding="utf-8")
    assert "shop/order" in report
    assert "2026-03-03" in report


def test_the_metric_names_the_model_of_its_partition_which_the_notebook_of_the_page_made(reader: Reader) -> None:
    printed = reader.run([".venv/bin/ml-assets", "lineage", METRICS, "2026-03-03", "--json"]).stdout
    metric = json.loads(printed)["lineage"]
    model = next(one for one in metric["inputs"] if one["asset"] == "shop/order/model")
    assert model["partition"] == metric["partition"] == "2026-03-03"
    made = reader.root / ".home/artifacts/shop/order/model/2026-03-03" / model["run_id"]
    assert (made / "model.skops").exists()


def test_the_executed_notebook_opens_sandboxed_in_the_ui_of_make_dev(reader: Reader) -> None:
    assert reader.notebook.status_code == 200
    assert reader.notebook.headers["Content-Security-Policy"] == POLICY
    assert "normalized_entropy" in reader.notebook.text


def test_the_ui_of_make_dev_answers_programs_and_its_own_pages_and_no_other_site(reader: Reader) -> None:
    expected = dict.fromkeys(ASKS, 403) | {"a program": 200, "its own page": 200}
    assert reader.answered == expected


def test_the_code_of_the_page_passes_the_linters_of_make_check(reader: Reader) -> None:
    written = ["notebooks/shop_order", "tests/shop_order", "drafts", "log_events.py"]
    reader.run(["ruff", "check", *written])
    reader.run(["ruff", "format", "--check", *written])
    reader.run([".venv/bin/ml-assets", "pair", "--check", "notebooks/shop_order"])
