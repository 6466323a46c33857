"""What `make lab` opens: a real JupyterLab saves both halves of a notebook."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import jupytext
import pytest

from ml_assets.authoring.pairs import Pair, bring_into_step, find_problems
from tests.support.lab import lab
from tests.support.projects import REPOSITORY

pytestmark = pytest.mark.slow


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_saving_in_lab_writes_both_halves_and_pair_takes_out_what_lab_stored(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "notebooks/standard").mkdir(parents=True)
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    pair = Pair(root / "notebooks/standard/model.py", root / "notebooks/standard/model.ipynb")
    for half in pair:
        shutil.copy(REPOSITORY / half.relative_to(root), half)
    ids = [cell["id"] for cell in json.loads(pair.ipynb.read_text())["cells"]]
    [place, *_] = [n for n, cell in enumerate(jupytext.read(pair.py).cells) if cell.cell_type == "code"]

    with lab(root, tmp_path / "state") as server:
        kernel = server.call("POST", "kernels", {"name": "python3"})["id"]
        output = server.execute(kernel, "import os, sys; print(sys.prefix, os.getpid())")
        prefix, process = output["text"].split()
        assert Path(prefix) == Path(sys.prefix)

        path = "contents/notebooks/standard/model.ipynb"
        content = server.call("GET", path)["content"]
        cell = content["cells"][place]
        cell["source"] += "\nsaved_in_lab = True"
        cell["execution_count"] = 1
        cell["outputs"] = [{"output_type": "stream", **output}]
        content["metadata"]["language_info"] = {"name": "python", "version": "3.11"}
        server.call("PUT", path, {"type": "notebook", "format": "json", "content": content})

    assert not is_running(int(process))
    assert re.search("^saved_in_lab = True$", pair.py.read_text(), re.MULTILINE)
    problems = find_problems(pair)
    assert [problem.rpartition(") ")[2] for problem in problems if f"cell {place + 1} " in problem] == [
        "holds outputs",
        "holds an execution count, 1",
    ]
    assert bring_into_step(pair) == [f"cleaned {pair.ipynb}"]
    assert find_problems(pair) == []
    written = json.loads(pair.ipynb.read_text())
    assert written["metadata"].keys() == {"kernelspec"}
    assert [cell["id"] for cell in written["cells"]] == ids
    assert "saved_in_lab = True" in pair.ipynb.read_text()
