"""`ml-assets harmless`, on a real instance of which facts are recorded and no notebook runs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from ml_assets.cli.main import main
from ml_assets.notebooks.code.harmless import HARMLESS_FILE
from ml_assets.orchestration.assets import code_versions
from ml_assets.orchestration.recorded.facts import materialization, note_begun
from ml_assets.project import project as project_module
from ml_assets.project.project import Project
from tests.support import shop
from tests.support.projects import TeamProject

MODEL, TRAINING_DATA = "shop/order/model", "shop/order/training_data"


@dataclass
class Shop:
    project: Project

    @property
    def code(self) -> str:
        """The version that the model's code counts as."""
        return code_versions(self.project.models.values(), self.project.root)[MODEL]

    def edit(self, text: str) -> None:
        """Append code to the model's notebook."""
        path = self.project.root / "notebooks/standard/model.ipynb"
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["cells"][-1]["source"] = [*notebook["cells"][-1]["source"], f"\n{text}"]
        path.write_text(json.dumps(notebook), encoding="utf-8")

    def make(self, *days: int) -> None:
        for day in days:
            partition, instance = f"2026-03-{day:02}", self.project.instance
            note_begun(instance, MODEL, partition, "inputs", self.code, "")
            instance.report_runless_asset_event(materialization(MODEL, partition, "rows", code=self.code))

    def declare(self, asset: str = MODEL, reason: str = "the seed was the default") -> Result:
        command = ["harmless", asset, "--reason", reason, "--home", str(self.project.home)]
        return CliRunner().invoke(main, command, catch_exceptions=False)

    @property
    def file(self) -> Path:
        return self.project.root / HARMLESS_FILE


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> TeamProject:
    return TeamProject.make(tmp_path_factory.mktemp("harmless"), "harmless_shop", shop.DEFS)


@pytest.fixture
def made(team: TeamProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """The models of 3, 4 and 5 March were made by the code as it is; each test has an instance of its own."""
    notebook = team.root / "notebooks/standard/model.ipynb"
    before = notebook.read_text(encoding="utf-8")
    found = Shop(Project(tmp_path / "home", team.root))
    # The command's project is the one that it is installed in.
    monkeypatch.setattr(project_module, "Project", lambda _: Project(found.project.home, team.root))
    found.make(3, 4, 5)
    yield found
    notebook.write_text(before, encoding="utf-8")
    found.file.unlink(missing_ok=True)


def test_a_change_is_declared_since_the_version_that_made_what_is_outdated(made: Shop) -> None:
    before = made.code
    made.edit("seed = 0")
    present = made.code
    result = made.declare()
    assert result.exit_code == 0
    assert (
        result.stdout
        == f"""\
wrote to notebooks/harmless.yaml, which belongs into version control:
{yaml.safe_dump([{"asset": MODEL, "from": before, "to": present, "reason": "the seed was the default"}], sort_keys=False)}\
no longer outdated by code: 3 partitions (2026-03-03..2026-03-05)
reload the definitions for it to take effect
"""
    )
    assert made.code == before


def test_declared_changes_follow_one_another(made: Shop) -> None:
    before = made.code
    for code in ("seed = 0", "more = 1"):
        made.edit(code)
        assert made.declare().exit_code == 0
    assert made.code == before
    made.make(6)
    made.edit("even = 2")
    assert "no longer outdated by code: 4 partitions" in made.declare().stdout


@pytest.mark.parametrize("edit", ["", "# a comment"])
def test_nothing_is_declared_where_nothing_is_outdated_by_its_code(edit: str, made: Shop) -> None:
    made.edit(edit)
    result = made.declare()
    assert result.exit_code == 1
    assert (
        result.stderr
        == "Error: no partition of shop/order/model is outdated by its code; there is nothing to declare\n"
    )
    assert not made.file.exists()


def test_of_several_old_versions_that_of_the_newest_partition_counts_and_the_others_are_told(made: Shop) -> None:
    oldest = made.code
    made.edit("depth = 3")
    made.make(6)
    made.edit("seed = 0")
    result = made.declare()
    assert "no longer outdated by code: 1 partition (2026-03-06)" in result.stdout
    assert f"outdated still, made by {oldest}: 3 partitions (2026-03-03..2026-03-05)" in result.stdout


def test_what_the_new_code_made_already_is_told(made: Shop) -> None:
    made.edit("seed = 0")
    present = made.code
    made.make(6)
    result = made.declare()
    assert "no longer outdated by code: 3 partitions" in result.stdout
    assert f"outdated now, made by {present} already: 1 partition (2026-03-06)" in result.stdout


def test_a_declaration_that_would_outdate_as_much_as_it_mends_is_refused(made: Shop) -> None:
    made.edit("seed = 0")
    made.make(4, 5)
    result = made.declare()
    assert result.exit_code == 1
    assert "made 2 partitions (2026-03-04..2026-03-05) already, which would be outdated instead" in result.stderr
    assert not made.file.exists()


def test_what_was_made_by_a_version_that_counts_as_another_one_is_for_a_person_to_make(made: Shop) -> None:
    made.edit("seed = 0")
    made.make(6)
    made.declare()
    made.make(3, 4, 5)
    result = made.declare()
    assert result.exit_code == 1
    assert "materialize it by hand" in result.stderr


@pytest.mark.parametrize(
    ("asset", "reason", "words"),
    [
        (
            "shop/order/modle",
            "why",
            "'shop/order/modle' is no service, model, asset or selection of Dagster such as 'tag:service=ads' (did you "
            "mean 'shop/order/model'?); there are",
        ),
        (MODEL, " ", "notebooks/harmless.yaml: entry 1.reason: ' ' is not accepted; a text that is not empty"),
        (TRAINING_DATA, "why", "no partition of shop/order/training_data is outdated by its code"),
    ],
)
def test_what_cannot_be_declared_is_refused(asset: str, reason: str, words: str, made: Shop) -> None:
    made.edit("seed = 0")
    result = made.declare(asset, reason)
    assert result.exit_code != 0
    assert words in result.stderr
    assert not made.file.exists()


def test_of_a_selection_what_is_outdated_is_declared_and_the_rest_is_named(made: Shop) -> None:
    made.edit("seed = 0")
    result = made.declare("shop/order", "an upgrade")
    assert result.exit_code == 0
    assert "no longer outdated by code: 3 partitions" in result.stdout
    assert "no partition of shop/order/training_data is outdated by its code" in result.stdout
    assert made.file.read_text(encoding="utf-8").count("asset:") == 1
