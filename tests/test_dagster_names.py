"""What is used of Dagster's undocumented names stands in one module: an upgrade that moves one breaks here, by its name."""

import ast
import subprocess
import sys
from pathlib import Path

import dagstermill
import pytest

import ml_assets
from ml_assets import dagster_names

PACKAGE = Path(ml_assets.__file__).parent
#: Where private names of others are used, and why they stand together.
THEIRS = {
    "dagster": "dagster_names.py",
    "papermill": "notebooks/running/client.py",
    "dagstermill": "notebooks/kernels/context.py",
}
#: Documented beside the top level.
DOCUMENTED = {"dagster", "dagster_k8s", "dagster_pyspark", "dagster_spark"}


def imports() -> list[tuple[str, str]]:
    """The modules of Dagster that are imported, by file."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [(path.relative_to(PACKAGE).as_posix(), name) for name in names]
    return [(file, name) for file, name in found if name.partition(".")[0].startswith(("dagster", "papermill"))]


def test_undocumented_modules_are_imported_in_one_place_each() -> None:
    elsewhere = {
        (file, name)
        for file, name in imports()
        if name not in DOCUMENTED and file not in (*THEIRS.values(), "notebooks/preloaded.py")
    }
    assert elsewhere == set()


@pytest.mark.parametrize("name", sorted(dagster_names.WHERE))
def test_this_version_of_dagster_has(name: str) -> None:
    assert getattr(dagster_names, name) is not None


@pytest.mark.parametrize("name", ["_teardown", "_reconstitute_job_context"])
def test_this_version_of_dagstermill_has(name: str) -> None:
    assert callable(getattr(dagstermill, name))
    assert f"dagstermill.{name}" in (PACKAGE / THEIRS["dagstermill"]).read_text(encoding="utf-8")


def test_a_name_that_is_gone_is_told_with_the_place_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dagster_names.WHERE, "Gone", "dagster._core.events")
    with pytest.raises(ImportError, match=r"this version of Dagster has no dagster\._core\.events\.Gone"):
        _ = dagster_names.Gone  # type: ignore[attr-defined]


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((PACKAGE / THEIRS["dagster"]).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.asname: f"{node.module}{'' if alias.name == alias.asname else f':{alias.name}'}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == dagster_names.WHERE


def test_what_is_asked_for_alone_is_loaded() -> None:
    code = (
        "import sys\nfrom ml_assets.dagster_names import DATA_VERSION_TAG\n"
        "print('dagster_webserver' in sys.modules, 'sqlalchemy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
