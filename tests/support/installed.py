"""This package as a wheel in an environment of its own, in which no checkout is found."""

import os
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.support.projects import REPOSITORY

#: Those whose programs are called by name are installed; the others are found where the tests have them.
_WITH_PROGRAMS = ("dagster", "dagster_webserver", "dagster_dg_cli", "pytest", "ml_assets")


@dataclass(frozen=True)
class Installed:
    """An environment in `folder`, with the wheel in it."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a shell in which it is active."""
        kept = {name: value for name, value in os.environ.items() if name not in ("DAGSTER_HOME", "PYTHONPATH", "PATH")}
        path = os.pathsep.join([str(self.folder / "bin"), os.environ["PATH"]])
        return {**kept, "PATH": path, "VIRTUAL_ENV": str(self.folder)}

    def install(self, *packages: str) -> None:
        """Install packages, such as a folder, without what they depend on."""
        _uv("pip", "install", "--no-deps", "--no-build-isolation", "--python", str(self.python), *packages)


def install_wheel(folder: Path) -> Installed:
    """Build the wheel of the checkout, and install it into a new environment.

    What it depends on is what the tests have, but for the checkout itself and what is installed in place.
    """
    with tempfile.TemporaryDirectory() as made:
        _uv("build", "--wheel", "--no-build-isolation", "--out-dir", made, str(REPOSITORY))
        _uv("venv", "--python", sys.executable, str(folder))
        found = Installed(folder)
        links = folder / "dependencies"
        links.mkdir()
        for path in Path(sysconfig.get_paths()["purelib"]).iterdir():
            if path.name.lstrip("_").partition("-")[0] not in _WITH_PROGRAMS and path.suffix != ".pth":
                (links / path.name).symlink_to(path)
        (packages,) = (folder / "lib").glob("python3.*/site-packages")
        (packages / "dependencies.pth").write_text(f"{links}\n", encoding="utf-8")
        (wheel,) = Path(made).glob("*.whl")
        names = [name.replace("_", "-") for name in _WITH_PROGRAMS[:-1]]
        versions = [f"{name}=={version(name)}" for name in names]
        found.install(str(wheel), *versions)
    return found


def _uv(*arguments: str) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("uv")), "--quiet", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"uv {' '.join(arguments)}\n{done.stderr}"
