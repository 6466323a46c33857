"""`dagster dev` with our webserver: `python -m ml_assets.processes.dev`."""

import sys
import warnings
from collections.abc import Sequence
from subprocess import Popen
from typing import Any

from dagster import SupersessionWarning

from ml_assets.dagster_names import dev_cli as dev
from ml_assets.dagster_names import open_ipc_subprocess
from ml_assets.interrupts import heed_interrupts


def _start_ours(parts: Sequence[str], **kwargs: Any) -> "Popen[Any]":
    """Start a process of Dagster's; ours in place of its webserver, which it names by its module."""
    ours = ["ml_assets.processes.webserver" if part == "dagster_webserver" else part for part in parts]
    return open_ipc_subprocess(ours, **kwargs)


if __name__ == "__main__":
    heed_interrupts()
    # It is `dg dev` that Dagster would have instead, which takes no webserver of ours.
    warnings.filterwarnings("ignore", category=SupersessionWarning)
    dev.open_ipc_subprocess = _start_ours  # type: ignore[attr-defined]
    dev.dev_command.main(sys.argv[1:], prog_name="dagster dev")
