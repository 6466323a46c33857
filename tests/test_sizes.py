"""No file is longer than a person reads at once, and no room holds more modules than fit a screen: see `make sizes`."""

import pytest

from tests.support.sizes import LARGER, LINES, MODULES, lines_of, modules_of


@pytest.mark.parametrize("top", ["ml_assets", "tests", "docs_site"])
def test_no_file_is_too_long(top: str) -> None:
    long = {file.as_posix(): lines for room in lines_of(top).values() for file, lines in room.items() if lines > LINES}
    assert long == {}, f"at most {LINES} lines: split it by its subjects"


def test_no_room_holds_too_many_modules() -> None:
    sizes = {folder.as_posix(): len(modules_of(room)) for folder, room in lines_of("ml_assets").items()}
    large = {folder for folder, modules in sizes.items() if modules > MODULES}
    assert large == set(LARGER), f"at most {MODULES} modules: give it rooms of its own, named after what is in them"
