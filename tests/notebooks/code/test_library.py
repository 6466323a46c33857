"""What a notebook takes from this package counts in its code version: an upgrade that changes it is seen."""

import shutil
from pathlib import Path

import pytest
import yaml

import ml_assets
from ml_assets.domain.errors import SpecError
from ml_assets.notebooks.code import library
from ml_assets.notebooks.code.library import library_versions

STEP = "ml_assets.notebooks.step"
EVALUATE, GBDT, SUMMARY = "ml_assets.metrics.evaluate", "ml_assets.models.gbdt", "ml_assets.notebooks.summary"
NAMES = (EVALUATE, f"{EVALUATE}.evaluate", "ml_assets", "ml_assets.metrics", GBDT, SUMMARY, "pandas")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this package, as another version of it would be installed."""
    folder = tmp_path / "ml_assets"
    shutil.copytree(Path(ml_assets.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__", "defs"))
    monkeypatch.setattr(library, "_FOLDER", folder)
    monkeypatch.setattr(library, "_HARMLESS", folder / "harmless.yaml")
    return folder


def changed(package: Path, path: str, text: str) -> set[str]:
    """Which versions differ once a text is added to a module."""
    before = library_versions(NAMES)
    with (package / path).open("a", encoding="utf-8") as file:
        file.write(text)
    after = library_versions(NAMES)
    assert after.keys() == before.keys()
    return {name for name in after if after[name] != before[name]}


def test_modules_that_are_imported_by_name_count_and_the_step_always_does(package: Path) -> None:
    assert package.is_dir()
    assert set(library_versions(NAMES)) == {EVALUATE, GBDT, SUMMARY, STEP}
    assert set(library_versions(())) == {STEP}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("metrics/log_loss.py", {EVALUATE}),
        ("models/gbdt.py", {GBDT, STEP}),
        ("data/labels.py", {STEP}),
        ("notebooks/summary.py", {SUMMARY}),
        ("domain/declared/spec.py", {SUMMARY, STEP}),
        # What launches, records and shows makes no result.
        ("orchestration/running/runner.py", set()),
        ("notebooks/running/client.py", set()),
        ("components/evaluated_model.py", set()),
        ("cli/main.py", set()),
        ("__init__.py", set()),
    ],
)
def test_a_change_counts_for_what_imports_it_also_by_way_of_others(path: str, names: set[str], package: Path) -> None:
    assert changed(package, path, "\nADDED = 1\n") == names


def test_a_comment_does_not_count(package: Path) -> None:
    assert changed(package, "data/labels.py", "\n# more words\n") == set()


def test_a_change_that_a_release_declares_harmless_is_none(package: Path) -> None:
    before = library_versions(NAMES)
    assert changed(package, "data/labels.py", "\nADDED = 1\n") == {STEP}
    entry = {"asset": STEP, "from": before[STEP], "to": library_versions(())[STEP], "reason": "a name more"}
    (package / "harmless.yaml").write_text(yaml.safe_dump([entry]), encoding="utf-8")
    assert library_versions(NAMES) == before


def test_a_record_of_the_package_that_cannot_be_read_is_named(package: Path) -> None:
    (package / "harmless.yaml").write_text("- {asset: x, from: 1}\n", encoding="utf-8")
    with pytest.raises(SpecError, match=f"{package}/harmless.yaml: entry 1"):
        library_versions(())
