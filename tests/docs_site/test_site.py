"""The site is built of the pages as they are; links of which a page has none, planted ones, are all that is refused."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ml_assets.notebooks.step import Step
from tests.support.projects import REPOSITORY

pytestmark = pytest.mark.slow

PLANTED = {
    "[to no page](docs/nowhere.md)": "'docs/nowhere.md', but the target is not found",
    "[to no heading](docs/time.md#nowhere)": "'docs/time.md#nowhere', but the doc 'docs/time.md' does not contain",
    "[to no folder](ml_assets/nowhere)": "'ml_assets/nowhere'",
    "[from the root](/docs/time.md)": "'/docs/time.md'",
}


@dataclass(frozen=True)
class Site:
    folder: Path
    printed: str
    code: int

    def page(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The site of a copy, at whose README's end links lead nowhere, and where a page is in no navigation."""
    root = tmp_path_factory.mktemp("site")
    for name in ("docs", "docs_site", "ml_assets", "benchmarks", "notebooks"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "results"))
    for name in ("mkdocs.yml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, root)
    with (root / "README.md").open("a", encoding="utf-8") as readme:
        readme.write("\n" + "\n".join(PLANTED) + "\n")
    (root / "docs/unlisted.md").write_text("# Unlisted\n", encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return Site(root / ".site", done.stdout + done.stderr, done.returncode)


def test_links_that_lead_nowhere_are_refused_one_by_one_and_all_others_of_the_pages_lead_somewhere(site: Site) -> None:
    assert site.code != 0
    assert f"Aborted with {len(PLANTED) + 1} warnings in strict mode" in site.printed
    for said in PLANTED.values():
        assert said in site.printed
    assert re.search(r"not included in the \"nav\" configuration:\s+- docs/unlisted.md", site.printed)


def test_each_public_method_and_property_of_a_step_is_in_the_reference_with_what_it_says(site: Site) -> None:
    page = site.page("reference/step.html")
    public = {name for name in vars(Step) if not name.startswith("_")}
    assert {"examples", "read", "save_model", "report", "cutoff", "of"} <= public
    assert {name for name in public if f'id="{Step.__module__}.Step.{name}"' not in page} == set()
    assert "The labelled examples of this step's windows, ordered by event time." in page
    assert "<strong>Raises</strong>: StepError in a step that has no windows." in page


def test_the_readme_is_the_home_page_with_its_pictures_and_its_diagram(site: Site) -> None:
    home = site.page("index.html")
    assert '<pre class="mermaid"><code>flowchart LR' in home
    pictures = re.findall(r'<img [^>]*src="([^"]+)"', home)
    assert "docs/images/asset-graph.png" in pictures
    assert all((site.folder / picture).is_file() for picture in pictures)


def test_links_to_source_and_to_folders_lead_to_pages_that_show_them(site: Site) -> None:
    home = site.page("index.html")
    for name in ("ml_assets/metrics", "docs/adr"):
        assert f'href="{name}/index.html"' in home
    assert "What a metric is" in site.page("ml_assets/metrics/index.html")
    assert 'href="../ml_assets/environments.py.html"' in site.page("docs/storage.html")
    assert "ML_ASSETS_ENVIRONMENT" in site.page("ml_assets/environments.py.html")


def test_scripts_styles_and_pictures_of_all_pages_are_of_the_site_itself(site: Site) -> None:
    for page in site.folder.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert re.findall(r'<(?:script|img|iframe)[^>]* src="(https?:[^"]+)"', text) == []
        assert re.findall(r'<link (?![^>]*rel="canonical")[^>]*href="(https?:[^"]+)"', text) == []
