"""Files that are written as a whole, or not at all."""

import tempfile
from pathlib import Path

import pytest

from ml_assets.whole_files import replacing, write_whole
from tests.project.faulty import as_nobody


def test_what_breaks_off_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("before")

    def break_off() -> None:
        with replacing(path) as unfinished:
            unfinished.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_keeps_its_rights_and_a_link_leads_to_it_still(tmp_path: Path) -> None:
    path, link = tmp_path / "page.html", tmp_path / "link.html"
    path.write_text("before")
    path.chmod(0o640)
    link.symlink_to(path.name)
    write_whole(link, "a\r\nb\n")
    assert path.read_bytes() == b"a\r\nb\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert sorted(tmp_path.iterdir()) == [link, path]


def test_what_is_no_file_is_written_itself() -> None:
    write_whole(Path("/dev/null"), "nothing")
    assert Path("/dev/null").is_char_device()


def test_a_file_in_a_folder_that_takes_no_other_is_written_itself() -> None:
    # Not below pytest's folders, which other users cannot enter.
    with tempfile.TemporaryDirectory(prefix="ml_assets-whole-", dir="/tmp") as folder:
        page = Path(folder) / "page.html"
        page.write_text("before")
        page.chmod(0o666)
        Path(folder).chmod(0o555)
        with as_nobody():
            write_whole(page, "after")
        assert page.read_text() == "after"
        Path(folder).chmod(0o755)


def test_where_nothing_can_be_written_is_known_before(tmp_path: Path) -> None:
    (tmp_path / "a_file").touch()
    with pytest.raises(NotADirectoryError), replacing(tmp_path / "a_file" / "page.html"):
        pytest.fail("nothing is done")
