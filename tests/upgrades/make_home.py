"""Makes a small home by a release, for the tests that go on with it: `python -m tests.upgrades.make_home VERSION [COMMIT]`.

The commit (by default the tag `v<VERSION>`) is cloned and set up in a folder of a neutral name, as Dagster records
where code and home lie, and on a host of a neutral name, which it records, too (Linux; `unshare` of util-linux). The
home holds a seeded shop, whose declarations and notebooks are packed with it. What is packed names nothing of this machine.
"""

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

from tests.support import shop
from tests.support.projects import REPOSITORY, TeamProject

HOMES = Path(__file__).parent / "homes"
PACKAGE = "upgraded_shop"
#: Days of March of which events are packed; of the one after, the tests let them arrive.
FIRST_DAY, LAST_DAY = 1, 8
_HOST = "ml-assets"
#: A fingerprint of events holds when they were written; an archive, whole seconds.
_WRITTEN = 1_773_000_000


def make_home(version: str, commit: str, folder: Path) -> Path:
    """Make the home and pack it. Args: `folder`: where all is made; must not exist. Returns: the archive."""
    code, root = folder / "code", folder / "project"
    folder.mkdir(parents=True)
    for command in (
        ["git", "clone", "--quiet", str(REPOSITORY), str(code)],
        ["git", "-C", str(code), "switch", "--quiet", "--detach", commit],
        ["make", "-C", str(code), "setup"],
    ):
        subprocess.run(command, check=True, stdout=sys.stderr)
    ml_assets = str(code / ".venv" / "bin" / "ml-assets")
    team = TeamProject(root, PACKAGE)
    root.mkdir()
    # A project has notebooks of its own, which it keeps when ml_assets is upgraded.
    (root / "notebooks").mkdir()
    shutil.copytree(code / "notebooks" / "standard", root / "notebooks" / "standard")
    write_project(root)
    # By the release, and not by this checkout.
    at_home = ["--home", str(team.home)]
    _run_neutrally([ml_assets, "home", *at_home], root)
    for log in ("visits", "orders"):
        shop.arrive(team, log, FIRST_DAY, LAST_DAY)
    for path in (team.home / "events").rglob("*"):
        os.utime(path, (_WRITTEN, _WRITTEN))
    _run_neutrally([ml_assets, "backfill", "all", "--parallel", "1", *at_home], root)
    for path in (team.home / "notebooks").rglob("*.ipynb"):
        path.write_text(_without_pictures(path.read_text(encoding="utf-8")), encoding="utf-8")
    for path in team.home.rglob("*.db"):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("pragma wal_checkpoint(truncate)")
            connection.execute("vacuum")
    HOMES.mkdir(exist_ok=True)
    archive = HOMES / f"{version}.tar.xz"
    with tarfile.open(archive, "w:xz") as packed:
        for part in ("pyproject.toml", PACKAGE, "notebooks", "home"):
            packed.add(root / part, part, filter=_neutral)
    shutil.rmtree(folder)
    return archive


def write_project(root: Path) -> None:
    """Write the shop's project, without notebooks."""
    (root / "pyproject.toml").write_text(
        f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{PACKAGE}"\n', encoding="utf-8"
    )
    texts = {f"defs/{folder}/defs.yaml": text for folder, text in shop.DEFS.items()}
    for name, text in {**texts, "__init__.py": "", "definitions.py": _DEFINITIONS}.items():
        path = root / PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


_DEFINITIONS = """\
from pathlib import Path

import dagster as dg

from ml_assets.definitions import build_definitions


@dg.definitions
def defs():
    return build_definitions(dg.ComponentTree.for_project(Path(__file__).parents[1]))
"""


def _without_pictures(notebook: str) -> str:
    """An executed notebook without what is three quarters of all, and read by nothing."""
    content = json.loads(notebook)
    for cell in content["cells"]:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop("image/png", None)
    return json.dumps(content, indent=1)


def _neutral(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if {"__pycache__"} & set(Path(entry.name).parts):
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _run_neutrally(command: list[str], folder: Path) -> None:
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "PYTHONPATH": str(folder)}
    on_host = ["unshare", "--map-root-user", "--uts", "sh", "-c", f'hostname {_HOST} && exec "$@"', "sh"]
    subprocess.run([*on_host, *command], cwd=folder, env=variables, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("version", help="such as 0.2.0")
    arguments.add_argument("commit", nargs="?", help="[default: the tag v<version>]")
    arguments.add_argument("--folder", type=Path, default=Path("/srv/ml_assets"), help="[default: %(default)s]")
    asked = arguments.parse_args()
    print(make_home(asked.version, asked.commit or f"v{asked.version}", asked.folder))  # noqa: T201
