"""A second user of this machine, as whom a test runs a program."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Nobody's.
ID = 65534
#: Reads what the first user may, so as to find Python and this project; it writes as the other.
_COMMAND = [
    *("setpriv", "--reuid", str(ID), "--regid", str(ID), "--clear-groups", "--bounding-set=-all,+dac_read_search"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
]
WHY_NOT = "only root with setpriv may run a program as another user"


def _can() -> bool:
    return bool(shutil.which("setpriv")) and not subprocess.run([*_COMMAND, "true"], capture_output=True).returncode


#: Runs the rest of a command as the other user; empty where it cannot.
OTHER = _COMMAND if _can() else []


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A new folder that both may write to, as /tmp is."""
    folder = Path(tempfile.mkdtemp(prefix="shared-", dir="/tmp"))
    folder.chmod(0o1777)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
