"""Each release leaves a home for those after it."""

import re
import tarfile

import pytest

from ml_assets.written_by import current_version
from tests.upgrades.homes import archive_of, released
from tests.upgrades.make_home import HOMES

#: Where a release is made, and installed for that.
NEUTRAL = b"/srv/ml_assets/code/.venv/bin/python"
#: What begins with one of these is of the machine that made it.
OF_A_MACHINE = re.compile(rb"(?<![\w./-])/(?:home|root|tmp|Users|mnt|private)/[^\s\"']*")


def contents(version: str) -> dict[str, bytes]:
    with tarfile.open(archive_of(version)) as archive:
        files = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        return {name: file.read() for name, file in files.items() if file is not None}


def test_the_present_version_and_all_that_are_released_have_a_home_and_no_other() -> None:
    lacking = [version for version in {*released(), current_version()} if not archive_of(version).exists()]
    assert not lacking, f"run python -m tests.upgrades.make_home {' and '.join(lacking)}"
    assert {path.name for path in HOMES.iterdir()} == {archive_of(version).name for version in released()}


@pytest.mark.parametrize("version", released())
def test_a_packed_home_names_no_place_of_the_machine_that_made_it(version: str) -> None:
    files = contents(version)
    runs = files["home/history/runs.db"]
    assert NEUTRAL in runs
    assert b"ml-assets " in runs
    assert {name: found for name, text in files.items() if (found := OF_A_MACHINE.findall(text))} == {}


def test_the_packed_homes_are_small() -> None:
    assert sum(path.stat().st_size for path in HOMES.iterdir()) / len(released()) < 200_000
