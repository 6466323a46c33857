"""Takes the pictures of the docs of a home that the demo has made: `make screenshots`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import dagster as dg
from playwright.sync_api import Browser, expect, sync_playwright

from ml_assets.domain.owed.due import State
from ml_assets.orchestration.recorded.facts import asset_key
from ml_assets.orchestration.recorded.lineage import current_runs
from ml_assets.project.project import Project
from tests.browser.screen import DESKTOP, NO_BROWSER, PHONE, browser_here
from tests.support.projects import REPOSITORY
from tests.support.webserver import answers, free_port

FOLDER = REPOSITORY / "docs" / "images"
MODEL, METRICS = "ads/cvr/model", "ads/cvr/metrics_7d"
#: A picture that is larger belongs into no repository.
LARGEST = 200_000


@dataclass(frozen=True)
class Picture:
    """A page to be taken.

    Args: `path`: where it is, with the names of what `found` finds in braces; `shows`: text by which it is ready;
    `clicks`: the buttons that are pressed first, one after another.
    """

    name: str
    path: str
    shows: str
    clicks: tuple[str, ...] = ()
    width: int = DESKTOP
    height: int = 800


PICTURES = (
    Picture("asset-graph", f"/assets/{METRICS}?view=lineage&lineageScope=upstream&lineageDepth=5", "training_data"),
    Picture("groups", "/asset-groups", "Materialize all"),
    Picture("metric-plots", f"/assets/{METRICS}?view=overview", "Log loss", clicks=("Plots",)),
    Picture("metric-partition", f"/assets/{METRICS}?view=partitions&partition={{metric}}", "executed notebook"),
    Picture("late-partition", f"/assets/{METRICS}?view=partitions&partition={{late}}", "{late}"),
    Picture("run", "/runs/{run}", "RUN_SUCCESS"),
    Picture("executed-notebook", "{notebook}", "Model", height=1000),
    Picture("executed-notebook-phone", "{notebook}", "Model", width=PHONE, height=844),
    Picture("schedules", "/automation", "sensor"),
)


def found(project: Project) -> dict[str, str]:
    """What there is to be shown: partitions, a run, a notebook."""
    instance = project.instance
    metric, run = max(current_runs(instance, METRICS).items())
    late = [
        key for key, of in sorted(project.look(["ads"]).found["ads/cvr"][METRICS].items()) if of.state is State.WAITING
    ]
    model = max(current_runs(instance, MODEL))
    filters = dg.AssetRecordsFilter(asset_key=asset_key(MODEL), asset_partitions=[model])
    made = instance.fetch_materializations(filters, limit=1).records[0].asset_materialization
    assert made is not None
    link = made.metadata["executed notebook"]
    assert isinstance(link, dg.UrlMetadataValue)
    return {"metric": metric, "run": run, "late": late[0], "notebook": str(link.url)}


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The UI of this project on a home, meanwhile. Yields: its address."""
    port = free_port()
    url, environment = f"http://127.0.0.1:{port}", {**os.environ, "DAGSTER_HOME": str(home)}
    command = [sys.executable, "-m", "ml_assets", "webserver", "-w", "workspace.yaml", "-p", str(port)]
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment) as server:
        try:
            while not answers(url):
                assert server.poll() is None, "the webserver ended"
                time.sleep(0.5)
            yield url
        finally:
            server.send_signal(signal.SIGINT)


def take(browser: Browser, url: str, picture: Picture, names: Mapping[str, str]) -> Path:
    """Take a picture. Returns: its file."""
    context = browser.new_context(viewport={"width": picture.width, "height": picture.height}, locale="en-US")
    page = context.new_page()
    page.goto(url + picture.path.format_map(names))
    for text in picture.clicks:
        page.get_by_role("button", name=text).click()
    expect(page.get_by_text(picture.shows.format_map(names)).first).to_be_visible(timeout=60_000)
    # What is drawn, or moves, has come to rest.
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(2000)
    path = FOLDER / f"{picture.name}.png"
    page.screenshot(path=path, animations="disabled")
    context.close()
    return path


def main(home: Path) -> None:
    """Take all pictures."""
    program = browser_here()
    if program is None:
        sys.exit(NO_BROWSER)
    if not (home / "dagster.yaml").exists():
        sys.exit(f"{home} is no home; make it: make demo HOME_FOLDER={home}")
    FOLDER.mkdir(exist_ok=True)
    names = found(Project(home, REPOSITORY))
    with served(home) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        paths = [take(browser, url, picture, names) for picture in PICTURES]
    for path in paths:
        click.echo(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size // 1000} kB")
    if large := [path.name for path in paths if path.stat().st_size > LARGEST]:
        sys.exit(f"larger than {LARGEST // 1000} kB: {', '.join(large)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
