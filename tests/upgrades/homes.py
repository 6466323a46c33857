"""The packed homes of releases, and a project that goes on with one."""

import re
import shutil
import tarfile
from pathlib import Path

from packaging.version import Version

from ml_assets.written_by import current_version
from tests.support.projects import REPOSITORY, TeamProject
from tests.upgrades.make_home import HOMES, PACKAGE

CHANGELOG = REPOSITORY / "CHANGELOG.md"


def released() -> list[str]:
    """The versions with a date in the changelog, oldest first."""
    text = CHANGELOG.read_text(encoding="utf-8")
    return sorted(re.findall(r"^## \[?(\d+\.\d+\.\d+)\]? - \d{4}-\d\d-\d\d$", text, flags=re.MULTILINE), key=Version)


def earlier() -> list[str]:
    """The releases before this one."""
    return [version for version in released() if Version(version) < Version(current_version())]


def archive_of(version: str) -> Path:
    """The packed home that a release has made."""
    return HOMES / f"{version}.tar.xz"


def unpack(version: str, root: Path, *, on: str = "sqlite", keeps_notebooks: bool = True) -> TeamProject:
    """The project whose home a release has made, in a folder of another name.

    Args: `on`: what tells its package from those of others in this process; `keeps_notebooks`: as a project with
    notebooks of its own does; else they are this release's, as in a clone of the repository.
    """
    packed = root.parent / f"packed-{version}"
    with tarfile.open(archive_of(version)) as archive:
        archive.extractall(packed, filter="data")
    defs = packed / PACKAGE / "defs"
    texts = {path.parent.relative_to(defs).as_posix(): path.read_text("utf-8") for path in defs.rglob("defs.yaml")}
    team = TeamProject.make(root, f"{PACKAGE}_{version.replace('.', '_')}_{on}", texts)
    for part in ("home", "notebooks") if keeps_notebooks else ("home",):
        shutil.rmtree(root / part)
        shutil.move(packed / part, root / part)
    return team
