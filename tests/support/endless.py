"""A test that never ends, with what tests start: for a run of the tests that is ended. No run finds it by itself."""

import os
import subprocess
from pathlib import Path

from click.testing import CliRunner

from ml_assets.cli.main import main
from tests.support import forks


def test_that_never_ends(tmp_path: Path) -> None:
    # Commands set signals, too.
    assert CliRunner().invoke(main, ["home", "--home", str(tmp_path / "home")]).exit_code == 0
    forked = forks.start(["timeit", "-n", "1", "import time; time.sleep(600)"], cwd=tmp_path)
    # As daemons are started.
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    Path(os.environ["ENDLESS"]).touch()
    forked.wait(600)
