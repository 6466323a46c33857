"""Asks git about the checkout that a folder is in."""

import subprocess
from pathlib import Path

from ml_assets import variables


def git(folder: Path, *arguments: str) -> str | None:
    """What git answers; None where it fails, as outside of a checkout, or is not installed."""
    # A hook is told of its repository by variables that hold for the root only.
    environment = {name: value for name, value in variables.inherited().items() if not name.startswith("GIT_")}
    # The checkout may be another user's, such as root's under a service; whoever asks runs its code anyhow.
    # A lock on the index would be in the way of a person's own commands.
    command = ["git", "--no-optional-locks", "-c", "safe.directory=*", "-C", str(folder), *arguments]
    try:
        result = subprocess.run(command, capture_output=True, check=False, encoding="utf-8", env=environment)
    except FileNotFoundError:
        return None
    return result.stdout if result.returncode == 0 else None
