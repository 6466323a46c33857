"""The same notebooks under Dagster, in a test and in JupyterLab: each gets one verdict, and no other."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import pytest
from click.testing import CliRunner
from dagster._core.definitions.reconstruct import ReconstructableRepository

from ml_assets.cli.main import main
from ml_assets.domain.errors import SpecError
from ml_assets.notebooks.code import notebook_version
from tests.support import forks
from tests.support.projects import REPOSITORY
from tests.support.verdicts import REFUSED, ROWS, SAVED, in_a_test, order


def assert_same(found: dict[str, str]) -> None:
    wrong = {name: said for name, said in found.items() if ROWS[name].verdict not in said}
    assert wrong == {}
    assert found.keys() == ROWS.keys()


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_never_be_run_is_refused_where_it_is_declared(name: str, tmp_path: Path) -> None:
    notebook = REFUSED[name].write(tmp_path / "notebooks", "context = None")
    with pytest.raises(SpecError) as raised:
        notebook_version(notebook, {}, root=tmp_path)
    assert REFUSED[name].verdict in str(raised.value)
    assert str(notebook) in str(raised.value)


@pytest.mark.parametrize("name", ROWS)
def test_what_can_be_run_is_not_refused(name: str, tmp_path: Path) -> None:
    notebook_version(ROWS[name].write(tmp_path / "notebooks", "context = None"), {}, root=tmp_path)


def test_the_check_of_pairs_warns_of_what_fails_wherever_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, row in ROWS.items():
        row.write(tmp_path / name, "context = None")
    paired = CliRunner().invoke(main, ["pair", "."])
    assert paired.exit_code == 0, paired.output
    for name, row in REFUSED.items():
        row.write(tmp_path / name, "context = None")
    checked = CliRunner().invoke(main, ["pair", "--check", "."]).output.splitlines()
    warned = [line.partition("/model.ipynb: cannot be run: ") for line in checked if ": cannot be run: " in line]
    expected = {name: row.warned for name, row in ROWS.items() if row.warned}
    expected |= {name: row.verdict for name, row in REFUSED.items()}
    assert {name for name, _, _ in warned} == expected.keys()
    assert [line for line in warned if expected[line[0]] not in line[2]] == []
    # Those that can be run are in step.
    assert [line for line in checked if line.split("/")[0] in ROWS.keys() - expected.keys()] == []


@pytest.mark.slow
def test_a_test_says_what_became_of_each(tmp_path: Path) -> None:
    found = {}
    for name, row in ROWS.items():
        file = order(tmp_path / name / "order")
        found[name] = in_a_test(row.write(tmp_path / name / "notebook", "context = None"), file, forks.address())
    assert_same(found)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@pytest.mark.slow
def test_dagster_says_the_same(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    for name, row in ROWS.items():
        row.write(tmp_path / name, "context = None")
    repository = ReconstructableRepository.for_module("tests.support.verdicts", "defs", str(REPOSITORY))
    with patch.dict(os.environ, VERDICTS=str(tmp_path), KERNELS=str(forks.address() or "")):
        result = dg.execute_job(repository.get_reconstructable_job("__ASSET_JOB"), instance)
    assert result.success
    assert_same(json.loads((tmp_path / "verdicts.json").read_text()))
    assert SAVED in {row.verdict for row in ROWS.values()}
