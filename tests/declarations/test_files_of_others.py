"""What other components declare beside ours is left to Dagster, which reads more than we accept of our own."""

import sys
from pathlib import Path

import dagster as dg
import pytest

from ml_assets.declarations.files import refuse_wrong_files
from ml_assets.declarations.reading import DefsFileError
from tests.declarations.texts import LOGS, MODEL, make

#: Values that are not clear, and would be refused in a declaration of ours.
OTHERS = """\
type: dagster.TemplatedSqlComponent
attributes:
  sql_template: yes
  asset_specs: [{key: 010, automation_condition: !fancy x}]
"""
FOLDER = "type: dagster.DefsFolderComponent\n"


def look(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(root), *sys.path])
    refuse_wrong_files(dg.ComponentTree.for_project(root))


def test_what_other_components_declare_is_not_held_to_our_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: dict[str, str | bytes] = {"ads/logs/defs.yaml": LOGS, "ads/cvr/defs.yaml": MODEL, "sql/defs.yaml": OTHERS}
    make(tmp_path, "others_beside", files)
    look(tmp_path, monkeypatch)


def test_a_component_that_the_file_itself_brings_is_another_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = OTHERS.replace("dagster.Templated", ".Own")
    make(tmp_path, "others_local", {"ads/logs/defs.yaml": LOGS, "own/defs.yaml": text})
    look(tmp_path, monkeypatch)


def test_a_file_that_says_how_a_folder_is_loaded_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "others_folder", {"ads/defs.yaml": FOLDER, "ads/logs/defs.yaml": LOGS})
    look(tmp_path, monkeypatch)


def test_what_others_hide_of_theirs_is_their_matter_and_what_they_hide_of_ours_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defs = make(tmp_path, "others_hiding", {"sql/defs.yaml": OTHERS, "sql/more/defs.yaml": OTHERS})
    look(tmp_path, monkeypatch)
    (defs / "sql/logs").mkdir()
    (defs / "sql/logs/defs.yaml").write_text(LOGS)
    with pytest.raises(DefsFileError, match="another folder, for it hides"):
        look(tmp_path, monkeypatch)


def test_one_document_of_ours_holds_the_whole_file_to_our_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "others_and_ours", {"ads/logs/defs.yaml": f"{LOGS}---\n{OTHERS}"})
    with pytest.raises(DefsFileError, match="line"):
        look(tmp_path, monkeypatch)
