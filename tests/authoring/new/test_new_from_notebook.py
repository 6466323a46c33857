"""A model is added from a notebook: what is copied, kept, left out and refused."""

import json
from pathlib import Path

import jupytext
import nbformat
import pytest

from ml_assets.authoring import new as new_module
from ml_assets.authoring.pairs import Pair, find_problems
from tests.authoring.new.added import NEW_SERVICE, New, files
from tests.support.projects import TeamProject


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
