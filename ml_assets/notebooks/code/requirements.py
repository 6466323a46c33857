"""Whether the packages that a model's notebooks need beyond the project's own are installed."""

import shlex
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import InvalidRequirement, Requirement

from ml_assets.domain.errors import SpecError


def check_requirements(requirements: Iterable[str], *, key: str = "requirements") -> None:
    """Hold requirements, such as `xgboost>=2`, against what is installed in this environment.

    Raises: SpecError for text that is no requirement, and for all that is missing or of another version, with the
    command that installs it.
    """
    lacking, found = [], []
    for text in requirements:
        requirement = _parse(text, key)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        installed = _installed(requirement)
        if installed is None or not requirement.specifier.contains(installed, prereleases=True):
            lacking.append(text)
            found.append(f"{requirement.name} {installed}" if installed else f"no {requirement.name}")
    if lacking:
        command = shlex.join([sys.executable, "-m", "pip", "install", *lacking])
        raise SpecError(key, lacking, f"packages that are installed; here is {', '.join(found)}. Run: {command}")


def _parse(text: str, key: str) -> Requirement:
    try:
        return Requirement(text)
    except (InvalidRequirement, TypeError) as error:
        raise SpecError(key, text, f"a requirement as pip takes it, such as xgboost>=2; {error}") from None


def _installed(requirement: Requirement) -> str | None:
    try:
        return version(requirement.name)
    except PackageNotFoundError:
        return None
