"""A model is added to a project: what is written, what is refused, and that it works at once."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml
from click.testing import CliRunner, Result

from ml_assets.authoring import new as new_module
from ml_assets.authoring.pairs import Pair, find_problems
from ml_assets.cli.main import main
from ml_assets.examples import first_model
from tests.support import shop
from tests.support.projects import REPOSITORY, TeamProject

NEW_SERVICE = ["--exposures", "store/visits", "--outcomes", "store/orders", "--id", "visit_id"]

New = Callable[..., Result]


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TeamProject:
    """A project of a shop, other than ours."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    return TeamProject.make(tmp_path / "project", f"new_{tmp_path.name}", shop.DEFS)


@pytest.fixture
def new(team: TeamProject, monkeypatch: pytest.MonkeyPatch) -> New:
    """Runs `ml-assets new` in a folder of the project."""
    monkeypatch.chdir(team.root / "notebooks")
    return lambda *arguments: CliRunner().invoke(main, ["new", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def drafts(tmp_path: Path) -> Path:
    """A notebook that trains on a CSV, outside of the project."""
    first_model.write(tmp_path / "drafts")
    return tmp_path / "drafts"


def files(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
    }


def declared(path: Path) -> list[dict]:
    return [document["attributes"] for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def test_a_model_on_the_logs_that_its_service_declares_gets_three_kinds_of_files(team: TeamProject, new: New) -> None:
    before = files(team.root)
    result = new("shop/repeat")
    assert result.exit_code == 0, result.output
    assert files(team.root) - before == {
        f"{team.package}/defs/shop/repeat/defs.yaml",
        "notebooks/shop_repeat/model.ipynb",
        "notebooks/shop_repeat/model.py",
        "tests/shop_repeat/test_notebooks.py",
    }
    (model,) = declared(team.root / team.package / "defs/shop/repeat/defs.yaml")
    assert (model["exposures"], model["outcomes"], model["join"]) == (
        "shop/visits",
        "shop/orders",
        {"id": ["visit_id"]},
    )
    assert model["notebooks"] == {"model": "notebooks/shop_repeat/model.ipynb"}
    assert 'context_of("shop/repeat/model")' in (team.root / "notebooks/shop_repeat/model.py").read_text()
    assert "shop/repeat" in team.project.models


def test_the_windows_are_those_that_the_logs_can_hold(team: TeamProject, new: New) -> None:
    # Two weeks of logs, whose lookahead is three days.
    new("shop/repeat")
    model = team.project.models["shop/repeat"]
    assert str(model.training.window) == "7d"
    assert [str(horizon) for horizon in model.evaluation.horizons] == ["1d"]


def test_a_service_without_logs_gets_them(team: TeamProject, new: New) -> None:
    assert new("store/order", *NEW_SERVICE, "--start", "2026-03-01", "--timezone", "Asia/Tokyo").exit_code == 0
    visits, orders = declared(team.root / team.package / "defs/store/logs/defs.yaml")
    assert (visits["key"], orders["key"]) == ("store/visits", "store/orders")
    assert visits["partitions"] == {"every": "day", "start": "2026-03-01", "timezone": "Asia/Tokyo"}
    model = team.project.models["store/order"]
    assert model.join.columns == ("visit_id",)
    assert [str(horizon) for horizon in model.evaluation.horizons] == ["1d", "7d"]


def test_without_options_the_logs_are_called_exposures_and_outcomes(team: TeamProject, new: New) -> None:
    assert new("store/order").exit_code == 0
    model = team.project.models["store/order"]
    assert (model.exposures.key, model.outcomes.key) == ("store/exposures", "store/outcomes")
    assert model.join.columns == ("exposure_id",)


def test_a_log_joined_with_itself_by_entity(team: TeamProject, new: New) -> None:
    same = ["--exposures", "store/baskets", "--outcomes", "store/baskets"]
    assert "store/baskets is exposures and outcomes at once: give --entity" in new("store/return", *same).output
    assert new("store/return", *same, "--entity", "household_id").exit_code == 0
    assert not team.project.models["store/return"].join.by_id


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["repeat"], "SERVICE/MODEL: 'repeat' is not accepted; write <service>/<name>"),
        (["shop/re-peat"], "SERVICE/MODEL: 'shop/re-peat' is not accepted"),
        (["shop/logs"], "the folder logs of a service holds its event logs"),
        (["shop/order"], "shop/order is declared already"),
        (["shop/repeat", "--exposures", "shop/visit"], "no defs.yaml declares the event log shop/visit; there are"),
        (["store/order", "--exposures", "stor/visits"], "one that is added begins with store/"),
        (["store/order", "--id", "a", "--entity", "b"], "give either --id (now a) or --entity (now b), not both"),
        (["shop/repeat", "--start", "2026-03-01"], "--start 2026-03-01: is for new logs"),
        (["store/order", "--start", "March"], "partitions.start: 'March' is not accepted"),
        (["store/order", "--timezone", "Tokyo"], "'Tokyo' is not accepted"),
        (["shop/repeat", "--from-notebook", "mine.ipynb"], "mine.ipynb: there is no such file"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    team: TeamProject, new: New, arguments: list[str], words: str
) -> None:
    before = files(team.root)
    result = new(*arguments)
    assert result.exit_code == 1
    assert words in result.output
    assert files(team.root) == before


def test_no_file_is_overwritten(team: TeamProject, new: New) -> None:
    test = team.root / "tests/shop_repeat/test_notebooks.py"
    test.parent.mkdir(parents=True)
    test.touch()
    before = files(team.root)
    assert "tests/shop_repeat/test_notebooks.py: exists already; nothing was written" in new("shop/repeat").output
    assert files(team.root) == before


def test_a_defs_file_that_would_hide_the_new_one_is_named(team: TeamProject, new: New) -> None:
    folder = team.root / team.package / "defs/store"
    folder.mkdir()
    (folder / "defs.yaml").write_text((team.root / team.package / "defs/shop/logs/defs.yaml").read_text())
    assert "defs/store/defs.yaml hides the folders below it" in new("store/order").output


def test_outside_of_a_project_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["new", "shop/order"])
    assert f"{tmp_path} is in no Dagster project" in result.output


def test_a_notebook_from_outside_is_copied_with_the_data_it_reads(team: TeamProject, new: New, drafts: Path) -> None:
    original = (drafts / "order.ipynb").read_bytes()
    result = new("store/order", "--from-notebook", drafts / "order.ipynb", *NEW_SERVICE)
    folder = team.root / "notebooks/store_order"
    assert {path.name for path in folder.iterdir()} >= {"model.ipynb", "model.py", "visits.csv"}
    assert (drafts / "order.ipynb").read_bytes() == original
    assert find_problems(Pair(folder / "model.py", folder / "model.ipynb")) == []
    assert '+context = context_of("store/order/model")' in result.output
    assert "+step.save_model(model)" in result.output
    assert not [line for line in result.output.splitlines() if line.startswith("-") and not line.startswith("---")]
    assert 'put in its place: visits = step.read("training_data")' in result.output
    assert "copied notebooks/store_order/visits.csv" in result.output


def test_the_copy_keeps_ids_and_loses_outputs(team: TeamProject, new: New, drafts: Path) -> None:
    notebook = nbformat.read(drafts / "order.ipynb", as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="hello")]
    notebook.metadata["kernelspec"]["name"] = "conda-env-mine"
    nbformat.write(notebook, drafts / "order.ipynb")
    result = new("store/order", "--from-notebook", drafts / "order.ipynb", *NEW_SERVICE)
    assert "its outputs were left out; the original keeps them" in result.output
    assert "its kernel was conda-env-mine" in result.output
    copied = nbformat.read(team.root / "notebooks/store_order/model.ipynb", as_version=4)
    assert {cell.id for cell in notebook.cells} < {cell.id for cell in copied.cells}
    assert not any(cell.get("outputs") for cell in copied.cells)
    assert copied.metadata["kernelspec"]["name"] == "python3"


@pytest.mark.parametrize("minor", range(5))
def test_a_notebook_of_an_older_format_is_brought_in(team: TeamProject, new: New, drafts: Path, minor: int) -> None:
    old = json.loads((drafts / "order.ipynb").read_text()) | {"nbformat_minor": minor}
    for cell in old["cells"]:
        del cell["id"]
    (drafts / "order.ipynb").write_text(json.dumps(old))
    result = new("store/order", "--from-notebook", drafts / "order.ipynb", *NEW_SERVICE)
    assert result.exit_code == 0, result.output
    written = json.loads((team.root / "notebooks/store_order/model.ipynb").read_text())
    nbformat.validate(written)
    assert all("id" in cell for cell in written["cells"])


def test_a_literal_that_its_py_would_tear_apart_is_not_brought_in(team: TeamProject, new: New, drafts: Path) -> None:
    notebook = nbformat.read(drafts / "order.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("text = 'a\u2028b'"))
    nbformat.write(notebook, drafts / "order.ipynb")
    before = files(team.root)
    result = new("store/order", "--from-notebook", drafts / "order.ipynb", *NEW_SERVICE)
    assert "cell 6 (`text = 'a\u2028b'`) holds U+2028, at which a string would be torn apart" in result.output
    jupytext.write(jupytext.read(drafts / "order.ipynb"), drafts / "order.py", fmt="py:percent")
    (drafts / "order.py").write_text((drafts / "order.py").read_text() + "\n# %%\ntext = 'a\fb'\n")
    result = new("store/order", "--from-notebook", drafts / "order.py", *NEW_SERVICE)
    assert "holds U+000C, at which a string would be torn apart; write its escape, \\x0c" in result.output
    assert files(team.root) == before


def test_large_data_is_left_where_it_is(
    team: TeamProject, new: New, drafts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_module, "_COPIED", 1000)
    result = new("store/order", "--from-notebook", drafts / "order.ipynb", *NEW_SERVICE)
    assert "not copied, being 0 MB" in result.output
    assert not (team.root / "notebooks/store_order/visits.csv").exists()


def test_a_notebook_of_the_project_is_adapted_where_it_is_under_its_own_name(
    team: TeamProject, new: New, drafts: Path
) -> None:
    folder = team.root / "notebooks/mine"
    folder.mkdir()
    jupytext.write(jupytext.read(drafts / "order.ipynb"), folder / "orders.py", fmt="py:percent")
    result = new("store/order", "--from-notebook", folder / "orders.py", *NEW_SERVICE)
    assert result.exit_code == 0, result.output
    assert "changed notebooks/mine/orders.py" in result.output
    assert find_problems(Pair(folder / "orders.py", folder / "orders.ipynb")) == []
    assert team.project.models["store/order"].notebooks.model == "notebooks/mine/orders.ipynb"


def test_halves_that_differ_are_brought_into_step_first(team: TeamProject, new: New, drafts: Path) -> None:
    folder = team.root / "notebooks/mine"
    folder.mkdir()
    (folder / "orders.ipynb").write_bytes((drafts / "order.ipynb").read_bytes())
    (folder / "orders.py").write_text("# %%\nmodel.fit(X, y)\n")
    result = new("store/order", "--from-notebook", folder / "orders.py", *NEW_SERVICE)
    assert "orders.py and orders.ipynb differ; bring them into step first" in result.output


def test_what_is_no_notebook_is_refused(team: TeamProject, new: New, drafts: Path) -> None:
    (drafts / "order.ipynb").write_text("no JSON")
    assert "is no notebook (version 4)" in new("store/order", "--from-notebook", drafts / "order.ipynb").output
    (drafts / "r.ipynb").write_text(json.dumps(_notebook_in("R")))
    assert "is in R; a step is a notebook in Python" in new("store/order", "--from-notebook", drafts / "r.ipynb").output


def _notebook_in(language: str) -> dict:
    kernel = {"name": "ir", "display_name": language, "language": language}
    return {"cells": [], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def test_the_examples_of_the_test_look_like_the_csv_and_hold_none_of_its_rows(
    team: TeamProject, new: New, drafts: Path
) -> None:
    (drafts / "visits.csv").write_text("visit_id,who,device,price,when,vip\n" + "".join(
        f"{n},person-{n}@example.com,{'phone' if n % 3 else 'desktop'},{n / 7},2026-03-01T00:00:{n:02}Z,{n % 2 == 0}\n"
        for n in range(40)
    ))  # fmt: skip
    new("store/order", "--from-notebook", drafts / "order.ipynb", *NEW_SERVICE)
    text = (team.root / "tests/store_order/test_notebooks.py").read_text()
    assert '"visit_id": np.arange(ROWS)' in text
    assert '"who": rng.choice(["a", "b", "c"], ROWS)' in text
    assert '"device": rng.choice(["desktop", "phone"], ROWS)' in text
    assert '"price": rng.uniform(0.0, 5.6, ROWS)' in text
    assert '"when": time' in text
    assert '"vip": rng.random(ROWS) < 0.5' in text
    assert "example.com" not in text


def passes(team: TeamProject, test: str) -> None:
    result = team.command("pytest", "-p", "no:cacheprovider", "-q", "-rs", test)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed" in result.stdout, result.stdout


@pytest.mark.slow
def test_a_new_model_is_accepted_and_passes_its_own_test_at_once(team: TeamProject, new: New) -> None:
    new("shop/repeat")
    checked = team.command("dagster", "definitions", "validate", *team.location)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    passes(team, "tests/shop_repeat/test_notebooks.py")


HOURLY = [("lookahead: 3d", "lookahead: 3h"), ("every: day", "every: hour"), ("window: 3d", "window: 6h")]
HOURLY += [("attribution: 2d", "attribution: 2h"), ("window: 1d, horizons: [2d]", "window: 1h, horizons: [2h]")]
WEEKLY = [("lookahead: 3d", "lookahead: 2w"), ("every: day", "every: week"), ('end: "2026-03-15"', 'end: "2026-12-27"')]
WEEKLY += [("window: 3d", "window: 2w"), ("attribution: 2d", "attribution: 1w")]
WEEKLY += [("window: 1d, horizons: [2d]", "window: 1w, horizons: [1w]")]


@pytest.mark.parametrize(
    ("changes", "windows"), [(HOURLY, ("1d", "1h", ["1h"])), (WEEKLY, ("4w", "1w", ["1w"]))], ids=["hourly", "weekly"]
)
def test_a_second_model_has_windows_of_its_logs_partitions(
    changes: list[tuple[str, str]], windows: tuple[str, str, list[str]], team: TeamProject, new: New
) -> None:
    for name in ("logs", "order"):
        path = team.root / team.package / "defs/shop" / name / "defs.yaml"
        text = path.read_text()
        for old, right in changes:
            text = text.replace(old, right)
        path.write_text(text)
    result = new("shop/repeat")
    assert result.exit_code == 0, result.output
    model = team.project.models["shop/repeat"]
    horizons = [str(horizon) for horizon in model.evaluation.horizons]
    assert (str(model.training.window), str(model.evaluation.window), horizons) == windows


@pytest.mark.parametrize(
    ("every", "folder", "horizons"),
    [("hour", "hour=2026-01-01-00:00+0000/", ["1h", "1d"]), ("week", "date=2026-01-01/", ["1w", "2w"])],
)
def test_new_logs_may_be_hourly_or_weekly(
    every: str, folder: str, horizons: list[str], team: TeamProject, new: New
) -> None:
    assert new("store/order", *NEW_SERVICE, "--every", every, "--start", "2026-01-01").exit_code == 0
    path = team.root / team.package / "defs/store/logs/defs.yaml"
    assert [log["partitions"]["every"] for log in declared(path)] == [every, every]
    assert folder in path.read_text()
    model = team.project.models["store/order"]
    assert [str(horizon) for horizon in model.evaluation.horizons] == horizons


def test_a_model_is_as_coarse_as_its_outcomes(team: TeamProject, new: New) -> None:
    logs = team.root / team.package / "defs/shop/logs/defs.yaml"
    visits, orders = logs.read_text().split("---\n")
    logs.write_text("---\n".join([visits.replace("every: day", "every: hour"), orders]))
    (logs.parents[1] / "order/defs.yaml").unlink()
    assert new("shop/repeat", "--exposures", "shop/visits", "--outcomes", "shop/orders").exit_code == 0
    (written,) = declared(team.root / team.package / "defs/shop/repeat/defs.yaml")
    assert written["partitions"] == {"every": "day", "start": "2026-03-01"}
    assert team.project.models["shop/repeat"].partitions.every == "day"


MESSY = """\
# %%
import pandas as pd, sys
visits=pd.read_csv( "visits.csv" )
print(visits.shape); visits.head()
display(visits)

# %%
from sklearn.linear_model import LogisticRegression
l = LogisticRegression().fit(visits[['price']], visits['ordered'] == True)
try:
    print(f"trained")
except:
    pass
"""


def test_what_is_written_passes_the_linter_with_a_notebook_as_people_write_it(
    team: TeamProject, new: New, drafts: Path
) -> None:
    (drafts / "messy.py").write_text(MESSY)
    result = new("store/order", "--from-notebook", drafts / "messy.py", *NEW_SERVICE)
    assert result.exit_code == 0, result.output
    shutil.copy(REPOSITORY / "pyproject.toml", team.root / "pyproject.toml")
    # By its files ruff knows whose imports go last.
    (team.root / "ml_assets").symlink_to(REPOSITORY / "ml_assets")
    code, words = lint(team.root, "check")
    assert code == 0, words
    assert lint(team.root, "format", "--check")[0] == 0
    notebook = team.root / "notebooks/store_order/model.py"
    notebook.write_text(notebook.read_text() + "\nprint(nowhere_set)\n")
    code, words = lint(team.root, "check")
    assert code == 1
    assert "F821 Undefined name `nowhere_set`" in words


def lint(root: Path, *arguments: str) -> tuple[int, str]:
    """What ruff says of the notebooks and the tests of a project."""
    program = Path(sys.executable).with_name("ruff")
    done = subprocess.run(
        [program, *arguments, "--no-cache", "notebooks", "tests"], cwd=root, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout
