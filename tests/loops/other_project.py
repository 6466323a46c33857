"""A Dagster project that is not the checkout of this package, beside an environment that has its wheel."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.installed import Installed

#: What a project has of its own, under names that ours have, too.
OWN = """
import dagster as dg


@dg.asset
def events() -> None:
    pass


@dg.asset(deps=[events])
def spark() -> None:
    pass


@dg.definitions
def defs() -> dg.Definitions:
    own = dg.ResourceDefinition.hardcoded_resource(1)
    return dg.Definitions(executor=dg.multiprocess_executor, resources={"own": own})
"""


TAKEN = OWN.replace('"own"', '"events"').replace("executor=dg.multiprocess_executor, ", "")


_ASKING = """
import json, warnings
from click.testing import CliRunner
from {module} import {name}
asked = [CliRunner().invoke({program}, one, catch_exceptions=False) for one in {commands}]
assert not any(one.exit_code for one in asked), [one.output for one in asked]
print(json.dumps([one.stdout for one in asked]))
"""


@dataclass(frozen=True)
class Theirs:
    """A project beside an environment that has the wheel."""

    root: Path
    installed: Installed

    @property
    def package(self) -> Path:
        return self.root / "src" / "acme_models"

    @property
    def environment(self) -> dict[str, str]:
        return {**self.installed.environment, "DAGSTER_HOME": str(self.root / ".home")}

    def run(self, *command: str, check: bool = True, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=cwd or self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def answers(self, *commands: Sequence[str]) -> list[str]:
        """What some commands of `ml-assets` print, asked in one process, which imports once."""
        return self._asked("ml_assets.cli.main", "main", commands)

    def dg(self, *commands: Sequence[str]) -> list[str]:
        """The same of `dg`."""
        return self._asked("dagster_dg_cli.cli", "create_dg_cli()", commands)

    def _asked(self, module: str, program: str, commands: Sequence[Sequence[str]]) -> list[str]:
        name = program.partition("(")[0]
        code = _ASKING.format(module=module, name=name, program=program, commands=[list(one) for one in commands])
        return [str(one) for one in json.loads(self.python(code).splitlines()[-1])]

    def python(self, code: str, cwd: Path | None = None) -> str:
        return self.run("python", "-c", code, cwd=cwd).stdout


def loaded(theirs: Theirs) -> str:
    """The sensors of a project whose definitions load, else why they do not."""
    code = (
        "from acme_models.definitions import defs\n"
        "print(*(one.name for one in defs().get_repository_def().sensor_defs), end='')"
    )
    done = theirs.run("python", "-W", "ignore", "-c", code, check=False)
    return done.stderr if done.returncode else done.stdout
