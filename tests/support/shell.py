"""The commands of `docs/production.md`, run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.postgres import DagsterPostgres
from tests.support.projects import REPOSITORY, TeamProject


def shell(heading: str, team: TeamProject, server: DagsterPostgres, backup: Path) -> str:
    """What the commands print that the page shows below a heading."""
    page = (REPOSITORY / "docs" / "production.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (commands,) = re.findall(r"^ *```bash\n(.*?)^ *```", section, flags=re.MULTILINE | re.DOTALL)
    path = os.pathsep.join([f"{sys.prefix}/bin", str(server.server.binaries), os.environ["PATH"]])
    environment = {**team.environment, "PATH": path, "BACKUP": str(backup)}
    done = subprocess.run(
        ["bash", "-eu", "-c", commands], cwd=team.root, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
